import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from semcolor.photos import label_colors, label_files
from semcolor.shared.classes import NUM_LABELS, all_classes, gimp_palette
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle


def test_every_class_survives_the_palette():
    ids = np.arange(NUM_LABELS, dtype=np.uint8)[None]
    back, certainty = label_colors.from_rgba(label_colors.to_rgba(ids))
    assert (back == ids).all()
    assert not certainty.any()


def test_palette_colours_are_far_apart():
    colours = label_colors.palette().astype(int)
    distances = np.abs(colours[:, None] - colours[None]).max(axis=2)
    assert distances[~np.eye(NUM_LABELS, dtype=bool)].min() >= 64


def test_soft_edge_becomes_a_class_that_is_beside_it():
    sky, grass = 50, 36
    colours = label_colors.palette().astype(float)
    ramp = np.linspace(0, 1, 12)[:, None]
    row = (colours[sky] * (1 - ramp) + colours[grass] * ramp).round().astype(np.uint8)
    rgba = np.concatenate([row, np.full((12, 1), 255, np.uint8)], axis=1)[None].repeat(5, axis=0)
    ids, certainty = label_colors.from_rgba(rgba)
    assert set(np.unique(ids)) == {sky, grass}
    assert ids[0, 0] == sky
    assert ids[0, -1] == grass
    assert np.count_nonzero(certainty == label_colors.AMBIGUOUS) == 5 * 10
    assert not certainty[:, [0, -1]].any()


CLASSES = st.integers(1, NUM_LABELS - 1)


def soft_edge(one: int, other: int, width: float, angle: float) -> np.ndarray:
    """48×48 RGBA: two classes, and between them a ramp of so many pixels."""
    y, x = np.mgrid[:48, :48] - 23.5
    ramp = np.clip((x * np.cos(angle) + y * np.sin(angle)) / width + 0.5, 0, 1)[..., None]
    colours = label_colors.palette().astype(float)
    rgb = colours[one] * (1 - ramp) + colours[other] * ramp
    return np.dstack([rgb.round(), np.full((48, 48), 255)]).astype(np.uint8)


@given(CLASSES, CLASSES, st.floats(2.5, 30), st.floats(0, 6.3))
def test_no_soft_edge_makes_a_third_class(one, other, width, angle):
    rgba = soft_edge(one, other, width, angle)
    distances = np.abs(rgba[..., None, :3].astype(int) - label_colors.palette()).max(axis=3)
    assume((distances.min(axis=2) > 1).any())  # a picture of classes' colours is read as it is
    ids, _ = label_colors.from_rgba(rgba)
    assert set(np.unique(ids)) <= {one, other}
    clear = (rgba[..., :3] == label_colors.palette()[one]).all(axis=2)
    assert (ids[clear] == one).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_colours_as_the_image_stores_them_are_exact(seed, height, width):
    random = np.random.default_rng(seed)
    stored = label_colors.palette().astype(int) + random.integers(-9, 10, (NUM_LABELS, 3))
    stored = stored.clip(0, 255).astype(np.uint8)
    ids = random.integers(0, NUM_LABELS, (height, width)).astype(np.uint8)
    rgba = np.dstack([stored[ids], np.full(ids.shape, 255, np.uint8)])
    back, certainty = label_colors.from_rgba(rgba, colors=stored)
    assert (back == ids).all()
    assert not certainty.any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_every_pixel_becomes_a_class_that_is_there(seed, height, width):
    random = np.random.default_rng(seed)
    rgba = label_colors.to_rgba(random.integers(0, NUM_LABELS, (height, width)).astype(np.uint8))
    foreign = random.random((height, width)) < 0.7
    rgba[foreign] = random.integers(0, 256, (int(foreign.sum()), 4))
    ids, _ = label_colors.from_rgba(rgba)
    near = np.abs(rgba[..., None, :3].astype(int) - label_colors.palette()).max(axis=3) <= 1
    there = {int(i) for i in np.unique(np.nonzero(near & (rgba[..., 3:] >= 128))[2])}
    assert set(np.unique(ids).tolist()) <= there | {0}


def test_a_thin_stroke_is_no_soft_edge():
    """...also where its class has the colour between those beside it, with a soft edge nearby."""
    one, between, other = 1, 24, 2
    colours = label_colors.palette().astype(int)
    assert (2 * colours[between] == colours[one] + colours[other]).all()
    rgba = soft_edge(one, other, 1e-6, 0)
    rgba[:, 23:25, :3] = colours[between]
    rgba[10:20, 22, :3] = (0.7 * colours[one] + 0.3 * colours[between]).astype(int)
    ids, _ = label_colors.from_rgba(rgba)
    assert (ids[:, 23:25] == between).all()


def test_rounded_and_half_transparent_pixels_are_told_apart():
    rgba = label_colors.to_rgba(np.full((1, 4), 15, np.uint8))
    rgba[0, 1, 0] += 1
    rgba[0, 2, 3] = 200
    rgba[0, 3, 3] = 100
    ids, certainty = label_colors.from_rgba(rgba)
    assert ids.tolist() == [[15, 15, 15, 0]]
    assert certainty.tolist() == [
        [label_colors.EXACT, label_colors.ROUNDED, label_colors.AMBIGUOUS, label_colors.AMBIGUOUS]
    ]


def test_what_is_beside_the_pixels_counts_too():
    rgba = np.array([[[1, 2, 3, 255], [1, 2, 3, 255]]], np.uint8)
    ids, certainty = label_colors.from_rgba(rgba)
    assert (ids == 0).all()
    assert (certainty == label_colors.AMBIGUOUS).all()
    label_map = np.full((5, 5), 7, np.uint8)
    label_map[:, 0] = 9
    around = label_colors.surroundings(label_map, Rectangle(1, 4, 2, 1))
    assert around.tolist() == [[9, 7, 7, 7], [9, 7, 7, 7], [255] * 4]
    ids, _ = label_colors.from_rgba(rgba, around)
    assert ids[0, 1] == 7
    assert ids[0, 0] in (7, 9)


def test_transparent_is_unlabelled_whatever_its_colour():
    rgba = label_colors.to_rgba(np.full((2, 2), 15, np.uint8))
    rgba[0, 0, 3] = 0
    ids, certainty = label_colors.from_rgba(rgba)
    assert ids.tolist() == [[0, 15], [15, 15]]
    assert not certainty.any()


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "RGBA"])
def test_all_kinds_of_label_pictures_mean_the_same(tmp_path, mode):
    ids = np.random.default_rng(0).integers(0, NUM_LABELS, (7, 9)).astype(np.uint8)
    path = tmp_path / "labels.png"
    if mode == "P":
        label_files.write_label_map(path, ids)
    elif mode == "L":
        Image.fromarray(ids).save(path)
    else:
        opaque = label_colors.palette()[ids] if mode == "RGB" else label_colors.to_rgba(ids)
        Image.fromarray(opaque).save(path)
    assert (label_files.read_label_map(path) == ids).all()


def test_colours_count_where_another_program_has_numbered_them(tmp_path):
    colors = label_colors.palette()[[15, 0, 3]]  # as GIMP exports an indexed image
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), mode="P")
    image.putpalette(colors.tobytes() + bytes([200, 201, 202]))
    image.save(tmp_path / "labels.png", transparency=3)
    assert label_files.read_label_map(tmp_path / "labels.png").tolist() == [[15, 0], [3, 0]]


def test_numbers_count_where_colours_are_no_classes(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), mode="P")
    image.putpalette(bytes([0, 0, 0, 120, 0, 0, 0, 120, 0, 120, 120, 0]))
    image.save(tmp_path / "labels.png")
    assert label_files.read_label_map(tmp_path / "labels.png").tolist() == [[0, 1], [2, 3]]


def test_unknown_class_is_named(tmp_path):
    ids = np.zeros((4, 4), np.uint8)
    ids[2, 3] = 77
    Image.fromarray(ids).save(tmp_path / "labels.png")
    with pytest.raises(SemcolorError, match=r"value 77 at \(3, 2\)") as caught:
        label_files.read_label_map(tmp_path / "labels.png")
    assert caught.value.code == Code.UNKNOWN_CLASS


def test_a_damaged_file_is_read_right_or_refused():
    """...whatever is damaged: Pillow has many ways to fail."""
    ids = np.random.default_rng(0).integers(0, NUM_LABELS, (12, 9)).astype(np.uint8)
    file = label_files.encode_label_map(ids)
    random = np.random.default_rng(1)
    damaged = [file[:length] for length in range(0, len(file), 3)]
    for place in range(len(file)):
        other = bytearray(file)
        other[place] ^= 1 << int(random.integers(8))
        damaged.append(bytes(other))
    read = [read_or_none(content) for content in damaged]
    assert all((found == ids).all() for found in read if found is not None)
    assert sum(found is None for found in read) > 0.9 * len(damaged)


@pytest.mark.posix
def test_what_cannot_be_read_or_written_is_a_sentence(tmp_path):
    with pytest.raises(SemcolorError, match="Is a directory") as caught:
        label_files.read_label_map(tmp_path)
    assert caught.value.code == Code.CANNOT_READ
    with pytest.raises(SemcolorError, match="Is a directory") as caught:
        label_files.write_label_map(tmp_path, np.zeros((2, 2), np.uint8))
    assert caught.value.code == Code.CANNOT_WRITE
    with pytest.raises(SemcolorError) as caught:
        label_files.read_label_map(tmp_path / "missing.png")
    assert caught.value.code == Code.NO_FILE


def read_or_none(content):
    try:
        return label_files.decode_label_map(io.BytesIO(content), "labels.png", (9, 12))[0]
    except SemcolorError:
        return None


def test_an_ordinary_photo_is_no_label_map(sample):
    with pytest.raises(SemcolorError, match="no class") as caught:
        label_files.read_label_map(sample)
    assert caught.value.code == Code.NO_LABEL_MAP


def test_gimp_palette_has_one_named_colour_per_class():
    entries = gimp_palette().splitlines()[4:]
    assert len(entries) == NUM_LABELS
    assert entries[50].split("\t")[1] == all_classes()[50].name == "sky"


def gray_png(bits: int, values: np.ndarray) -> bytes:
    """A gray PNG of so few bits, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = values.shape
    per_byte = 8 // bits
    packed = np.zeros((height, width // per_byte), np.uint8)
    for place in range(per_byte):
        packed |= values[:, place::per_byte] << (8 - bits * (place + 1))
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_in_few_bits_are_ids(tmp_path, bits):
    """Pillow makes 0..255 of them."""
    ids = np.random.default_rng(0).integers(0, 2**bits, (6, 8)).astype(np.uint8)
    (tmp_path / "labels.png").write_bytes(gray_png(bits, ids))
    assert (label_files.read_label_map(tmp_path / "labels.png") == ids).all()


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_a_turned_label_picture_is_read_upright(tmp_path, mode):
    ids = np.random.default_rng(0).integers(0, NUM_LABELS, (6, 9)).astype(np.uint8)
    picture = Image.fromarray(label_colors.to_rgba(ids)[..., :3] if mode == "RGB" else ids)
    if mode == "P":
        picture.putpalette(label_colors.palette().tobytes())
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    picture.save(tmp_path / "labels.png", exif=exif)
    found = label_files.read_label_map(tmp_path / "labels.png")
    assert (found == np.rot90(ids, -1)).all()
