"""Every procedure that edits, called as a script does and as a menu entry does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from semcolor.photos.label_colors import from_rgba, to_rgba
from semcolor.photos.label_files import read_label_map, write_label_map
from semcolor.photos.pixels import LabelMap

from .drawing import GRASS, SKY, SOFT, TREE, WATER, hexed
from .harness import Gimp


def without_hidden(rgba: np.ndarray) -> np.ndarray:
    """The same pixels, black where they are transparent: GIMP keeps what was there."""
    return np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)


@pytest.fixture(scope="module")
def edited(gimp: Gimp, photo_file: Path, drawn: LabelMap) -> dict:
    """What each edit gave back, and the label layer after it; each begins with the drawn labels."""
    write_label_map(gimp.folder / "drawn.png", drawn)
    return gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        photo = image.get_layers()[0]
        file = {str(gimp.folder / "drawn.png")!r}

        def after(name, procedure, **arguments):
            result[name] = ours(procedure, image, **arguments)
            result[name + " labels"] = pixels(labels, "R'G'B'A u8")
            ours("import-labels", image, file=file)

        labels, ambiguous = ours("import-labels", image, file=file)
        result["imported"] = pixels(labels, "R'G'B'A u8")
        result["imported ambiguous"] = ambiguous
        result["structure"] = structure(image)

        image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 30, 40, 20)
        after("selection", "label-selection", **{{"class": "Grass"}})
        after("cleared", "label-selection", **{{"class": "unlabelled"}})
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 90, 140, 40, 40)  # grass, and the pond
        after("locked", "label-selection", **{{"class": "tree", "locked": ["water", "sky"]}})
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 110, 160, 10, 10)  # in the pond
        after("all locked", "label-selection", **{{"class": "tree", "locked": ["water"]}})
        result["locked region"] = failure(
            ours, "fill-region", image, x=110, y=160, **{{"class": "tree", "locked": ["water"]}}
        )
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 30, 40, 20)
        Gimp.context_set_foreground(Gegl.Color.new({hexed(WATER)!r}))
        after("foreground", "label-selection")
        after("middle", "fill-region", **{{"class": "grass"}})
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 310, 236, 40, 40)  # beyond the photo too
        after("corner", "label-selection", **{{"class": "sky"}})
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 150, 30, 40)  # a part of the pond
        image.select_rectangle(Gimp.ChannelOps.ADD, 200, 60, 30, 20)  # and a smaller one of the sky
        after("rough", "fill-region", **{{"class": "grass"}})
        Gimp.Selection.none(image)
        after("region", "fill-region", x=101, y=151, **{{"class": "grass"}})
        after("nothing", "fill-region", x=0, y=0, **{{"class": "unlabelled"}})

        paint(labels, {SOFT!r}, 30, 20, 60, 40)
        result["soft"] = pixels(labels, "R'G'B'A u8")
        after("clean", "clean-labels")
        after("clean again", "clean-labels")
        after("snapped", "snap-to-edges", **{{"class": "water"}})
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 90, 140, 60, 60)
        after("snapped inside", "snap-to-edges", **{{"class": "water"}})
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 0, 40, 20)
        after("not snapped", "snap-to-edges", **{{"class": "water"}})

        ours("import-labels", image, file=file)
        photo_seen = pixels(image.get_layers()[-1], "CIE Lab float")
        plain, _ = ours("colorize", image)
        def seen():
            labels.set_visible(False)
            found = visible(image, "CIE Lab float")
            labels.set_visible(True)
            return found
        result["plain"] = seen()
        ours("choose-color", image, color="#c04040", x=115, y=165)  # the pond
        ours("choose-color", image, color="#4040c0", colorize=False)  # the sky, which is selected
        ours("colorize", image)
        result["chosen"] = seen()
        ours("export-color-notes", image, file={str(gimp.folder / "colours.txt")!r})
        save(image, {str(gimp.folder / "chosen.xcf")!r})
        again = load({str(gimp.folder / "chosen.xcf")!r})
        ours("colorize", again)
        again.get_layers()[0].set_visible(False)
        result["chosen and loaded"] = visible(again, "CIE Lab float")
        again.delete()
        ours("automatic-color", image, x=105, y=170)
        result["one taken back"] = seen()
        ours("import-color-notes", image, file={str(gimp.folder / "colours.txt")!r})
        result["imported notes"] = seen()
        image.remove_layer(plain)
        result["structure at the end"] = structure(image)
        status = call_for_all("plug-in-semcolor-worker-status")
        result["status"] = status
        result["check"] = call_for_all("plug-in-semcolor-check")
    """)


def test_locked_classes_keep_their_pixels(edited: dict, drawn: LabelMap) -> None:
    expected = drawn.copy()
    part = expected[140:180, 90:130]
    part[part != WATER] = TREE
    assert (edited["locked labels"] == to_rgba(expected)).all()
    assert edited["locked"] == [int((part == TREE).sum())]
    assert (edited["all locked labels"] == to_rgba(drawn)).all()
    assert edited["all locked"] == [0]
    assert "“water” is locked" in edited["locked region"]


def test_import_makes_the_label_layer(edited: dict, drawn: LabelMap) -> None:
    assert (edited["imported"] == to_rgba(drawn)).all()
    assert edited["imported ambiguous"] == 0
    assert edited["structure"]["layers"][0]["opacity"] == 50
    assert edited["structure"]["selected layers"] == ["Labels"]


@pytest.mark.parametrize(
    ("name", "place", "class_id"),
    [
        ("selection", (slice(30, 50), slice(200, 240)), GRASS),
        ("cleared", (slice(30, 50), slice(200, 240)), 0),
        ("foreground", (slice(30, 50), slice(200, 240)), WATER),
        ("corner", (slice(236, None), slice(310, None)), SKY),
        ("region", (slice(150, 190), slice(100, 180)), GRASS),
        ("rough", (slice(150, 190), slice(100, 180)), GRASS),
        ("middle", (slice(0, 120), slice(20, None)), GRASS),
        ("nothing", (slice(None), slice(0, 20)), 0),
    ],
)
def test_edit_fills_what_is_meant_and_counts_it(
    edited: dict, drawn: LabelMap, name: str, place: tuple[slice, slice], class_id: int
) -> None:
    expected = drawn.copy()
    expected[place] = class_id
    assert (without_hidden(edited[f"{name} labels"]) == to_rgba(expected)).all()
    assert edited[name] == [expected[place].size]


def test_clean_labels_counts_what_it_cleans(edited: dict) -> None:
    ids, ambiguous = from_rgba(edited["soft"])
    assert edited["clean"] == [np.count_nonzero(ambiguous)]
    assert np.count_nonzero(ambiguous) > 1000
    assert (edited["clean labels"] == to_rgba(ids)).all()
    assert edited["clean again"] == [0]


def test_snap_to_edges_counts_what_it_changes(edited: dict, drawn: LabelMap) -> None:
    changed = (edited["snapped labels"] != to_rgba(drawn)).any(axis=2)
    assert edited["snapped"] == [np.count_nonzero(changed)]
    assert changed.any()
    assert edited["not snapped"] == [0]  # there is no water in the selection
    assert (edited["not snapped labels"] == to_rgba(drawn)).all()


def test_snap_to_edges_stays_inside_the_selection(edited: dict, drawn: LabelMap) -> None:
    """The selection itself, an ellipse, not its bounds."""
    changed = (edited["snapped inside labels"] != to_rgba(drawn)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert len(rows)
    assert np.hypot(rows - 169.5, columns - 119.5).max() < 31
    outside = np.hypot(*np.ogrid[-169.5:76.5, -119.5:200.5]) > 31
    would_change = (edited["snapped labels"] != to_rgba(drawn)).any(axis=2)
    assert would_change[140:200, 90:150][outside[140:200, 90:150]].any()


def test_chosen_colours_stay_with_their_objects(edited: dict, drawn: LabelMap) -> None:
    """Through saving and loading, and as notes; until they are taken back."""
    plain, pond, sky = edited["plain"], drawn == WATER, drawn == SKY
    for name in ("chosen", "chosen and loaded", "imported notes"):
        a, b = edited[name][..., 1], edited[name][..., 2]
        assert a[pond].mean() > 20, name
        assert b[sky].mean() < -10, name
        other = ~pond & ~sky & ~_near(pond | sky)
        assert np.abs(edited[name] - plain)[other].max() < 3, name
    back = edited["one taken back"]
    assert np.abs(back - plain)[pond & ~_near(sky)].mean() < 1
    assert back[..., 2][sky].mean() < -10


def test_colour_notes_are_a_file_for_the_next_photo(edited: dict, gimp: Gimp) -> None:
    text = (gimp.folder / "colours.txt").read_text()
    assert text == "water: #c04040\nsky: #4040c0\n"
    assert edited  # which has written it


def test_notes_sleep_while_the_photo_has_another_shape(
    gimp: Gimp, photo_file: Path, drawn: LabelMap
) -> None:
    """And are not lost when others are made meanwhile."""
    write_label_map(gimp.folder / "drawn.png", drawn)
    result = gimp.run(f"""
        def noted(name):
            ours("export-color-notes", image, file={str(gimp.folder / "notes.txt")!r})
            result[name] = open({str(gimp.folder / "notes.txt")!r}).read()

        image = load_gray({gimp.path(photo_file)!r}, 8)
        ours("import-labels", image, file={str(gimp.folder / "drawn.png")!r})
        ours("choose-color", image, color="#c04040", x=115, y=165, colorize=False)  # the pond
        image.scale(640, 492)
        noted("scaled")
        image.scale(320, 246)
        image.crop(200, 200, 60, 30)
        result["cropped"] = failure(noted, "cropped")
        ours("choose-color", image, color="#4040c0", x=50, y=20, colorize=False)  # the sky
        noted("with another")
        image.get_layers()[-1].resize(320, 246, 60, 30)
        noted("whole again")
    """)
    assert result["scaled"] == "water: #c04040\n"
    assert "No object of this photo" in result["cropped"]
    assert result["with another"] == "sky: #4040c0\n"
    assert result["whole again"] == "water: #c04040\n"


def _near(part: np.ndarray, pixels: int = 12) -> np.ndarray:
    near = part.copy()
    for axis in (0, 1):
        near = np.logical_or.reduce([np.roll(near, by, axis) for by in range(-pixels, pixels + 1)])
    return near & ~part


def test_edits_leave_everything_else_alone(edited: dict) -> None:
    assert edited["structure"]["mode"] == edited["structure at the end"]["mode"]
    before, after = edited["structure"], edited["structure at the end"]
    assert after["layers"] == before["layers"]
    assert after["selected layers"] == before["selected layers"]
    assert after["foreground"] == hexed(WATER)


def test_worker_status_has_state_and_sentence(edited: dict) -> None:
    state, sentence = edited["status"]
    assert state in ("loading", "ready")  # it has just snapped
    assert sentence.startswith("The worker is")


def test_check_finds_all_in_order_and_names_nobody(edited: dict, gimp: Gimp) -> None:
    report, problems = edited["check"]
    # The bridge runs outside of the root, where no Python has GIMP's library.
    (problem,) = (line for line in report.splitlines() if not line.startswith(("ok ", "  ")))
    assert problems == 1
    assert problem.endswith("can't run GIMP's plug-ins any more")
    assert "a small picture was coloured" in report
    assert str(gimp.folder) not in report


@pytest.mark.usefixtures("suggesting_model")
def test_suggested_colours_come_with_their_shares(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        add_labels(image)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 100, 60, 50)
        result["colors"], result["shares"] = ours("suggest-colors", image)
        ours("choose-color", image, color=result["colors"][0])
    """)
    assert len(result["colors"]) == len(result["shares"]) == 2
    assert all(len(color) == 7 and color[0] == "#" for color in result["colors"])
    assert 1 > result["shares"][0] > result["shares"][1] > 0


@pytest.fixture
def shortcut(gimp: Gimp) -> Iterator[str]:
    """A key that the user has given to Label Selection."""
    file = gimp.profile / "shortcutsrc"
    action, before = "plug-in-semcolor-label-selection", file.read_text()
    file.write_text(f'(file-version 1)\n(action "{action}" "<Primary><Alt>j")\n')
    yield "ctrl+alt+j"
    file.write_text(before)  # other tests have keys too


def test_each_is_one_undo_step_and_asks_no_more_than_it_must(
    gimp: Gimp, photo_file: Path, drawn: LabelMap, shortcut: str
) -> None:
    """A user's calls: by menu or key, with the foreground colour's class."""
    write_label_map(gimp.folder / "drawn.png", drawn)
    write_label_map(gimp.folder / "other size.png", drawn[:100])
    result = gimp.run_in_window(f"""
        def state():
            seen = structure(image)
            return seen, [content(layer) for layer in image.get_layers()]

        def undone(name, action):
            before = state()
            action()
            wait(lambda: state() != before)
            result[name] = pixels(image.get_layers()[-2], "R'G'B'A u8")
            press("ctrl+z", lambda: state()[1] == before[1])
            assert state() == before, name

        def user(name, **properties):
            ours(name, image, run_mode=Gimp.RunMode.INTERACTIVE, **properties)

        image = load_gray({gimp.path(photo_file)!r}, 8)
        save(image, {str(gimp.folder / "a photo.png")!r})
        image.delete()
        image = load({str(gimp.folder / "a photo.png")!r})
        # Only File ▸ Open makes GIMP 3.0 remember where an image comes from.
        image.set_file(Gio.File.new_for_path({str(gimp.folder / "a photo.xcf")!r}))
        show(image)
        file = {str(gimp.folder / "drawn.png")!r}
        undone("import", lambda: ours("import-labels", image, file=file))
        labels, _ = ours("import-labels", image, file=file)
        paint(labels, {SOFT!r}, 30, 20, 60, 40)
        undone("import again", lambda: ours("import-labels", image, file=file))
        undone("clean", lambda: user("clean-labels"))
        ours("import-labels", image, file=file)

        Gimp.context_set_foreground(Gegl.Color.new({hexed(WATER)!r}))
        undone("snap", lambda: user("snap-to-edges"))
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 30, 40, 20)
        undone("selection", lambda: user("label-selection", **{{"class": "grass"}}))
        undone("fill", lambda: user("fill-region", x=1, y=1))
        activate_image()
        undone("key", lambda: press({shortcut!r}, lambda: True))
        undone("color", lambda: user("choose-color", color="#ffffff"))

        # What is refused is no undo step.
        before = content(labels)
        user("label-selection")
        wrong = {str(gimp.folder / "other size.png")!r}
        result["refused"] = failure(ours, "import-labels", image, file=wrong)
        activate_image()  # GIMP 3.0 shows the sentence in a window
        press("ctrl+z", lambda: content(labels) == before)

        confirm("^Export Labels")
        user("export-labels")
        user("label-selection")
        confirm("^Import Labels")
        user("import-labels")
        result["read"] = pixels(labels, "R'G'B'A u8")
    """)
    for name in ("import", "import again"):
        assert (result[name] == to_rgba(drawn)).all()
    for name in ("selection", "key"):
        assert (result[name][30:50, 200:240] == to_rgba(np.uint8([[WATER]]))).all()
    assert (result["fill"][:120, 20:] == to_rgba(np.uint8([[WATER]]))).all()
    red, _, blue = result["color"][30:50, 200:240, :3].reshape(-1, 3).mean(axis=0)
    assert red > blue + 40  # water's colour in the palette
    assert "They must be the same" in result["refused"]
    assert (read_label_map(gimp.folder / "a photo-labels.png") == drawn).all()
    assert (result["read"] == to_rgba(drawn)).all()
