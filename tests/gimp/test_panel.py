"""The panel in a real GIMP's window, with mouse and keyboard, the real bridge and worker."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from semcolor.shared.classes import all_classes

from .harness import Gimp

GRASS, WATER = (0, 0, 192, 255), (192, 64, 64, 255)

# A photo with labels and colours, and the panel open on it, live.
LIVE = """
image = load_gray({photo!r}, 8, 640)
show(image)
panel = open_panel(image)
press("alt+v", lambda: len(image.get_layers()) == 3)
labels, colors, photo = image.get_layers()
colors_before, labels_before = settle(colors), content(labels)
choose_class(panel, "grass")
press("n", lambda: True)  # the Pencil
"""


@pytest.fixture
def live(gimp: Gimp, photo_file: Path) -> str:
    """The start of a script: see LIVE."""
    (gimp.profile / "plug-in-settings/semcolor.json").unlink(missing_ok=True)
    return LIVE.format(photo=gimp.path(photo_file))


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
    result = run(gimp, live, script)
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
    result = run(gimp, live, script, SEMCOLOR_TIMINGS=str(timings))
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
    wait(lambda: shows(panel, LOST))
    first = content(labels)
    stroke(0, -80)
    wait(lambda: content(labels) != first)
    wait(lambda: content(colors) != colors_before)
    settle(colors)
    wait(lambda: shows(panel, READY))
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized again"] = pixels(colors, "R'G'B' u8")
    """
    result = run(gimp, live, script)
    assert (result["colors"] == result["colorized again"]).all()  # with both strokes


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
    run(gimp, live, script)


def test_buttons_are_undo_steps_on_the_label_layer(gimp: Gimp, live: str) -> None:
    script = """
    def push(key):
        before = content(labels)
        activate(panel)
        press(key, lambda: content(labels) != before)
        result[key] = pixels(labels, "R'G'B'A u8")
        settle(colors)
        result["structure after " + key] = structure(image)
        activate_image()
        press("ctrl+z", lambda: content(labels) == before)

    result["labels"] = pixels(labels, "R'G'B'A u8")
    Gimp.context_set_feather(False)
    Gimp.context_set_antialias(True)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 200, 200, 101, 77)
    result["structure"] = structure(image)
    push("alt+l")
    Gimp.Selection.none(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 640, 500)
    result["structure"] = structure(image)
    stroke(0, 80)
    settle(colors)
    result["painted"] = pixels(labels, "R'G'B'A u8")
    push("alt+f")
    push("alt+s")
    """
    result = run(gimp, live, script)
    before, painted = result["labels"], result["painted"]
    filled = (result["alt+l"] != before).any(axis=2)
    rows, columns = np.nonzero(filled)
    assert columns.min() >= 199
    assert columns.max() <= 301
    assert rows.min() >= 199
    assert rows.max() <= 277
    assert (result["alt+l"][filled] == GRASS).all()  # no in-between colours at the edge
    grown = (result["alt+f"] != painted).any(axis=2)
    assert (result["alt+f"][grown] == GRASS).all()
    assert len(np.unique(painted[grown], axis=0)) == 1  # one region of one class
    snapped = (result["alt+s"] != painted).any(axis=2)
    assert np.count_nonzero(snapped)
    for key in ("alt+f", "alt+s"):
        assert result[f"structure after {key}"] == result["structure"]


@pytest.mark.usefixtures("suggesting_model")
def test_suggested_colour_is_given_to_the_selection(gimp: Gimp, live: str) -> None:
    script = """
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 200, 100, 80)
    image.set_selected_layers([labels])
    result["photo"] = pixels(photo, "CIE Lab float")
    labels.set_visible(False)
    result["before"], result["seen before"] = structure(image), visible(image, "CIE Lab float")
    activate(panel)
    others = swatches(panel)
    press("alt+g", lambda: swatches(panel) - others)
    press("space", lambda: len(image.get_layers()) == 4)  # the first one has the keyboard
    settle(colors)
    result["seen"] = visible(image, "CIE Lab float")
    activate_image()
    press("ctrl+z", lambda: len(image.get_layers()) == 3)
    result["after"] = structure(image)
    """
    result = run(gimp, live, script)
    changed = np.abs(result["seen"] - result["seen before"]).max(axis=2) > 0.5
    inside = np.zeros(changed.shape, bool)
    inside[200:280, 200:300] = True
    assert changed[inside].mean() > 0.9
    assert result["seen"][inside][:, 1].mean() > 20  # red
    assert not changed[~inside].any()
    assert np.abs(result["seen"] - result["photo"])[..., 0].max() < 5  # light is the photo's
    assert result["after"] == result["before"]


def test_clean_labels_after_a_soft_brush(gimp: Gimp, live: str) -> None:
    script = """
    press("p", lambda: True)  # the Paintbrush
    stroke(0, 80)
    wait(lambda: content(labels) != labels_before)
    settle(colors)
    result["soft"] = pixels(labels, "R'G'B'A u8")
    activate(panel)
    soft = content(labels)
    press("alt+c", lambda: content(labels) != soft)
    result["clean"] = pixels(labels, "R'G'B'A u8")
    activate_image()
    press("ctrl+z", lambda: content(labels) == soft)
    """
    result = run(gimp, live, script)
    palette = {(*entry.rgb, 255) for entry in all_classes()[1:]} | {(0, 0, 0, 0)}
    assert len(_colors(result["soft"]) - palette) > 5
    assert _colors(result["clean"]) <= palette
    changed = (result["soft"] != result["clean"]).any(axis=2)
    soft = np.array(
        [[tuple(pixel) not in palette for pixel in row] for row in result["soft"].tolist()]
    )
    # What was pure before was left alone, except where the soft edge passes through a third class.
    near_soft = soft | np.roll(soft, 1, 0) | np.roll(soft, -1, 0)
    near_soft |= np.roll(near_soft, 1, 1) | np.roll(near_soft, -1, 1)
    assert near_soft[changed].all()
    assert np.count_nonzero(changed & ~soft) < 0.1 * np.count_nonzero(changed)


def test_undone_colorize_leaves_no_colours_of_other_labels(gimp: Gimp, live: str) -> None:
    """Live colouring makes no undo steps, but Colorize does; a stroke lies between the two."""
    script = """
    def stamp():
        parasite = colors.get_parasite("semcolor-colors")
        return parasite and bytes(parasite.get_data())

    activate(panel)
    press("alt+v", lambda: True)  # off
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
    result = run(gimp, live, script)
    assert result["stale"]
    assert result["coloured"]


def test_one_panel_for_each_photo(gimp: Gimp, live: str, photo_file: Path) -> None:
    """A second one brings the first to the front, also after a crash; other photos have theirs."""
    script = f"""
    image.clean_all()
    activate_image()
    press("ctrl+alt+p", lambda: is_active(panel))
    wait(lambda: len(plug_ins()) == 1)
    wait(lambda: panels() == [panel])
    result["dirty"] = image.is_dirty()

    other = load_gray({gimp.path(photo_file)!r}, 8, 400)
    show_another(other)
    other_panel = open_panel(other)
    press("alt+v", lambda: len(other.get_layers()) == 3)
    other_labels, other_colors, _ = other.get_layers()
    before = settle(other_colors)
    stroke(0, 80)
    wait(lambda: content(other_colors) != before)
    result["apart"] = content(colors) == colors_before
    choose_class(other_panel, "sky")
    subprocess.run(["xdotool", "windowmove", panel, "1150", "40"], check=True)
    wait(lambda: 1100 < preferences()["window"][0] < 1200)
    result["preferences"] = preferences()
    paint(labels, "#0000c0", 200, 200, 60, 60)
    wait(lambda: content(colors) != colors_before)
    close_panel(other_panel)
    (killed,) = plug_ins()
    os.kill(killed, signal.SIGKILL)
    wait(lambda: not panels())
    wait(message_window)  # GIMP says that a plug-in crashed
    activate(message_window())
    press("Escape", lambda: not message_window())
    close_image(other)
    open_panel(image)
    """
    result = run(gimp, live, script)
    assert result["dirty"] is False
    assert result["apart"]
    assert result["preferences"]["recent"] == [class_id("sky"), class_id("grass")]


def test_class_is_picked_from_the_label_layer(gimp: Gimp, live: str) -> None:
    """In the end the labels lose their colours, which is not shown as a lost worker."""
    script = """
    stroke(0, 80)
    wait(lambda: content(labels) != labels_before)
    choose_class(panel, "sky")
    press("n", lambda: True)
    pick(40, 80)
    wait(lambda: foreground() == PALETTE["grass"])
    Gimp.context_set_foreground(Gegl.Color.new("#05bd44"))
    wait(lambda: foreground() == PALETTE["sky"])
    image.set_selected_layers([photo])
    Gimp.context_set_foreground(Gegl.Color.new("#0505c5"))
    wait(lambda: shows(panel, "#0505c5"))
    result["on the photo"] = foreground()

    image.set_selected_layers([labels])
    image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe())
    choose_class(panel, "sky")
    before = content(labels)
    stroke(0, 80)
    wait(lambda: content(labels) != before)
    settle(colors)
    result["lost"] = shows(panel, LOST)
    """
    options = gimp.profile / "tool-options/gimp-color-picker-tool"
    options.parent.mkdir(exist_ok=True)
    options.write_text("(sample-merged no)")
    result = run(gimp, live, script)
    assert result["on the photo"] == "#0505c5"  # who retouches the photo keeps any colour
    assert not result["lost"]


def test_settings_are_there_the_next_time(gimp: Gimp, live: str) -> None:
    script = """
    activate(panel)
    subprocess.run(["xdotool", "windowsize", panel, "360", "800"], check=True)
    wait(lambda: preferences()["window"][2:] == [360, 800])
    press("alt+d", lambda: True)
    press("Down", lambda: preferences()["detail"] == 256)
    result["placed"] = geometry(panel)
    close_panel(panel)
    press("ctrl+alt+p", panels)
    (panel,) = panels()
    wait(lambda: shows(panel, READY))
    result["placed again"] = geometry(panel)
    choose_class(panel, "sky")
    result["saved"] = preferences()
    before = settle(colors)
    stroke(0, 80)
    wait(lambda: content(colors) != before)  # it is live
    """
    result = run(gimp, live, script)
    assert result["placed again"] == result["placed"]
    assert result["saved"]["detail"] == 256
    assert result["saved"]["recent"] == [class_id("sky"), class_id("grass")]


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
    result = run(gimp, live, script)
    assert result["off"]
    assert result["message"] == ""


def test_every_end_is_clean(gimp: Gimp, live: str) -> None:
    """The panel closed, and GIMP quitting with the panel open."""
    script = """
    stroke(0, 80)
    close_panel(panel)
    wait(lambda: not panels() and not bridges())
    time.sleep(1)  # GIMP would complain now
    result["message"] = message_window()
    open_panel(image)
    wait(bridges)
    stroke(0, -80)
    """
    assert run(gimp, live, script)["message"] == ""
    assert gimp.bridges() == []


def class_id(name: str) -> int:
    return next(entry.id for entry in all_classes() if entry.name == name)


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


def run(gimp: Gimp, live: str, script: str, **environment: str) -> dict:
    """Run the script after the start, in a window."""
    lines = [line.removeprefix("    ") for line in script.splitlines()]
    return gimp.run_in_window(live + "\n".join(lines), **environment)
