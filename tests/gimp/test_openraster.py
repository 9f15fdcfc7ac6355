"""OpenRaster files, as `semcolor batch` writes them, opened by GIMP."""

from pathlib import Path

import numpy as np
import pytest
import pyvips

from semcolor.photos.label_colors import to_rgba
from semcolor.photos.photo_files import read_photo, write_photo

from .harness import Gimp


@pytest.mark.parametrize("deep", [False, True])
def test_gimp_opens_photo_colours_and_labels(gimp: Gimp, tmp_path: Path, deep: bool) -> None:
    chance, dtype = np.random.default_rng(5), np.dtype(np.uint16 if deep else np.uint8)
    gray = chance.integers(0, np.iinfo(dtype).max, (40, 60)).astype(dtype)
    rgb = chance.integers(0, np.iinfo(dtype).max, (40, 60, 3)).astype(dtype)
    labels = chance.integers(0, 60, (40, 60)).astype(np.uint8)
    pyvips.Image.new_from_array(gray).write_to_file(str(gimp.folder / "photo.tif"))
    file = gimp.folder / "photo.ora"
    write_photo(file, rgb, read_photo(gimp.folder / "photo.tif"), labels)
    result = gimp.run(f"""
file = Gio.File.new_for_path({gimp.path(file)!r})
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
layers = image.get_layers()
result["layers"] = [(layer.get_name(), layer.get_visible()) for layer in layers]
for layer in layers:
    result[layer.get_name()] = pixels(layer, "R'G'B'A u8")
""")
    assert result["layers"] == [["Labels", False], ["Colorized", True], ["Photo", True]]
    assert (result["Labels"] == to_rgba(labels)).all()
    scale = 257 if deep else 1
    assert np.abs(result["Colorized"][..., :3] - rgb / scale).max() <= 1
    assert np.abs(result["Photo"][..., :3] - gray[..., None] / scale).max() <= 1
