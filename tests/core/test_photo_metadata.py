"""What a photo file says besides its pixels: the curve of its gray values, and its resolution."""

import struct

import numpy as np
import pytest
import pyvips
from PIL import Image
from PIL.ExifTags import Base

from semcolor.photos import photo_files

SUFFIXES = ("png", "tif", "jpg")
DOTS_PER_CM = (118.0, 59.0)


def gray_profile(gamma):
    """An ICC profile (version 2, as small as can be) of gray values to this power."""

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    white = (0.9642, 1.0, 0.8249)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"gray\0" + bytes(78),
        b"wtpt": xyz(*white),
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2),
    }
    body, table, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02100000,
                         b"mntr", b"GRAY", b"XYZ ")  # fmt: skip
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(*white)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def lightness(luminance):
    """L* of a luminance, 0..1."""
    cube_root = np.cbrt(luminance)
    f = np.where(luminance > (6 / 29) ** 3, cube_root, luminance * (29 / 6) ** 2 / 3 + 4 / 29)
    return 116 * f - 16


def luminance_of_srgb(gray):
    value = gray / np.iinfo(gray.dtype).max
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("gamma", [1.0, 1.8])
@pytest.mark.parametrize(
    ("dtype", "suffix"), [*((np.uint8, suffix) for suffix in SUFFIXES), (np.uint16, "tif")]
)
def test_a_gray_photos_profile_decides_its_lightness(tmp_path, dtype, suffix, gamma):
    """A scan with linear gray values looks lighter than the same numbers in the sRGB curve."""
    top = np.iinfo(dtype).max
    ramp = np.repeat(np.linspace(0, top, 16).astype(dtype), 16)[None].repeat(16, axis=0)
    image = pyvips.Image.new_from_array(ramp)
    image = image.copy(interpretation="b-w" if dtype == np.uint8 else "grey16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", gray_profile(gamma))
    image.write_to_file(str(tmp_path / f"scan.{suffix}"), **({"Q": 100} if suffix == "jpg" else {}))

    photo = photo_files.read_photo(tmp_path / f"scan.{suffix}")
    assert photo.gray.dtype == dtype
    seen = lightness(luminance_of_srgb(photo.gray))
    expected = lightness((ramp / top) ** gamma)
    # But for the darkest two: there a step of 8 bits is wide, and the profile's curve is coarse.
    assert np.abs(seen - expected)[:, 32:].max() < (0.25 if dtype == np.uint8 else 0.1)

    out = tmp_path / f"out.{suffix}"
    photo_files.write_photo(out, np.repeat(photo.gray[..., None], 3, axis=2), photo)
    written = pyvips.Image.new_from_file(str(out))
    assert written.get("icc-profile-data")[16:20] == b"RGB "
    shown = written.icc_import(embedded=True, intent="relative", pcs="lab")[0].numpy()
    assert np.abs(shown - expected)[:, 32:].max() < 1


def written_again(folder, suffix):
    """A gray photo in ``folder`` after it went through semcolor."""
    photo = photo_files.read_photo(folder / f"photo.{suffix}")
    rgb = np.repeat(photo.gray[..., None], 3, axis=2)
    photo_files.write_photo(folder / f"out.{suffix}", rgb, photo)
    return Image.open(folder / f"out.{suffix}")


def save_gray(path, **options):
    Image.fromarray(np.full((8, 8), 99, np.uint8)).save(path, **options)


def exif_resolution(image):
    """Across, down, and the unit: 2 is inches, 3 centimetres."""
    tags = image.getexif()
    x, y, unit = (tags[tag] for tag in (Base.XResolution, Base.YResolution, Base.ResolutionUnit))
    return float(x), float(y), unit


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_photo_keeps_its_resolution(tmp_path, suffix):
    save_gray(tmp_path / f"photo.{suffix}", dpi=(300, 150))
    with written_again(tmp_path, suffix) as out:
        assert out.info["dpi"] == pytest.approx((300, 150), abs=0.1)


def test_a_jpeg_keeps_its_resolution(tmp_path):
    save_gray(tmp_path / "photo.jpg", dpi=(300, 150))
    with written_again(tmp_path, "jpg") as out:
        assert exif_resolution(out) == pytest.approx((300, 150, 2))


def test_a_tiff_keeps_its_unit_of_resolution(tmp_path):
    across, down = DOTS_PER_CM
    save_gray(tmp_path / "photo.tif", resolution_unit="cm", x_resolution=across, y_resolution=down)
    with written_again(tmp_path, "tif") as out:
        assert exif_resolution(out) == pytest.approx((across, down, 3), rel=1e-3)


def test_a_jpeg_keeps_its_unit_of_resolution(tmp_path):
    save_gray(tmp_path / "photo.jpg", dpi=(300, 150))
    whole = bytearray((tmp_path / "photo.jpg").read_bytes())
    at = whole.index(b"JFIF\0") + 7  # unit, then both densities
    whole[at : at + 5] = struct.pack(">BHH", 2, *map(int, DOTS_PER_CM))
    (tmp_path / "photo.jpg").write_bytes(whole)
    with written_again(tmp_path, "jpg") as out:
        assert exif_resolution(out) == pytest.approx((*DOTS_PER_CM, 3), rel=1e-3)
