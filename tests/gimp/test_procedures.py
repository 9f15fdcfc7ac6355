"""Every procedure, called as a script does and as a menu entry does, and label maps as files."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcolor.cli import main as cli
from semcolor.photos.label_colors import from_rgba, to_rgba
from semcolor.photos.label_files import encode_label_map, read_label_map, write_label_map
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes

from .harness import CHECKOUT, Gimp

CLASSES = {entry.name: entry for entry in all_classes()}
SKY, GRASS, WATER = (CLASSES[name].id for name in ("sky", "grass", "water"))
SIZE = (246, 320)  # of the photo in these tests: height, width
_SCRIPTS = CHECKOUT / "docs" / "gimp-scripts.md"
SOFT = "#123456"  # no class's colour


def hexed(class_id: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*all_classes()[class_id].rgb)


def without_hidden(rgba: np.ndarray) -> np.ndarray:
    """The same pixels, black where they are transparent: GIMP keeps what was there."""
    return np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)


@pytest.fixture(scope="module")
def drawn() -> LabelMap:
    """Sky above grass, with a pond, and nothing at the left."""
    ids = np.full(SIZE, SKY, np.uint8)
    ids[120:] = GRASS
    ids[150:190, 100:180] = WATER
    ids[:, :20] = 0
    return ids


@pytest.fixture
def here(gimp: Gimp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line uses the worker of this GIMP."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, gimp.environment[name])


# --- Edits of the label layer ------------------------------------------------------------------


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
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 0, 40, 20)
        after("not snapped", "snap-to-edges", **{{"class": "water"}})

        layer, = ours("choose-color", image, color="#c04040")
        result["chosen"] = pixels(layer, "R'G'B'A u8")
        result["structure at the end"] = structure(image)
        status = call_for_all("plug-in-semcolor-worker-status")
        result["status"] = status
    """)


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


def test_chosen_colour_lies_in_the_selection_alone(edited: dict) -> None:
    expected = np.zeros((*SIZE, 4), np.uint8)
    expected[:20, 200:240] = (0xC0, 0x40, 0x40, 255)
    assert (without_hidden(edited["chosen"]) == expected).all()


def test_edits_leave_everything_else_alone(edited: dict) -> None:
    assert edited["structure"]["mode"] == edited["structure at the end"]["mode"]
    before, after = edited["structure"], edited["structure at the end"]
    assert after["layers"].pop(1)["name"] == "Chosen Colours"
    assert after["layers"] == before["layers"]
    assert after["selected layers"] == before["selected layers"]
    assert after["foreground"] == hexed(WATER)


def test_worker_status_has_state_and_sentence(edited: dict) -> None:
    state, sentence = edited["status"]
    assert state in ("loading", "ready")  # it has just snapped
    assert sentence.startswith("The worker is")


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


# --- Files -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_label_files_are_those_of_the_command_line(
    gimp: Gimp, photo_file: Path, tmp_path: Path
) -> None:
    predicted, exported = gimp.folder / "predicted.png", gimp.folder / "exported.png"
    photo = gimp.folder / "photo.png"
    gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        save(image, {str(photo)!r})
    """)
    assert cli.main(["segment", str(photo), "-o", str(predicted)]) == 0
    result = gimp.run(f"""
        image = load({str(photo)!r})
        labels, _ = ours("import-labels", image, file={str(predicted)!r})
        result["again"] = ours("export-labels", image, file={str(exported)!r})
        files = [pathlib.Path(name) for name in ({str(predicted)!r}, {str(exported)!r})]
        result["same"] = files[0].read_bytes() == files[1].read_bytes()
        paint(labels, {SOFT!r}, 30, 20, 60, 40)
        paint(labels, {hexed(WATER)!r}, 130, 20, 60, 40)
        result["soft"] = ours("export-labels", image, file={str(exported)!r})
        result["labels"] = pixels(labels, "R'G'B'A u8")
        result["colorized"] = ours("colorize", image)[1]
    """)
    assert result["same"]
    assert result["again"] == [0]
    ids, ambiguous = from_rgba(result["labels"])
    assert (read_label_map(exported) == ids).all()
    assert result["soft"] == [np.count_nonzero(ambiguous)] == [result["colorized"]]
    output = tmp_path / "colour.png"
    assert cli.main(["colorize", str(photo), "--labels", str(exported), "-o", str(output)]) == 0


def test_import_replaces_the_label_layer_wherever_it_lies(
    gimp: Gimp, photo_file: Path, drawn: LabelMap
) -> None:
    """...and whatever is locked, selected or switched off; its name and opacity stay."""
    write_label_map(gimp.folder / "drawn.png", drawn)
    result = gimp.run(f"""
        image = load_gray({gimp.path(photo_file)!r}, 8)
        file = {str(gimp.folder / "drawn.png")!r}
        labels, _ = ours("import-labels", image, file=file)
        labels.set_name("Mine")
        labels.set_opacity(70)
        labels.set_lock_alpha(True)
        labels.scale(100, 50, False)
        labels.set_offsets(33, -7)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 10, 10)
        image.set_component_active(Gimp.ChannelType.RED, False)
        before = structure(image)
        again, _ = ours("import-labels", image, labels, file=file)
        result["same"] = again == labels
        result["labels"] = pixels(again, "R'G'B'A u8")
        result["structure"] = structure(image)
        result["kept"] = [
            before["selection"] == structure(image)["selection"], labels.get_lock_alpha()
        ]
    """)
    assert result["same"]
    assert (result["labels"] == to_rgba(drawn)).all()
    layer = result["structure"]["layers"][0]
    assert (layer["name"], layer["opacity"], layer["offsets"]) == ("Mine", 70, [0, 0])
    assert result["kept"] == [True, True]


# --- Refusals ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refused(gimp: Gimp, photo_file: Path, drawn: LabelMap) -> dict:
    """The sentences, by what was wrong."""
    folder = gimp.folder
    file = encode_label_map(drawn)
    (folder / "damaged.png").write_bytes(file[: len(file) // 2])
    (folder / "nonsense.png").write_bytes(b"no picture")
    write_label_map(folder / "other size.png", drawn[:100])
    write_label_map(folder / "other classes.png", np.full(SIZE, 60, np.uint8))
    with (folder / "huge.png").open("wb") as huge:
        huge.truncate(65 * 2**20)
    (folder / "old.png").write_bytes(b"old")
    return gimp.run(f"""
        folder = {str(folder)!r} + "/"
        image = load_gray({gimp.path(photo_file)!r}, 8)

        def refuse(name, *arguments, **properties):
            before = structure(image), [content(layer) for layer in image.get_layers()]
            result[name] = failure(ours, *arguments, **properties)
            after = structure(image), [content(layer) for layer in image.get_layers()]
            assert after == before, name

        refuse("no label layer", "clean-labels", image)
        refuse("nothing to export", "export-labels", image, file=folder + "new.png")
        refuse("nothing selected to colour", "choose-color", image, color="#102030")
        refuse("another size, no labels", "import-labels", image, file=folder + "other size.png")
        labels = add_labels(image)
        for name in ("other size", "other classes", "damaged", "nonsense", "huge", "missing"):
            refuse(name, "import-labels", image, file=folder + name + ".png")
        refuse("folder", "import-labels", image, file=folder)
        refuse("a photo", "import-labels", image, file={gimp.path(photo_file)!r})
        refuse("no file", "import-labels", image)
        refuse("no file to export", "export-labels", image)
        refuse("jpeg", "export-labels", image, file=folder + "labels.jpg")
        refuse("no folder", "export-labels", image, file=folder + "none/labels.png")
        refuse("unknown class", "label-selection", image, **{{"class": "skye"}})
        refuse("nothing selected", "label-selection", image, **{{"class": "sky"}})
        refuse("nothing suggested", "suggest-colors", image)
        refuse("nowhere", "fill-region", image, **{{"class": "sky"}})
        refuse("outside", "fill-region", image, x=320, y=0, **{{"class": "sky"}})
        Gimp.context_set_foreground(Gegl.Color.new({SOFT!r}))
        refuse("no class", "snap-to-edges", image)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 10, 10)
        refuse("no colour", "choose-color", image, color="red")
        refuse("panel", "panel", image)
        labels.set_offsets(50, 0)
        refuse("region elsewhere", "fill-region", image, **{{"class": "sky"}})
        labels.set_offsets(0, 0)
        photo = image.get_layers()[-1]
        photo.set_offsets(100, 0)
        refuse("selected elsewhere", "choose-color", image, color="#102030")
        refuse("snapped elsewhere", "snap-to-edges", image, **{{"class": "sky"}})
        photo.set_offsets(0, 0)
        labels.set_lock_content(True)
        for procedure in ("label-selection", "snap-to-edges"):
            refuse("locked " + procedure, procedure, image, **{{"class": "sky"}})
        refuse("locked clean", "clean-labels", image)
        refuse("locked import", "import-labels", image, file=folder + "damaged.png")

        # A file that gets too large for the disk leaves the old one as it was.
        import resource
        gimp = os.getppid()
        limits = resource.prlimit(gimp, resource.RLIMIT_FSIZE)
        resource.prlimit(gimp, resource.RLIMIT_FSIZE, (100, limits[1]))
        refuse("disk full", "export-labels", image, file=folder + "old.png")
        resource.prlimit(gimp, resource.RLIMIT_FSIZE, limits)
        result["old"] = open(folder + "old.png").read()
        result["left"] = [name for name in os.listdir(folder) if "goutput" in name]
        result["written"] = failure(ours, "export-labels", image, file=folder + "old.png")
        result["new"] = len(open(folder + "old.png", "rb").read())
    """)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no label layer", "Add Label Layer"),
        ("nothing to export", "Add Label Layer"),
        ("nothing selected to colour", "Select an area of the photo"),
        ("another size, no labels", "has 320 × 100 pixels, the photo 320 × 246"),
        ("other size", "“other size.png” has 320 × 100 pixels, the photo 320 × 246"),
        ("other classes", "has the value 60"),
        ("damaged", "“damaged.png” cannot be read as a picture"),
        ("nonsense", "cannot be read as a picture"),
        ("huge", "is too large for a label map"),
        ("missing", "There is no file “"),
        ("folder", "is not a file"),
        ("a photo", "pixels, the photo"),
        ("no file", "argument “file”"),
        ("no file to export", "argument “file”"),
        ("jpeg", "end the file's name in .png"),
        ("no folder", "can't be written"),
        ("unknown class", "no class “skye”. The palette “Semantic Color"),
        ("nothing selected", "Select an area"),
        ("nothing suggested", "Select an object"),
        ("nowhere", "Select a part of the region"),
        ("region elsewhere", "Select a part of the region"),
        ("outside", "no pixel (320, 0)"),
        ("no class", f"{SOFT}, is no class's"),
        ("no colour", "“red” is no colour: write it as #rrggbb"),
        ("panel", "needs a window"),
        ("selected elsewhere", "Select an area of the photo"),
        ("snapped elsewhere", "Select an area of the photo"),
        ("locked label-selection", "Unlock"),
        ("locked snap-to-edges", "Unlock"),
        ("locked clean", "Unlock"),
        ("locked import", "Unlock"),
        ("disk full", "can't be written"),
    ],
)
def test_refusal_is_a_sentence_and_changes_nothing(refused: dict, what: str, words: str) -> None:
    assert words in refused[what]
    assert "Traceback" not in refused[what]
    assert "made a mistake" not in refused[what]


def test_file_is_replaced_as_a_whole_or_not_at_all(refused: dict) -> None:
    assert refused["old"] == "old"
    assert refused["left"] == []
    assert refused["written"] is None
    assert refused["new"] > 100


# --- The documentation -------------------------------------------------------------------------

_KINDS = {  # what the documentation calls GIMP's types
    "gint": "int",
    "gchararray": "string",
    "GStrv": "strings",
    "GimpDoubleArray": "doubles",
    "GFile": "file",
    "GimpLayer": "layer",
    "GimpRunMode": "enum",
}


def test_documented_procedures_are_those_that_there_are(gimp: Gimp) -> None:
    result = gimp.run("""
        result["there"] = {
            name: [
                [[spec.name, spec.value_type.name, bool(spec.blurb)] for spec in specs]
                for specs in (procedure.get_arguments(), procedure.get_return_values())
            ]
            for name in Gimp.get_pdb().query_procedures("plug-in-semcolor-", *[""] * 7)
            for procedure in [Gimp.get_pdb().lookup_procedure(name)]
        }
    """)
    there = {}
    for name, (arguments, returns) in result["there"].items():
        if [argument[0] for argument in arguments[:3]] == ["run-mode", "image", "drawables"]:
            del arguments[:3]
        assert all(text for *_, text in arguments + returns), name
        short = name.removeprefix("plug-in-semcolor-")
        there[short] = tuple(
            [(value, _KINDS[kind]) for value, kind, _ in values] for values in (arguments, returns)
        )
    assert _documented() == there


def _documented() -> dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """Each procedure's arguments and return values with their types, from the table."""
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)\|(.*)\|$", _SCRIPTS.read_text("utf-8"), re.MULTILINE)
    value = re.compile(r"`([\w-]+)` \((\w+)\)")
    return {name: (value.findall(takes), value.findall(gives)) for name, takes, gives in rows}


def test_documented_example_colours_a_folder(gimp: Gimp, photo_file: Path) -> None:
    photos = gimp.folder / "photos"
    photos.mkdir()
    gray = Image.open(photo_file).convert("L").resize(SIZE[::-1])
    for name in ("one", "two"):
        gray.save(photos / f"{name}.jpg")
    (example,) = re.findall(r"```sh\n(.*?)```", _SCRIPTS.read_text("utf-8"), re.DOTALL)
    gimp.shell(example.replace("gimp-console-3.0", f"gimp-console-{gimp.version}"))
    result = gimp.run(f"""
        result["structure"] = structure(load({str(photos / "two.xcf")!r}))
    """)
    labels, colorized, _ = result["structure"]["layers"]
    assert (labels["name"], labels["visible"], colorized["lch color"]) == ("Labels", False, True)
    for name in ("one", "two"):
        assert read_label_map(photos / f"{name}-labels.png").shape == SIZE


# --- In a window -------------------------------------------------------------------------------


@pytest.fixture
def shortcut(gimp: Gimp) -> Iterator[str]:
    """A key that the user has given to Label Selection."""
    file = gimp.profile / "shortcutsrc"
    action = "plug-in-semcolor-label-selection"
    file.write_text(f'(file-version 1)\n(action "{action}" "<Primary><Alt>j")\n')
    yield "ctrl+alt+j"
    file.unlink(missing_ok=True)


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
    assert (result["color"][30:50, 200:240] == (*CLASSES["water"].rgb, 255)).all()
    assert "they must be the same" in result["refused"]
    assert (read_label_map(gimp.folder / "a photo-labels.png") == drawn).all()
    assert (result["read"] == to_rgba(drawn)).all()
