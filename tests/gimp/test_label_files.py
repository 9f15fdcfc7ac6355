"""Label maps as files: written and read in GIMP as by the command line."""

from pathlib import Path

import numpy as np
import pytest

from semcolor.cli import main as cli
from semcolor.photos.label_colors import from_rgba, to_rgba
from semcolor.photos.label_files import read_label_map, write_label_map
from semcolor.photos.pixels import LabelMap

from .drawing import SOFT, WATER, hexed
from .harness import Gimp


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
