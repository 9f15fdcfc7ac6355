"""The panel in a real GIMP's window, with mouse and keyboard, the real bridge and worker."""

from pathlib import Path

import numpy as np
import pytest

from semcolor.classes import all_classes

from .harness import Gimp

GRASS = (0, 0, 192, 255)

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
    for tool in ("shift+e", "shift+b"):  # Eraser and Bucket Fill
        before = settle(colors)
        press(tool, lambda: True)
        stroke(0, 80)
        wait(lambda: content(colors) != before)
        result[tool] = pixels(labels, "R'G'B'A u8")
    result["photo"] = pixels(photo, "R'G'B' u8")
    """
    result = run(gimp, live, script)
    painted = (result["labels"] != result["labels before"]).any(axis=2)
    assert (result["labels"][painted] == GRASS).all()
    assert 80 * 10 < np.count_nonzero(painted) < 200 * 60
    moved = np.abs(result["colors"].astype(int) - result["colors before"]).max(axis=2)
    assert moved[painted].mean() > 4 * moved[~painted].mean()
    assert (result["photo"] == result["photo before"]).all()
    assert result["before"] == result["after"] == result["undone"]
    assert (result["shift+e"][..., 3] == 0).any()
    assert (result["shift+b"] != result["shift+e"]).any()


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


def test_labels_that_lost_their_colours_are_no_lost_worker(gimp: Gimp, live: str) -> None:
    script = """
    image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe())
    stroke(0, 80)
    wait(lambda: content(labels) != labels_before)
    settle(colors)
    result["lost"] = shows(panel, LOST)
    """
    assert not run(gimp, live, script)["lost"]


def test_class_is_picked_from_the_label_layer(gimp: Gimp, live: str) -> None:
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
    """
    options = gimp.profile / "tool-options/gimp-color-picker-tool"
    options.parent.mkdir(exist_ok=True)
    options.write_text("(sample-merged no)")
    result = run(gimp, live, script)
    assert result["on the photo"] == "#0505c5"  # who retouches the photo keeps any colour


def test_settings_are_there_the_next_time(gimp: Gimp, live: str) -> None:
    script = """
    import json
    file = pathlib.Path(Gimp.directory(), "plug-in-settings/semcolor.json")

    def saved():
        return json.loads(file.read_text())

    activate(panel)
    subprocess.run(["xdotool", "windowsize", panel, "360", "800"], check=True)
    wait(lambda: saved()["window"][2:] == [360, 800])
    press("alt+d", lambda: True)
    press("Down", lambda: saved()["detail"] == 256)
    result["placed"] = geometry(panel)
    close_panel(panel)
    press("ctrl+alt+p", panels)
    (panel,) = panels()
    wait(lambda: shows(panel, READY))
    result["placed again"] = geometry(panel)
    choose_class(panel, "sky")
    result["saved"] = saved()
    before = settle(colors)
    stroke(0, 80)
    wait(lambda: content(colors) != before)  # it is live
    """
    result = run(gimp, live, script)
    assert result["placed again"] == result["placed"]
    assert result["saved"]["detail"] == 256
    sky, grass = (next(c.id for c in all_classes() if c.name == name) for name in ("sky", "grass"))
    assert result["saved"]["recent"] == [sky, grass]


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


@pytest.mark.parametrize("end", ["the panel", "GIMP"])
def test_every_end_is_clean(gimp: Gimp, live: str, end: str) -> None:
    """The panel closed, and GIMP quitting with the panel open."""
    script = f"""
    stroke(0, 80)
    if {end!r} == "the panel":
        close_panel(panel)
        wait(lambda: not panels() and not bridges())
        time.sleep(1)  # GIMP would complain now
    result["message"] = message_window()
    """
    assert run(gimp, live, script)["message"] == ""
    assert gimp.bridges() == []


def _colors(rgba: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.unique(rgba.reshape(-1, 4), axis=0).tolist()))


def run(gimp: Gimp, live: str, script: str) -> dict:
    """Run the script after the start, in a window."""
    lines = [line.removeprefix("    ") for line in script.splitlines()]
    return gimp.run_in_window(live + "\n".join(lines))
