"""Live colouring in a real GIMP's window, with the mouse, the real bridge and worker."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .harness import Gimp
from .panel_script import run_live

# With *Smart*, a stroke into the sky labels a third of this.
small_photo = pytest.mark.parametrize("live", [400], indirect=True)

GRASS, WATER, TREE = (0, 0, 192, 255), (192, 64, 64, 255), (0, 192, 192, 255)


def test_colour_follows_a_stroke_and_its_undo(gimp: Gimp, live: str) -> None:
    script = """
    result["photo before"] = pixels(photo, "R'G'B' u8")
    result["labels before"] = pixels(labels, "R'G'B'A u8")
    result["colors before"] = pixels(colors, "R'G'B' u8")
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 200, 200, 300, 250)
    result["before"] = structure(image)
    stroke(0, 80)
    wait(lambda: content(colors) != colors_before)
    colors_painted, labels_painted = settle(colors), content(labels)
    result["after"] = structure(image)
    result["labels"] = pixels(labels, "R'G'B'A u8")
    result["colors"] = pixels(colors, "R'G'B' u8")
    press("ctrl+z", lambda: content(labels) == labels_before)
    wait(lambda: content(colors) == colors_before)
    result["undone"] = structure(image)
    press("ctrl+y", lambda: content(labels) == labels_painted)
    wait(lambda: content(colors) == colors_painted)

    Gimp.Selection.none(image)
    Gimp.context_set_foreground(Gegl.Color.new(PALETTE["water"]))
    views = {"mirrored": "ctrl+alt+h", "mirrored and turned": "ctrl+alt+r"}  # see `harness`
    for view, keys in views.items():
        before = content(colors)
        result["labels before " + view] = pixels(labels, "R'G'B'A u8")
        result["colors before " + view] = pixels(colors, "R'G'B' u8")
        press(keys, lambda: True)
        stroke(0, 80)
        wait(lambda: content(colors) != before)
        settle(colors)
        result["labels " + view] = pixels(labels, "R'G'B'A u8")
        result["colors " + view] = pixels(colors, "R'G'B' u8")
    activate(panel)
    painted = content(labels)
    press("alt+f", lambda: content(labels) != painted)
    result["filled"] = pixels(labels, "R'G'B'A u8")
    activate_image()
    for tool in ("shift+e", "shift+b"):  # Eraser and Bucket Fill, in the turned view too
        before = settle(colors)
        press(tool, lambda: True)
        stroke(0, 80)
        wait(lambda: content(colors) != before)
        result[tool] = pixels(labels, "R'G'B'A u8")
    result["photo"] = pixels(photo, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    check_stroke(result, "", GRASS)
    rows, columns = check_stroke(result, " mirrored", WATER)
    assert np.ptp(columns) > 2 * np.ptp(rows)
    assert columns.mean() < 300  # the mouse went to the right from the middle
    rows, columns = check_stroke(result, " mirrored and turned", WATER)
    assert np.ptp(rows) > 2 * np.ptp(columns)
    filled = (result["filled"] != result["labels mirrored and turned"]).any(axis=2)
    assert (result["filled"][filled] == WATER).all()
    assert len(_colors(result["labels mirrored and turned"][filled])) == 1
    assert (result["photo"] == result["photo before"]).all()
    assert result["before"] == result["after"] == result["undone"]
    assert (result["shift+e"][..., 3] == 0).any()
    assert (result["shift+b"] != result["shift+e"]).any()


def test_a_stroke_is_read_once_and_is_one_request(gimp: Gimp, live: str) -> None:
    """And no layer is made for it."""
    timings = gimp.folder / "timings"
    timings.unlink(missing_ok=True)
    script = """
    begin = time.monotonic()
    stroke(0, 80)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    result["begin"], result["end"] = begin, time.monotonic()
    """
    result = run_live(gimp, live, script, SEMCOLOR_TIMINGS=str(timings))
    lines = [line.split("\t") for line in timings.read_text().splitlines()]
    spans = [(stage, float(begin), float(end)) for stage, begin, end in lines]
    spans = [span for span in spans if result["begin"] < span[1] < result["end"]]
    requests = [stage for stage, *_ in spans if stage.startswith("request ")]
    assert "request stroke" in requests
    assert set(requests) <= {"request stroke", "request color_rows", "request status"}
    reads = [begin for stage, begin, _ in spans if stage == "read"]
    looks = [(begin, end) for stage, begin, end in spans if stage == "tiles"]
    assert looks
    # What looks for the edit reads, each time once; what sends it doesn't.
    assert len(reads) == len(looks)
    assert all(any(begin <= read <= end for read in reads) for begin, end in looks)
    assert "layer made" not in [stage for stage, *_ in spans]


# A bridge which says that the worker lacks memory, as long as there is a certain file.
SHORT_OF_MEMORY = """
import json, pathlib, subprocess, sys
from semcolor.shared.bridge_schema import PREFIX_BYTES, pack_prefix, unpack_prefix
is_short = pathlib.Path(sys.argv[1]).exists
bridge = subprocess.Popen([sys.executable, "-I", "-m", "semcolor.bridge"], stdout=subprocess.PIPE)
while prefix := bridge.stdout.read(PREFIX_BYTES):
    header, payload = (bridge.stdout.read(length) for length in unpack_prefix(prefix))
    answer = json.loads(header)
    if "lowered" in answer:
        answer["lowered"] = 192 if is_short() else 0
    header = json.dumps(answer).encode()
    sys.stdout.buffer.write(pack_prefix(len(header), len(payload)) + header + payload)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def lack_of_memory(gimp: Gimp) -> Iterator[Path]:
    """As long as this file is there, the bridge says that the worker lacks memory."""
    script, lack = gimp.folder / "short of memory.py", gimp.folder / "lack of memory"
    script.write_text(SHORT_OF_MEMORY)
    (installed,) = gimp.profile.glob("plug-ins/*/install.json")
    content = installed.read_text()
    command = gimp.host_command(sys.executable, "-I", str(script), str(lack))
    installed.write_text(json.dumps(json.loads(content) | {"bridge": command}))
    yield lack
    installed.write_text(content)


def test_worker_that_dies_while_painting_costs_only_time(gimp: Gimp, live: str) -> None:
    script = """
    stroke(0, 80, meanwhile=kill_worker)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    wait(lambda: shows(panel, READY))
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized again"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    # All that it lacked was sent again. If only the stroke had been, what was before it was lost.
    assert np.abs(result["colors"].astype(int) - result["colorized again"]).max() <= 1


def test_writer_that_gimp_kills_costs_only_time(gimp: Gimp, live: str) -> None:
    script = """
    kill_writer()
    wait(message_window)  # of a plug-in that it kills itself, GIMP says nothing
    activate(message_window())
    press("Escape", lambda: not message_window())
    result["served"] = Gimp.get_pdb().procedure_exists("plug-in-semcolor-write-pixels")
    activate_image()
    stroke(0, 80)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    result["colors"] = pixels(colors, "R'G'B' u8")
    result["said"] = message_window()
    colorize(image)
    result["colorized again"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    assert not result["served"]
    assert not result["said"]
    assert np.abs(result["colors"].astype(int) - result["colorized again"]).max() <= 1


def test_lack_of_memory_is_told_when_it_begins_and_ends(
    gimp: Gimp, live: str, lack_of_memory: Path
) -> None:
    script = f"""
    lack = pathlib.Path({str(lack_of_memory)!r})

    def paint_somewhere(y):
        before = content(colors)
        stroke(0, y)
        wait(lambda: content(colors) != before)

    wait(lambda: not says(panel))
    lack.touch()
    paint_somewhere(80)
    wait(lambda: says(panel))
    choose_class(panel, "sky")
    wait(lambda: not says(panel))
    paint_somewhere(80)
    settle(colors)
    assert not says(panel)  # it is no news
    lack.unlink()
    paint_somewhere(-80)
    wait(lambda: says(panel))
    """
    run_live(gimp, live, script)


def test_undone_colorize_leaves_no_colours_of_other_labels(gimp: Gimp, live: str) -> None:
    """Live colouring makes no undo steps, but Colorize does; a stroke lies between the two."""
    script = """
    def stamp():
        parasite = colors.get_parasite("semcolor-colors")
        return parasite and bytes(parasite.get_data())

    activate(panel)
    press("alt+v", lambda: not preferences()["live"])
    stroke(0, 80)
    wait(lambda: content(labels) != labels_before)
    result["stale"] = content(colors) == colors_before
    colorize(image)
    painted = content(colors)
    result["coloured"] = painted != colors_before
    activate(panel)
    press("alt+v", lambda: True)  # on
    settle(colors)
    activate_image()
    for keys in ("ctrl+z", "ctrl+y"):
        before = stamp()
        press(keys, lambda: stamp() != before)
        wait(lambda: content(colors) == painted)
    """
    result = run_live(gimp, live, script)
    assert result["stale"]
    assert result["coloured"]


def test_live_goes_on_when_redo_brings_the_layers_back(gimp: Gimp, live: str) -> None:
    """With colours of the labels as they are then."""
    script = """
    stroke(0, 80)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    painted = content(labels)
    press("ctrl+z", lambda: content(labels) == labels_before)
    wait(lambda: content(colors) == colors_before)
    press("ctrl+z", lambda: len(image.get_layers()) == 1)
    time.sleep(1)
    press("ctrl+y", lambda: len(image.get_layers()) == 3)
    press("ctrl+y", lambda: content(labels) == painted)
    settle(colors)
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    assert np.abs(result["colors"].astype(int) - result["colorized"]).max() <= 1


def test_a_smart_stroke_labels_the_object_under_it(gimp: Gimp, live: str) -> None:
    """In one undo step beside the stroke's own, in which nothing that was painted changes."""
    script = """
    activate(panel)
    press("alt+m", lambda: preferences()["smart"])
    choose_class(panel, "water")
    result["before"] = pixels(labels, "R'G'B'A u8")
    stroke(0, 80)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    smart = content(labels)
    result["labels"] = pixels(labels, "R'G'B'A u8")
    result["colors"] = pixels(colors, "R'G'B' u8")
    activate_image()
    press("ctrl+z", lambda: content(labels) != smart)
    settle(colors)
    result["stroke"] = pixels(labels, "R'G'B'A u8")
    painted = content(labels)
    press("ctrl+z", lambda: content(labels) == labels_before)
    settle(colors)
    press("ctrl+y", lambda: content(labels) == painted)
    press("ctrl+y", lambda: content(labels) == smart)
    settle(colors)
    assert content(labels) == smart  # redo is no stroke
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    stroke = (result["stroke"] != result["before"]).any(axis=2)
    changed = (result["labels"] != result["before"]).any(axis=2)
    assert np.count_nonzero(changed) > 3 * np.count_nonzero(stroke) > 0
    assert changed[stroke].all()
    assert (result["labels"][changed] == WATER).all()
    assert np.abs(result["colors"].astype(int) - result["colorized"]).max() <= 1


def test_what_is_painted_while_an_object_is_labelled_stays(gimp: Gimp, live: str) -> None:
    """And its object is labelled, too; each in one undo step."""
    script = """
    activate(panel)
    press("alt+m", lambda: preferences()["smart"])
    choose_class(panel, "water")
    with worker_asleep():
        wait_for_job(lambda: stroke(0, 80))
        first = content(labels)
        result["first"] = pixels(labels, "R'G'B'A u8")
        choose_class(panel, "tree")
        stroke(0, 135)
        wait(lambda: content(labels) != first)
        time.sleep(1)
        painted = content(labels)
        result["painted"] = pixels(labels, "R'G'B'A u8")
    wait(lambda: content(labels) != painted)
    settle(colors)
    settle(labels)
    result["labels"] = pixels(labels, "R'G'B'A u8")
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    press("ctrl+z", lambda: content(colors) != b"")
    labelled = settle(labels)
    press("ctrl+z", lambda: content(labels) != labelled)
    settle(colors)
    result["one"] = pixels(labels, "R'G'B'A u8")
    press("ctrl+z", lambda: content(labels) == painted)
    assert settle(labels) == painted  # undo is no stroke
    """
    result = run_live(gimp, live, script)
    stroke = (result["painted"] != result["first"]).any(axis=2)
    for name in ("one", "labels"):
        assert (result[name][stroke] == TREE).all()
    water = (result["one"] == WATER).all(axis=2)
    tree = (result["labels"] == TREE).all(axis=2)
    assert min(water.sum(), tree.sum()) > 3 * stroke.sum() > 0
    assert np.abs(result["colors"].astype(int) - result["colorized"]).max() <= 1


@small_photo
def test_a_large_change_is_asked_about(gimp: Gimp, live: str) -> None:
    """With a picture of it; painting on is no, and so is undo."""
    script = """
    activate(panel)
    press("alt+m", lambda: preferences()["smart"])
    choose_class(panel, "water")
    result["before"] = pixels(labels, "R'G'B'A u8")

    def paint_sky(dy):  # each time elsewhere: the same again would be redo
        before = content(labels)
        stroke(0, dy)
        wait(lambda: content(labels) != before)
        wait(lambda: shows(panel, WATER_ON_WHITE))
        return settle(labels)

    painted = paint_sky(-60)
    result["stroke"] = pixels(labels, "R'G'B'A u8")
    activate(panel)
    press("alt+k", lambda: not shows(panel, WATER_ON_WHITE))  # Keep as It Is
    assert settle(labels) == painted
    activate_image()
    press("ctrl+z", lambda: content(labels) == labels_before)
    settle(colors)

    paint_sky(-64)
    press("ctrl+z", lambda: content(labels) == labels_before)
    wait(lambda: not shows(panel, WATER_ON_WHITE))
    settle(colors)

    painted = paint_sky(-56)
    activate(panel)
    press("alt+b", lambda: content(labels) != painted)  # Label It
    result["labelled"] = pixels(labels, "R'G'B'A u8")
    settle(colors)
    result["live"] = pixels(colors, "R'G'B' u8")
    activate_image()
    press("ctrl+z", lambda: content(labels) == painted)
    press("ctrl+y", lambda: content(labels) != painted)
    settle(colors)
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    stroke = (result["stroke"] != result["before"]).any(axis=2)
    labelled = (result["labelled"] != result["before"]).any(axis=2)
    assert 0 < stroke.mean() < 0.2 < labelled.mean()
    assert labelled[stroke].all()
    assert (result["labelled"][labelled] == WATER).all()
    assert np.abs(result["live"].astype(int) - result["colorized"]).max() <= 1


@small_photo
def test_what_is_painted_while_a_question_comes_is_labelled_too(gimp: Gimp, live: str) -> None:
    script = """
    activate(panel)
    press("alt+m", lambda: preferences()["smart"])
    choose_class(panel, "water")

    def question():
        wait(lambda: shows(panel, WATER_ON_WHITE))

    wait_for_job(lambda: stroke(-130, -90))
    stroke(10, -20, meanwhile=question)
    settle(labels)
    result["asked again"], result["steps"] = shows(panel, WATER_ON_WHITE), 0
    while content(labels) != labels_before:
        before = content(labels)
        press("ctrl+z", lambda: content(labels) != before)
        settle(labels)
        result["steps"] += 1
    """
    result = run_live(gimp, live, script)
    assert result["steps"] == (2 if result["asked again"] else 3)


def test_live_and_image_end_while_the_worker_works(gimp: Gimp, live: str) -> None:
    script = """
    with worker_asleep():
        wait_for_job(lambda: stroke(0, 80))
        activate(panel)
        press("alt+v", lambda: True)  # off
    off = settle(colors)
    stroke(0, -80)
    result["off"] = settle(colors) == off
    activate(panel)
    press("alt+v", lambda: True)  # on
    wait(lambda: content(colors) != off)
    settle(colors)
    with worker_asleep():
        wait_for_job(lambda: stroke(-150, 0))
        close_image(image)
        wait(lambda: not panels() and not bridges() and not plug_ins())
    time.sleep(1)  # GIMP would complain now
    result["message"] = message_window()
    """
    result = run_live(gimp, live, script)
    assert result["off"]
    assert result["message"] == ""


def check_stroke(result: dict, view: str, color: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The stroke is of this colour, and colours moved there; rows and columns of its pixels."""
    before, after = result[f"labels before{view}"], result[f"labels{view}"]
    painted = (before != after).any(axis=2)
    assert (after[painted] == color).all()
    assert 80 * 10 < np.count_nonzero(painted) < 200 * 60
    moved = np.abs(result[f"colors{view}"].astype(int) - result[f"colors before{view}"]).max(axis=2)
    assert moved[painted].mean() > 4 * moved[~painted].mean()
    return np.nonzero(painted)


def _colors(rgba: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.unique(rgba.reshape(-1, 4), axis=0).tolist()))
