"""Channels besides the colours: alpha, a scanner's infrared, selections that were saved."""

import subprocess
import sys

import numpy as np
import pytest
import pyvips

from semcolor.photos.photo_files import channels_left_out, read_photo, write_photo
from semcolor.photos.tiff_extras import read_extra_samples

from .tiffs import write_tiff


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kinds", [(), (0,), (2,), (0, 0), (0, 2), (2, 0), (0, 0, 0)])
def test_channels_travel_through_untouched(tmp_path, order, dtype, colours, kinds):
    """And what they are is said; the gray is that of the colours alone."""
    rng, top = np.random.default_rng(0), np.iinfo(dtype).max
    pixels = rng.integers(0, top, (40, 50, colours + len(kinds)), endpoint=True).astype(dtype)
    pixels[..., 1:colours] = pixels[..., :1]  # a gray photo, in three channels too
    write_tiff(tmp_path / "photo.tif", pixels, kinds, order)
    photo = read_photo(tmp_path / "photo.tif")
    assert (photo.gray == pixels[..., 0]).all()
    rgb = rng.integers(0, top, (40, 50, 3)).astype(dtype)
    for suffix, kept in (("tif", len(kinds)), ("png", 2 in kinds)):
        out = tmp_path / f"out.{suffix}"
        write_photo(out, rgb, photo)
        back = pyvips.Image.new_from_file(str(out)).numpy()
        assert back.dtype == dtype
        assert (back[..., :3] == rgb).all()
        assert back.shape[2] == 3 + kept
        assert channels_left_out(out, photo) == len(kinds) - kept
    back = pyvips.Image.new_from_file(str(tmp_path / "out.tif")).numpy()
    assert (back[..., 3:] == pixels[..., colours:]).all()
    assert read_extra_samples(tmp_path / "out.tif") == kinds


def test_the_user_is_told_what_a_png_has_no_room_for(worker, tmp_path):
    write_tiff(tmp_path / "photo.tif", np.full((40, 50, 3), 99, np.uint8), (0, 2))
    out = tmp_path / "out.png"
    command = [sys.executable, "-m", "semcolor.cli", "colorize", tmp_path / "photo.tif", "-o", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "no room for 1 of the photo's channels" in done.stderr


def test_sixteen_bits_of_cmyk_stay_sixteen(tmp_path):
    ramp = np.linspace(0, 65535, 60 * 80).reshape(60, 80).astype(np.uint16)
    pixels = np.dstack([np.zeros((60, 80, 3), np.uint16), ramp])
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="cmyk")
    image.write_to_file(str(tmp_path / "photo.tif"))
    photo = read_photo(tmp_path / "photo.tif")
    assert photo.depth == 16
    assert len(np.unique(photo.gray)) > 1000
    assert photo.gray[0, 0] > photo.gray[-1, -1]


@pytest.mark.parametrize("damage", [slice(0, 40), slice(128, 600)])
def test_a_damaged_profile_stops_nothing(tmp_path, damage):
    profile = bytearray(pyvips.Image.profile_load("srgb"))
    profile[damage] = bytes(len(profile[damage]))
    gray = np.tile(np.arange(256, dtype=np.uint8), (40, 1))
    image = pyvips.Image.new_from_array(np.dstack([gray] * 3)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", bytes(profile))
    image.write_to_file(str(tmp_path / "photo.tif"))
    photo = read_photo(tmp_path / "photo.tif")
    assert np.abs(photo.gray.astype(int) - gray).max() <= 1
    write_photo(tmp_path / "out.tif", np.dstack([gray] * 3), photo)
    back = pyvips.Image.new_from_file(str(tmp_path / "out.tif"))
    assert (back.numpy() == np.dstack([gray] * 3)).all()
    back.icc_import(embedded=True)  # the profile that it has is one
