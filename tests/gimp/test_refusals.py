"""What procedures refuse: in a sentence, and nothing is changed."""

from pathlib import Path

import numpy as np
import pytest

from semcolor.photos.label_files import encode_label_map, write_label_map
from semcolor.photos.pixels import LabelMap

from .drawing import SIZE, SOFT
from .harness import Gimp


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
        refuse("nothing to colour", "choose-color", image, color="#102030")
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
        refuse("no notes", "export-color-notes", image, file=folder + "new.txt")
        refuse("no colour notes", "import-color-notes", image, file=folder + "old.png")
        refuse("panel", "panel", image)
        copy = labels.copy()
        image.insert_layer(copy, None, 0)
        refuse("copy", "clean-labels", image, copy)
        image.remove_layer(copy)
        other = load_gray({gimp.path(photo_file)!r}, 8)
        for name in ("colorize", "label-selection", "choose-color", "import-labels"):
            refuse("foreign " + name, name, image, other.get_layers()[0])
        labels.set_offsets(50, 0)
        refuse("region elsewhere", "fill-region", image, **{{"class": "sky"}})
        refuse("no object", "choose-color", image, color="#102030", x=0, y=0)
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
        ("nothing to colour", "has no label layer yet"),
        ("another size, no labels", "has 320 × 100 pixels, the photo 320 × 246"),
        ("other size", "“other size.png” has 320 × 100 pixels, the photo 320 × 246"),
        ("other classes", "has the value 60"),
        ("damaged", "“damaged.png” cannot be read as a picture"),
        ("nonsense", "cannot be read as a picture"),
        ("huge", "is too large (64 MiB"),
        ("missing", "There is no file “"),
        ("folder", "is not a file"),
        ("a photo", "pixels, the photo"),
        ("no file", "argument “file”"),
        ("no file to export", "argument “file”"),
        ("jpeg", "End the file's name in .png"),
        ("no folder", "cannot be written"),
        ("unknown class", "no class “skye”. The palette “Semantic Color"),
        ("nothing selected", "Select an area"),
        ("nothing suggested", "Select an object"),
        ("nowhere", "Select a part of the region"),
        ("region elsewhere", "Select a part of the region"),
        ("outside", "no pixel (320, 0)"),
        ("no class", f"{SOFT}, is no class's"),
        ("no colour", "“red” is no colour: write it as #rrggbb"),
        ("panel", "needs a window"),
        ("copy", "“Labels copy” is a copy of “Labels”"),
        ("foreign colorize", "another image"),
        ("foreign label-selection", "another image"),
        ("foreign choose-color", "another image"),
        ("foreign import-labels", "another image"),
        ("selected elsewhere", "Select a part of the region"),
        ("no object", "There is no object"),
        ("no notes", "No object of this photo has a colour"),
        ("no colour notes", "Line 1 of “old.png” is no colour note"),
        ("snapped elsewhere", "Select an area of the photo"),
        ("locked label-selection", "Unlock"),
        ("locked snap-to-edges", "Unlock"),
        ("locked clean", "Unlock"),
        ("locked import", "Unlock"),
        ("disk full", "cannot be written"),
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
