"""The panel in a real GIMP's window, with mouse and keyboard, the real bridge and worker."""

from pathlib import Path

import numpy as np
import pytest

from semcolor.shared.classes import all_classes

from .harness import Gimp
from .panel_script import run_live

GRASS, WATER = (0, 0, 192, 255), (192, 64, 64, 255)


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
    result = run_live(gimp, live, script)
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
def test_an_object_keeps_the_colour_that_was_chosen_for_it(gimp: Gimp, live: str) -> None:
    """One undo step; strokes go on; what is painted becomes a part of it; it can be taken back."""
    script = """
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 200, 100, 80)
    ours("label-selection", image, **{"class": "sofa"})
    settle(colors)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 220, 210, 10, 10)  # a part will do
    image.set_selected_layers([labels])
    result["photo"] = pixels(photo, "CIE Lab float")
    result["before"], plain = structure(image), content(colors)
    result["plain"] = pixels(colors, "CIE Lab float")
    activate(panel)
    others = swatches(panel)
    # Two: the switch becomes vivid too, some time after the window has got the keyboard.
    press("alt+g", lambda: len(swatches(panel) - others) >= 2)
    press("space", lambda: content(colors) != plain)  # the first one has the keyboard
    chosen = settle(colors)
    result["chosen"] = pixels(colors, "CIE Lab float")
    activate_image()
    press("ctrl+z", lambda: content(colors) != chosen)
    undone = settle(colors)
    result["undone"] = pixels(colors, "CIE Lab float")
    press("ctrl+y", lambda: content(colors) != undone)
    chosen = settle(colors)
    result["redone"] = pixels(colors, "CIE Lab float")
    result["after"] = structure(image)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 300, 200, 100, 80)
    ours("label-selection", image, **{"class": "sofa"})  # beside it
    wait(lambda: content(colors) != chosen)
    settle(colors)
    result["grown"] = pixels(colors, "CIE Lab float")
    """
    result = run_live(gimp, live, script)
    sofa, grown = (slice(210, 270), slice(210, 280)), (slice(210, 270), slice(310, 380))
    assert result["chosen"][sofa][..., 1].mean() > 15  # red
    changed = np.abs(result["chosen"] - result["plain"]).max(axis=2) > 2
    changed[100:400, 100:400] = False  # this model sees 64 pixels of the photo
    assert not changed.any()
    for name, same in (("undone", "plain"), ("redone", "chosen")):
        assert np.abs(result[name] - result[same]).max() < 2  # a level, where that is not seen
    assert result["after"] == result["before"]
    assert result["grown"][grown][..., 1].mean() > 15


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
    result = run_live(gimp, live, script)
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


def test_a_class_is_outlined_while_a_button_is_held(gimp: Gimp, live: str) -> None:
    """With the selection's ants, and the user's selection comes back; no undo step."""
    script = """
    def selected():
        return content(image.get_selection(), "Y u8")

    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 20, 30, 40)
    before = selected()
    choose_class(panel, "sky")
    activate(panel)
    place = geometry(panel)
    x, y = place["X"] + place["WIDTH"] - 56, place["Y"] + place["HEIGHT"] - 130  # its button
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "mousedown", "1"], check=True)
    wait(lambda: selected() != before)
    result["outlined"] = pixels(image.get_selection(), "Y u8")
    result["labels"] = pixels(labels, "R'G'B'A u8")
    subprocess.run(["xdotool", "mouseup", "1"], check=True)
    wait(lambda: selected() == before)
    activate_image()
    press("ctrl+z", lambda: selected() != before)  # the rectangle itself
    """
    result = run_live(gimp, live, script)
    sky = (result["labels"] == (*all_classes()[class_id("sky")].rgb, 255)).all(axis=2)
    assert ((result["outlined"][..., 0] > 127) == sky).all()


def test_a_class_that_is_locked_in_the_list_keeps_its_pixels(gimp: Gimp, live: str) -> None:
    script = """
    activate(panel)
    for words in (("key", "ctrl+f"), ("type", "ground"), ("sleep", "0.5")):
        subprocess.run(["xdotool", *words], check=True)
    place = geometry(panel)
    x, y = place["X"] + place["WIDTH"] - 45, place["Y"] + 147  # the lock of the only row
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], check=True)
    time.sleep(1)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 150, 200, 200)
    result["before"] = pixels(labels, "R'G'B'A u8")
    activate(panel)
    press("alt+l", lambda: content(labels) != labels_before)
    result["after"] = pixels(labels, "R'G'B'A u8")
    """
    result = run_live(gimp, live, script)
    ground = (result["before"] == (*all_classes()[class_id("ground")].rgb, 255)).all(axis=2)
    part = np.zeros(ground.shape, bool)
    part[150:350, 100:300] = True
    assert (part & ground).any()
    assert (result["after"][part & ~ground] == GRASS).all()
    assert (result["after"] == result["before"])[~part | ground].all()


def test_the_panel_is_small_and_keeps_still(gimp: Gimp, live: str) -> None:
    """As small as a dock; a long message moves nothing; digits choose what was used lately."""
    script = """
    activate(panel)
    choose_class(panel, "sky")
    activate(panel)
    press("2", lambda: foreground() == "#0000c0")  # grass was the first
    subprocess.run(["xdotool", "windowsize", "--sync", panel, "200", "200"], check=True)
    result["smallest"] = geometry(panel)
    activate_image()
    Gimp.Selection.none(image)
    activate(panel)
    press("alt+f", lambda: says(panel))
    result["with a message"] = geometry(panel)
    """
    result = run_live(gimp, live, script)
    assert result["smallest"]["HEIGHT"] <= 400
    assert result["smallest"]["WIDTH"] <= 320
    assert result["with a message"] == result["smallest"]


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
    result = run_live(gimp, live, script)
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
    result = run_live(gimp, live, script)
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
    result = run_live(gimp, live, script)
    assert result["placed again"] == result["placed"]
    assert result["saved"]["detail"] == 256
    assert result["saved"]["recent"] == [class_id("sky"), class_id("grass")]


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
    assert run_live(gimp, live, script)["message"] == ""
    assert gimp.bridges() == []


def class_id(name: str) -> int:
    return next(entry.id for entry in all_classes() if entry.name == name)


def _colors(rgba: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.unique(rgba.reshape(-1, 4), axis=0).tolist()))


def test_search_tells_when_there_is_no_class_and_gives_the_keyboard_back(
    gimp: Gimp, live: str
) -> None:
    script = """
    activate(panel)
    for words in (("key", "ctrl+f"), ("type", "zzz"), ("sleep", "0.5"), ("key", "Return")):
        subprocess.run(["xdotool", *words], check=True)
    time.sleep(1)
    assert foreground() == PALETTE["grass"]
    assert is_active(panel)
    for words in (("key", "ctrl+a"), ("type", "river"), ("sleep", "0.5"), ("key", "Return")):
        subprocess.run(["xdotool", *words], check=True)
    wait(lambda: foreground() == PALETTE["water"])
    wait(lambda: not is_active(panel))
    """
    run_live(gimp, live, script)


def test_panel_says_where_strokes_go_and_puts_it_right(gimp: Gimp, live: str) -> None:
    script = """
    def put_right(name, break_it, is_right):
        break_it()
        Gimp.displays_flush()
        activate(panel)
        time.sleep(1.5)  # the panel looks twice a second
        press("alt+p", is_right)
        result[name] = True

    put_right(
        "photo", lambda: image.set_selected_layers([photo]),
        lambda: image.get_selected_layers() == [labels],
    )
    put_right("hidden", lambda: labels.set_visible(False), labels.get_visible)
    put_right(
        "locked", lambda: labels.set_lock_content(True), lambda: not labels.get_lock_content()
    )
    put_right("alpha", lambda: labels.set_lock_alpha(True), lambda: not labels.get_lock_alpha())
    labels.add_mask(labels.create_mask(Gimp.AddMaskType.WHITE))
    put_right("mask", lambda: labels.set_edit_mask(True), lambda: not labels.get_edit_mask())
    labels.remove_mask(Gimp.MaskApplyMode.DISCARD)
    channel = Gimp.Channel.new(image, "Channel", 640, 492, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    put_right(
        "channel", lambda: image.set_selected_channels([channel]),
        lambda: image.get_selected_layers() == [labels],
    )
    image.remove_channel(channel)
    """
    result = run_live(gimp, live, script)
    assert len(result) == 6


def test_lasso_labels_what_it_has_gone_around(gimp: Gimp, live: str) -> None:
    """As soon as the button is released, in one undo step; again, too; nothing stays selected."""
    script = """
    def go_around(x, y):
        "Draw a closed loop, 120 pixels wide, around a pixel of the window's middle."
        before = content(labels)
        corners = [(-60, -40), (60, -40), (60, 40), (-60, 40), (-60, -38)]
        drag([(x + left, y + top) for left, top in corners])
        wait(lambda: content(labels) != before)
        wait(lambda: Gimp.Selection.is_empty(image))
        settle(colors)

    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 50, 50)
    activate(panel)
    press("alt+a", lambda: True)
    time.sleep(2)
    result["before"] = [content(labels) == labels_before, Gimp.Selection.is_empty(image)]
    Gimp.Selection.none(image)
    Gimp.displays_flush()
    activate_image()
    press("f", lambda: True)  # the Free Select tool
    go_around(0, 60)
    result["first"] = pixels(labels, "R'G'B'A u8")
    first = content(labels)
    go_around(100, 60)
    result["second"] = pixels(labels, "R'G'B'A u8")
    activate_image()
    press("ctrl+z", lambda: content(labels) == first)
    """
    result = run_live(gimp, live, script)
    assert result["before"] == [True, False]  # what was selected before is not meant
    grass = [np.count_nonzero((result[name] == GRASS).all(axis=2)) for name in ("first", "second")]
    assert grass[1] > grass[0] + 2000


def test_what_only_changes_the_view_is_no_undo_step(gimp: Gimp, live: str) -> None:
    """Ctrl+Z takes back the stroke. And Escape does not close the panel."""
    script = """
    stroke(0, 80)
    wait(lambda: content(labels) != labels_before)
    settle(colors)
    activate(panel)
    press("Escape", lambda: True)
    from images import view
    from images.roles import find_photo

    ours = find_photo(image, [photo])
    hidden = view.hide(ours, view.ALL)
    result["before"] = [layer.get_visible() for layer in (labels, colors)]
    view.show(ours, hidden)
    view.set_strength(ours, "labels", 80)
    result["after"] = [layer.get_visible() for layer in (labels, colors)]

    def seen(percent):
        "What is seen at this saturation, and what the slider is told then."
        view.set_strength(ours, "colorized", percent)
        result[f"strength {percent}"] = round(view.strength_of(colors))
        hidden = view.hide(ours, ["labels"])
        shown = Gimp.Layer.new_from_visible(image, image, "shown")
        result[f"at {percent}"] = pixels(shown, "CIE Lab float")
        view.show(ours, hidden)

    kept = content(colors)
    for percent in (100, 150, 130, 50, 100):
        seen(percent)
    result["kept"] = content(colors) == kept
    activate_image()
    press("ctrl+z", lambda: content(labels) == labels_before)
    assert round(labels.get_opacity()) == 80
    assert panels() == [panel]
    """
    result = run_live(gimp, live, script)
    assert (result["before"], result["after"]) == ([False, False], [True, True])
    assert result["kept"]
    chroma = {}
    for percent in (100, 150, 130, 50):
        assert result[f"strength {percent}"] == percent
        chroma[percent] = np.hypot(*np.moveaxis(result[f"at {percent}"][..., 1:3], 2, 0)).mean()
        lightness = result[f"at {percent}"][..., 0]
        assert np.abs(lightness - result["at 100"][..., 0]).mean() < 0.5
    assert 1.2 < chroma[150] / chroma[100] < 1.55  # the strongest colours reach the gamut's edge
    assert chroma[100] < chroma[130] < chroma[150]
    assert chroma[50] < chroma[100]
