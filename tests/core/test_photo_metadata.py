"""What a photo file says besides its pixels: the curve of its gray values, and its resolution."""

import struct

import numpy as np
import pytest
import pyvips
from PIL import Image
from PIL.ExifTags import Base

from semcolor.photos import photo_files
from semcolor.photos.gray_profiles import luminance_of_gray

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
    expected = lightness((ramp / top) ** (round(gamma * 256) / 256))
    assert np.abs(seen - expected).max() < (0.25 if dtype == np.uint8 else 0.01)

    out = tmp_path / f"out.{suffix}"
    photo_files.write_photo(out, np.repeat(photo.gray[..., None], 3, axis=2), photo)
    written = pyvips.Image.new_from_file(str(out))
    assert written.get("icc-profile-data")[16:20] == b"RGB "
    shown = written.icc_import(embedded=True, intent="relative", pcs="lab")[0].numpy()
    assert np.abs(shown - expected)[:, 32:].max() < 1


def with_curve(tag):
    """A gray profile whose curve is this tag, instead of the last one of `gray_profile`."""
    power = struct.pack(">4s4xIH", b"curv", 1, 256)
    profile = bytearray(gray_profile(1.0))
    at = profile.rindex(power)
    size_at = profile.index(b"kTRC") + 8
    struct.pack_into(">I", profile, size_at, len(tag))
    return bytes(profile[:at] + tag)


def parametric(kind, *numbers):
    return struct.pack(
        f">4s4xHH{len(numbers)}i", b"para", kind, 0, *(round(65536 * n) for n in numbers)
    )


SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (struct.pack(">4s4xI", b"curv", 0), lambda x: x),
        (
            struct.pack(">4s4xI3H", b"curv", 3, 0, 6554, 65535),
            lambda x: np.interp(x, (0, 0.5, 1), (0, 0.1, 1)),
        ),
        (parametric(0, 1.8), lambda x: x**1.8),
        (parametric(1, 2.0, 1.25, -0.25), lambda x: np.clip(1.25 * x - 0.25, 0, None) ** 2),
        (parametric(2, 2.0, 1.0, -0.2, 0.3), lambda x: np.clip(x - 0.2, 0, None) ** 2 + 0.3),
        (parametric(3, *SRGB), lambda x: luminance_of_srgb((x * 65535).round().astype(np.uint16))),
        (
            parametric(4, *SRGB, 0.0, 0.0),
            lambda x: luminance_of_srgb((x * 65535).round().astype(np.uint16)),
        ),
    ],
)
def test_every_kind_of_curve(tag, expected):
    curve = luminance_of_gray(with_curve(tag), 65536)
    assert curve == pytest.approx(expected(np.arange(65536) / 65535), abs=1e-3)


@pytest.mark.parametrize("tag", [b"mft2", b"curv\0\0\0\0\0\0\1\0", parametric(4, 1.0), b"para"])
def test_a_damaged_curve_is_none(tag):
    assert luminance_of_gray(with_curve(tag), 256) is None


@pytest.mark.parametrize(
    ("dtype", "suffix"),
    [(np.uint8, "tif"), (np.uint8, "png"), (np.uint8, "jpg"), (np.uint16, "tif")],
)
def test_a_gray_photo_with_a_profile_of_colours_is_read_by_it(tmp_path, dtype, suffix):
    linear = bytearray(pyvips.Image.profile_load("srgb"))
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        (at,) = struct.unpack_from(">I", linear, linear.index(name) + 4)
        linear[at : at + 12] = struct.pack(">4s4xI", b"curv", 0)
    top = np.iinfo(dtype).max
    ramp = np.linspace(0, top, 16).astype(dtype)[None].repeat(4, axis=0)
    ramp = np.repeat(np.repeat(ramp, 8, axis=0), 8, axis=1)  # in the squares of JPEG
    Image.fromarray(ramp).save(tmp_path / f"scan.{suffix}", icc_profile=bytes(linear), quality=100)
    photo = photo_files.read_photo(tmp_path / f"scan.{suffix}")
    seen = lightness(luminance_of_srgb(photo.gray))
    assert np.abs(seen - lightness(ramp / top)).max() < 0.5
    rgb = np.repeat(photo.gray[..., None], 3, axis=2)
    photo_files.write_photo(tmp_path / f"out.{suffix}", rgb, photo)
    written = pyvips.Image.new_from_file(str(tmp_path / f"out.{suffix}"))
    shown = written.icc_import(embedded=True, intent="relative", pcs="lab")[0].numpy()
    assert np.abs(shown - seen).max() < 3  # 8 bits are coarse in the shadows of a linear profile


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
