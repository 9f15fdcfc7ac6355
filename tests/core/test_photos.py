import numpy as np
import pytest
import pyvips
from PIL import Image

from semcolor.photos import photo_files
from semcolor.shared.errors import Code, SemcolorError


def ramp(dtype) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.linspace(0, top, 64 * 48).reshape(48, 64).astype(dtype)


def write(path, pixels, **metadata):
    kind = {1: "b-w", 2: "grey16"}[pixels.itemsize] if pixels.ndim == 2 else (
        {1: "srgb", 2: "rgb16"}[pixels.itemsize]
    )  # fmt: skip
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=kind)
    for name, value in metadata.items():
        gtype = pyvips.GValue.blob_type if isinstance(value, bytes) else pyvips.GValue.gint_type
        image.set_type(gtype, name.replace("_", "-"), value)
    image.write_to_file(str(path))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_survives_exactly(tmp_path, dtype, suffix, channels):
    gray = ramp(dtype)
    path = tmp_path / f"photo.{suffix}"
    write(path, gray if channels == 1 else np.repeat(gray[..., None], 3, axis=2))
    photo = photo_files.read_photo(path)
    assert photo.gray.dtype == dtype
    assert (photo.gray == gray).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depth_out_is_depth_in(tmp_path, dtype):
    write(tmp_path / "photo.tif", ramp(dtype))
    photo = photo_files.read_photo(tmp_path / "photo.tif")
    colours = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (48, 64, 3)).astype(dtype)
    for name in ("out.png", "out.tif"):
        photo_files.write_photo(tmp_path / name, colours, photo)
        back = pyvips.Image.new_from_file(str(tmp_path / name)).numpy()
        assert back.dtype == dtype
        assert (back == colours).all()


def test_exif_orientation_is_applied_once(tmp_path):
    image = Image.fromarray(ramp(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    exif[0x010E] = "a description"
    image.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    photo = photo_files.read_photo(tmp_path / "photo.jpg")
    assert photo.gray.shape == (64, 48)
    assert photo.gray[0, -1] < 10  # what was top left
    photo_files.write_photo(
        tmp_path / "out.jpg", np.repeat(photo.gray[..., None], 3, axis=2), photo
    )
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.size == (48, 64)
        assert out.getexif().get(0x0112, 1) == 1
        assert out.getexif()[0x010E] == "a description"


def test_photo_keeps_its_rgb_profile_and_its_look(tmp_path):
    wide = pyvips.Image.profile_load("p3")
    pixels = np.repeat(ramp(np.uint16)[..., None], 3, axis=2)
    write(tmp_path / "photo.tif", pixels, icc_profile_data=wide)
    photo = photo_files.read_photo(tmp_path / "photo.tif")
    colours = pixels.copy()
    colours[..., 2] //= 2
    photo_files.write_photo(tmp_path / "out.tif", colours, photo)
    out = pyvips.Image.new_from_file(str(tmp_path / "out.tif"))
    assert out.get("icc-profile-data") == wide
    seen = out.icc_transform("srgb", embedded=True, intent="relative", depth=16).numpy()
    assert np.abs(seen.astype(int) - colours).max() < 700  # 1% of 16 bits


def test_gray_profile_decides_the_lightness(tmp_path):
    """A scan with linear gray values looks lighter than the same numbers in the sRGB curve."""
    linear = bytearray(pyvips.Image.profile_load("srgb"))
    write(tmp_path / "plain.tif", np.full((4, 4, 3), 64, np.uint8))
    write(tmp_path / "p3.tif", np.full((4, 4, 3), 64, np.uint8), icc_profile_data=bytes(linear))
    plain = photo_files.read_photo(tmp_path / "plain.tif").gray
    tagged = photo_files.read_photo(tmp_path / "p3.tif").gray
    assert np.abs(plain.astype(int) - tagged).max() <= 1


def test_alpha_is_kept(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (20, 30, 4)).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    photo = photo_files.read_photo(tmp_path / "photo.png")
    photo_files.write_photo(tmp_path / "out.png", rgba[..., :3].copy(), photo)
    with Image.open(tmp_path / "out.png") as out:
        assert (np.asarray(out) == rgba).all()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.png", None, Code.NO_FILE),
        ("text.png", b"not a picture", Code.NOT_A_PHOTO),
        ("empty.jpg", b"", Code.NOT_A_PHOTO),
    ],
)
def test_what_is_no_photo_is_refused(tmp_path, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SemcolorError) as caught:
        photo_files.read_photo(tmp_path / name)
    assert caught.value.code == code


def test_truncated_photo_is_refused(tmp_path, sample):
    whole = sample.read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SemcolorError) as caught:
        photo_files.read_photo(tmp_path / "cut.jpg")
    assert caught.value.code == Code.NOT_A_PHOTO


def test_sixteen_bits_are_not_squeezed_into_jpeg(tmp_path):
    with pytest.raises(SemcolorError, match=r"\.png or \.tif"):
        photo_files.check_output(
            tmp_path / "out.jpg", photo_files.Photo(np.zeros((1, 1), np.uint16), None)
        )


def test_float_samples_are_refused(tmp_path):
    pyvips.Image.new_from_array(ramp(np.uint8).astype(np.float32)).write_to_file(
        str(tmp_path / "photo.tif")
    )
    with pytest.raises(SemcolorError, match=r"photo\.tif has float samples") as caught:
        photo_files.read_photo(tmp_path / "photo.tif")
    assert caught.value.code == Code.SAMPLE_FORMAT


@pytest.mark.posix
def test_a_photo_that_cannot_be_written_leaves_nothing(tmp_path):
    write(tmp_path / "photo.png", ramp(np.uint8))
    photo = photo_files.read_photo(tmp_path / "photo.png")
    (tmp_path / "out.png").mkdir()
    rgb = np.repeat(photo.gray[..., None], 3, axis=2)
    with pytest.raises(SemcolorError, match=r"out\.png cannot be written \(Is a dir") as caught:
        photo_files.write_photo(tmp_path / "out.png", rgb, photo)
    assert caught.value.code == Code.CANNOT_WRITE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "photo.png"]
