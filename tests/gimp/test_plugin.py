"""The plug-in in a real GIMP, with the real bridge and the real worker.

Each script runs inside GIMP, where the names of `inside` are known.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from semcolor.shared.classes import all_classes
from semcolor_worker.color import gray_lightness, lab_from_rgb

from .harness import Gimp

SKY, GRASS = "#004080", "#80c040"  # two of the palette's colours

REPAINTED = (slice(20, 90), slice(30, 140))  # rows, columns


@pytest.fixture(scope="module", params=[8, 16])
def repainted(request: pytest.FixtureRequest, gimp: Gimp, photo_file: Path) -> dict:
    """A gray photo that was labelled, coloured, given other labels in REPAINTED, and coloured."""
    depth: int = request.param
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, {depth})
        photo = image.get_layers()[0]
        result["photo before"] = pixels(photo, "Y' u{depth}")
        labels = add_labels(image)
        result["labels"] = pixels(labels, "R'G'B'A u8")
        result["after labels"] = structure(image)
        paint(labels, {SKY!r}, 30, 20, 110, 70)
        colors = colorize(image)
        result["sky"] = pixels(colors, "CIE Lab float")
        paint(labels, {GRASS!r}, 30, 20, 110, 70)
        colors = colorize(image)
        result["grass"] = pixels(colors, "CIE Lab float")
        result["structure"] = structure(image)
        result["photo after"] = pixels(photo, "R'G'B' u{depth}")
        result["photo"] = pixels(photo, "CIE Lab float")
        labels.set_visible(False)
        result["seen"] = visible(image, "CIE Lab float")
    """)
    return {**result, "depth": depth}


def test_photo_layer_keeps_every_bit(repainted: dict) -> None:
    before, after = repainted["photo before"], repainted["photo after"]
    assert np.ptp(before) > 50  # it is a picture
    assert (after == before).all()  # three equal channels now


def test_every_label_is_a_palette_colour_or_transparent(repainted: dict) -> None:
    colors = {(*entry.rgb, 255) for entry in all_classes()[1:]} | {(0, 0, 0, 0)}
    found = np.unique(repainted["labels"].reshape(-1, 4), axis=0).tolist()
    assert set(map(tuple, found)) <= colors


def test_layers_lie_in_order(repainted: dict) -> None:
    labels, colorized, photo = repainted["structure"]["layers"]
    assert (labels["name"], labels["opacity"], labels["visible"]) == ("Labels", 50, True)
    assert (colorized["name"], colorized["lch color"]) == ("Colorized", True)
    assert labels["size"] == colorized["size"] == photo["size"]


def test_repainting_moves_colour_there(repainted: dict) -> None:
    moved = np.abs(repainted["grass"] - repainted["sky"])[..., 1:].max(axis=2)
    elsewhere = np.ones(moved.shape, bool)
    elsewhere[REPAINTED] = False
    assert moved[REPAINTED].mean() > 2
    assert moved[REPAINTED].mean() > 4 * moved[elsewhere].mean()


def test_photo_is_shown_in_colour(repainted: dict) -> None:
    assert np.abs(repainted["seen"][..., 1:]).max() > 5
    assert np.abs(repainted["photo"][..., 1:]).max() < 0.1


def test_lightness_stays_the_photos(repainted: dict) -> None:
    difference = np.abs(repainted["seen"] - repainted["photo"])[..., 0]
    # What rounding three channels to 8 or 16 bits can do to L*.
    assert difference.max() < {8: 0.5, 16: 0.002}[repainted["depth"]]


def test_selection_and_selected_layers(gimp: Gimp, photo_file: Path) -> None:
    """...and the selection doesn't clip what is written."""
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        photo = image.get_layers()[0]
        colors = colorize(image)
        result["whole"] = pixels(colors, "R'G'B' u8")
        white = Gegl.Color.new("#ffffff")
        Gimp.context_set_foreground(white)
        colors.fill(Gimp.FillType.FOREGROUND)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 50, 40, 30, 20)
        image.set_selected_layers([photo])
        result["before"] = structure(image)
        colorize(image)
        result["after"] = structure(image)
        result["clipped"] = pixels(colors, "R'G'B' u8")
        image.remove_layer(image.get_layers()[0])
        labels = add_labels(image)
        result["labels"] = pixels(labels, "R'G'B'A u8")
        result["with labels"] = structure(image)
    """)
    assert result["after"] == result["before"]
    assert (result["clipped"] == result["whole"]).all()
    for kept in ("selection", "foreground"):
        assert result["with labels"][kept] == result["before"][kept]
    assert result["with labels"]["selected layers"] == ["Labels"]  # ready to be painted on


def test_channels_that_are_switched_off_are_written_too(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        colors = colorize(image)
        result["whole"] = pixels(colors, "R'G'B' u8")
        colors.fill(Gimp.FillType.WHITE)
        image.set_component_active(Gimp.ChannelType.RED, False)
        colorize(image)
        result["again"] = pixels(colors, "R'G'B' u8")
        result["red"] = image.get_component_active(Gimp.ChannelType.RED)
    """)
    assert (result["again"] == result["whole"]).all()
    assert result["red"] is False


def test_layers_are_found_again_in_a_saved_file(gimp: Gimp, photo_file: Path) -> None:
    """...whatever they are called and wherever they lie; and their settings are kept."""
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        add_labels(image)
        colors = colorize(image)
        colors.set_opacity(70)
        colors.set_visible(False)
        colors.set_name("Mine")
        image.get_layers()[0].set_name("Also mine")
        group = Gimp.GroupLayer.new(image, "Group")
        image.insert_layer(group, None, 0)
        image.reorder_item(image.get_layers()[1], group, 0)
        save(image, {str(gimp.folder / "saved.xcf")!r})
        image.delete()

        image = load({str(gimp.folder / "saved.xcf")!r})
        image.set_selected_layers([image.get_layers()[-1]])
        result["before"] = structure(image)
        layer = colorize(image, image.get_layers()[0].get_children()[0])
        result["updated"] = layer.get_name()
        result["after"] = structure(image)
        result["again"] = failure(add_labels, image)
    """)
    assert result["updated"] == "Mine"
    assert result["after"] == result["before"]
    assert "has a label layer already" in result["again"]


def test_photo_with_offset_and_alpha(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load({gimp.path(photo_file)!r})
        image.scale(300, 200)
        photo = image.get_layers()[0]
        photo.add_alpha()
        photo.scale(160, 120, False)
        photo.set_offsets(-20, 110)
        result["before"] = pixels(photo, "R'G'B'A u8")
        add_labels(image)
        colorize(image)
        photo.set_offsets(40, 30)  # the label layer stays where it was
        photo.resize(100, 80, -10, -10)
        result["before"] = pixels(photo, "R'G'B'A u8")
        colorize(image)
        result["structure"] = structure(image)
        result["after"] = pixels(photo, "R'G'B'A u8")
    """)
    labels, colorized, photo = result["structure"]["layers"]
    assert (labels["offsets"], labels["size"]) == ([-20, 110], [160, 120])
    assert (colorized["offsets"], colorized["size"]) == (photo["offsets"], [100, 80])
    assert (result["after"] == result["before"]).all()


def test_indexed_image_becomes_rgb(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load({gimp.path(photo_file)!r})
        image.scale(160, 120)
        image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 64,
                              False, False, "")
        photo = image.get_layers()[0]
        result["before"] = pixels(photo, "R'G'B' u8")
        colorize(image)
        result["after"] = pixels(photo, "R'G'B' u8")
        result["rgb"] = image.get_base_type() == Gimp.ImageBaseType.RGB
    """)
    assert result["rgb"]
    assert (result["after"] == result["before"]).all()


def test_what_is_no_photo_is_refused_in_a_sentence(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        photo = image.get_layers()[0]
        text = Gimp.TextLayer.new(image, "Text", Gimp.fonts_get_list("")[0], 20, Gimp.Unit.pixel())
        image.insert_layer(text, None, 0)
        group = Gimp.GroupLayer.new(image, "Group")
        image.insert_layer(group, None, 0)
        mask = photo.create_mask(Gimp.AddMaskType.WHITE)
        photo.add_mask(mask)
        result["before"] = structure(image)
        result["text"] = failure(colorize, image, text)
        result["group"] = failure(colorize, image, group)
        result["mask"] = failure(colorize, image, mask)
        result["after"] = structure(image)
        colors = colorize(image, photo)
        colors.set_lock_content(True)
        result["locked"] = failure(colorize, image, photo)
    """)
    assert "can't be coloured" in result["text"]
    assert "can't be coloured" in result["group"]
    assert "not a mask" in result["mask"]
    assert "Unlock" in result["locked"]
    assert result["after"] == result["before"]


def test_palette_is_installed_with_the_plug_in(gimp: Gimp) -> None:
    result = gimp.run("""
        palette = Gimp.Palette.get_by_name("Semantic Color: PASCAL-Context 59")
        result["entries"] = palette.get_color_count()
    """)
    assert result["entries"] == 60


def test_colorize_is_one_undo_step(gimp: Gimp, photo_file: Path) -> None:
    """...with its conversion to RGB. Undo has no procedure in GIMP 3, so this presses Ctrl+Z."""
    result = gimp.run_in_window(f"""
        image = load_gray({gimp.path(photo_file)!r}, 16)
        show(image)
        result["before"] = structure(image)
        colorize(image)
        press("ctrl+z", lambda: len(image.get_layers()) == 1)
        result["after"] = structure(image)
    """)
    assert result["after"] == result["before"]


def test_colorize_again_is_one_undo_step(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run_in_window(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        show(image)
        colors = colorize(image)
        paint(image.get_layers()[0], {SKY!r}, 30, 20, 110, 70)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 50, 40, 30, 20)
        result["before"] = structure(image)
        first = content(colors)
        colorize(image)
        assert content(colors) != first
        press("ctrl+z", lambda: content(colors) == first)
        result["after"] = structure(image)
    """)
    assert result["after"] == result["before"]


def test_colorize_with_settings_makes_a_plain_layer_on_demand(gimp: Gimp, photo_file: Path) -> None:
    """The mode changes, the colours don't; and Colorize leaves the mode as it is."""
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        def with_settings(kind):
            mode = Gimp.RunMode.NONINTERACTIVE
            return call("plug-in-semcolor-colorize-with-settings", run_mode=mode, image=image,
                        drawables=[image.get_layers()[-1]], detail=250, layer_kind=kind)

        colors = with_settings("rgb")
        image.get_layers()[0].set_visible(False)
        result["plain"], result["seen"] = pixels(colors, "R'G'B' u8"), visible(image, "R'G'B' u8")
        colorize(image)
        result["again"] = colors.get_mode() == Gimp.LayerMode.NORMAL
        with_settings("lch-color")
        result["structure"] = structure(image)
        result["lch"] = pixels(colors, "R'G'B' u8")
    """)
    assert (result["seen"] == result["plain"]).all()
    assert result["again"]
    assert [layer["lch color"] for layer in result["structure"]["layers"]] == [False, True, False]
    assert (result["lch"] == result["plain"]).all()


def test_colorize_with_settings_asks(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run_in_window(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        show(image)
        press("ctrl+alt+c", settings_dialog)
        activate(settings_dialog())
        press("Escape", lambda: not settings_dialog())
        result["cancelled"] = structure(image)["layers"]
        activate_image()
        press("ctrl+alt+c", settings_dialog)
        activate(settings_dialog())
        subprocess.run(["scrot", "-o", os.environ["HOME"] + "/dialog.png"], check=True)
        press("alt+o", lambda: len(image.get_layers()) == 3)
        result["mode"] = image.get_layers()[1].get_mode() == Gimp.LayerMode.LCH_COLOR
    """)
    assert len(result["cancelled"]) == 1
    assert result["mode"]


def test_plug_in_that_is_killed_leaves_image_and_no_bridge(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        result["before"] = structure(image)
        killed = []
        killer = kill_plugin_at_work(killed)
        result["message"] = failure(colorize, image)
        killer.join()
        wait(lambda: ended(killed[0]) and ended(killed[1]))
        result["after"] = structure(image)
        result["next time"] = failure(colorize, image)
    """)
    assert result["message"] is not None
    assert result["after"] == result["before"]
    assert result["next time"] is None


def test_photo_of_several_strips_has_no_seams(gimp: Gimp, photo_file: Path) -> None:
    """A photo of more than 4 million pixels travels in strips, both ways."""
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8, 2600)
        photo = image.get_layers()[0]
        result["photo"] = pixels(photo, "Y' u8")
        colors = colorize(image)
        result["colors"] = pixels(colors, "R'G'B' u8")
    """)
    assert result["photo"].size > 4_000_000
    # Every row of the colorized layer has the photo's light, so no strip is missing or moved.
    colors = torch.from_numpy(result["colors"]).permute(2, 0, 1).float() / 255
    photo = torch.from_numpy(result["photo"][..., 0])
    assert (lab_from_rgb(colors)[0] - gray_lightness(photo)).abs().max() < 1
