"""What a photo file says travels on: EXIF, GPS, IPTC and XMP, between TIFF, JPEG and PNG."""

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from semcolor.photos import photo_files
from semcolor.photos.provenance import Provenance, with_provenance
from semcolor.photos.tiff_directories import find_directory, read_directory

SUFFIXES = ("jpg", "tif", "png")
NAMES = {269: "roll 7", 270: "Grüße, 1936", 271: "Nikon", 315: "Dorothea", 33432: "none"}
DATE, BIAS, COMMENT = "1936:03:01 10:11:12", (-1, 3), b"ASCII\0\0\0so it was"
IPTC = b"\x1c\x02\x78\x00\x07caption\x1c\x02\x19\x00\x03one"  # an odd number of bytes
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>box 9</dc:source>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
MADE = Provenance("semcolor 1", "fast", "predicted", 384)


def directory(endian="<", orientation=6):
    """All of it as a TIFF's first directory, in this byte order."""
    head = b"II*\0\x08\0\0\0" if endian == "<" else b"MM\0*\0\0\0\x08"
    exif = Image.Exif()
    exif.endian = endian
    first = TiffImagePlugin.ImageFileDirectory_v2(head)
    for tag, text in NAMES.items():
        first.tagtype[tag] = 2
        first[tag] = text.encode()  # as most programs write it, whatever EXIF says
    first[274] = orientation
    first[int(IFD.Exif)] = {
        Base.DateTimeOriginal: DATE,
        Base.ExposureBiasValue: TiffImagePlugin.IFDRational(*BIAS),
        Base.UserComment: COMMENT,
        Base.ExifImageWidth: 30,
        Base.ExifImageHeight: 20,
    }
    first[int(IFD.GPSInfo)] = {1: "N", 2: (48.0, 30.0, 0.0)}
    return first, head


def save(path, endian="<"):
    """A gray photo of 30 × 20 pixels that lies on its side, and says so."""
    picture = Image.fromarray(np.arange(600, dtype=np.uint32).reshape(20, 30).astype(np.uint8))
    first, head = directory(endian)
    if path.suffix == ".tif":
        first.tagtype[33723], first.tagtype[700] = 7, 1
        first[33723], first[700] = IPTC, XMP
        picture.save(path, tiffinfo=first)
        return
    block = b"Exif\0\0" + head + first.tobytes(8)
    if path.suffix == ".png":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
        texts.add_text("Inventory", "4711")
        picture.save(path, exif=block, pnginfo=texts)
        return
    resource = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0"
    segment = b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource
    content = io.BytesIO()
    picture.save(content, "jpeg", quality=95, exif=block, xmp=XMP)
    path.write_bytes(content.getvalue()[:2] + segment + content.getvalue()[2:])


def through(source, target):
    """The photo after it went through semcolor."""
    photo = photo_files.read_photo(source)
    photo_files.write_photo(target, np.repeat(photo.gray[..., None], 3, axis=2), photo)
    return photo


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize(("source", "endian"), [*((s, "<") for s in SUFFIXES), ("jpg", ">")])
def test_all_that_is_said_travels_on(tmp_path, source, endian, target):
    save(tmp_path / f"in.{source}", endian)
    photo = through(tmp_path / f"in.{source}", tmp_path / f"out.{target}")
    assert photo.gray.shape == (30, 20)
    with Image.open(tmp_path / f"out.{target}") as out:
        said = out.getexif()
        for tag, text in NAMES.items():
            assert said[tag].encode("latin-1").decode() == text  # Pillow takes it for Latin-1
        assert said.get(274, 1) == 1
        inner, gps = said.get_ifd(IFD.Exif), said.get_ifd(IFD.GPSInfo)
        assert inner[Base.DateTimeOriginal] == DATE
        assert inner[Base.ExposureBiasValue] == TiffImagePlugin.IFDRational(*BIAS)
        assert inner[Base.UserComment].startswith(COMMENT)
        assert (inner[Base.ExifImageWidth], inner[Base.ExifImageHeight]) == (20, 30)
        assert (gps[1], gps[2]) == ("N", (48.0, 30.0, 0.0))
        if target != "png" and source != "png":  # Pillow knows IPTC in these only
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow expects bytes where programs write numbers
                found = IptcImagePlugin.getiptcinfo(out)
            assert found[2, 120] == b"caption"
            assert found[2, 25] == b"one"
        if source == target == "png":
            assert out.text["Inventory"] == "4711"
    again = photo_files.read_photo(tmp_path / f"out.{target}").metadata
    assert again.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    left_out = photo_files.metadata_left_out(tmp_path / f"out.{target}", photo)
    assert "IPTC" not in left_out
    assert ("PNG texts" in left_out) == (source == "png" and target != "png")


def test_a_thumbnail_of_the_gray_photo_does_not_travel_on(tmp_path):
    first, head = directory()
    small = io.BytesIO()
    Image.new("L", (16, 8)).save(small, "jpeg")
    block = bytearray(head + first.tobytes(8))
    second = TiffImagePlugin.ImageFileDirectory_v2(head)
    at = len(block) + len(block) % 2
    second[513], second[514] = at + 2 + 2 * 12 + 4, len(small.getvalue())
    entries = struct.unpack_from("<H", block, 8)[0]
    struct.pack_into("<I", block, 10 + 12 * entries, at)
    block += bytes(len(block) % 2) + second.tobytes(at)[: 2 + 2 * 12 + 4] + small.getvalue()
    Image.new("L", (30, 20)).save(tmp_path / "in.jpg", exif=b"Exif\0\0" + bytes(block))
    with Image.open(tmp_path / "in.jpg") as photo:
        assert photo.getexif().get_ifd(IFD.IFD1)
    through(tmp_path / "in.jpg", tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as out:
        assert not out.getexif().get_ifd(IFD.IFD1)


def test_a_resolution_without_a_unit_stays_one(tmp_path):
    lying = {274: 6, 282: 2.0, 283: 3.0, 296: 1}
    Image.new("L", (8, 8)).save(tmp_path / "in.tif", tiffinfo=lying)
    for suffix, expected in (("tif", (3, 2, 1)), ("jpg", (72, 72, 2))):
        through(tmp_path / "in.tif", tmp_path / f"out.{suffix}")
        with Image.open(tmp_path / f"out.{suffix}") as out:
            assert tuple(out.getexif()[tag] for tag in (282, 283, 296)) == expected


def test_what_is_too_long_for_a_jpeg_is_told(tmp_path):
    long = XMP.replace(b"box 9", b"box 9" * 20_000)
    Image.new("L", (8, 8)).save(tmp_path / "in.tif", tiffinfo={700: long})
    photo = through(tmp_path / "in.tif", tmp_path / "out.jpg")
    assert photo_files.metadata_left_out(tmp_path / "out.jpg", photo) == ["XMP"]
    through(tmp_path / "in.tif", tmp_path / "out.tif")
    kept = photo_files.read_photo(tmp_path / "out.tif").metadata.xmp
    assert kept == long.replace(b'Orientation="6"', b'Orientation="1"')


def test_a_makers_note_that_is_too_long_for_a_jpeg_is_told(tmp_path):
    first, _ = directory()
    first[int(IFD.Exif)] = {Base.DateTimeOriginal: DATE, Base.MakerNote: bytes(70_000)}
    Image.new("L", (8, 8)).save(tmp_path / "in.tif", tiffinfo=first)
    photo = through(tmp_path / "in.tif", tmp_path / "out.jpg")
    assert photo_files.metadata_left_out(tmp_path / "out.jpg", photo) == ["MakerNote"]
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.getexif().get_ifd(IFD.Exif)[Base.DateTimeOriginal] == DATE


def test_texts_of_a_png_travel_as_they_are(tmp_path):
    """In Latin-1 and Unicode, packed, with names of several words; and IPTC among them."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Creation Time", "about 1910")
    texts.add_text("Ort", "Köln")
    texts.add_text("Größe", "9 × 12", zip=True)
    texts.add_itxt("Title", "Женщина", lang="ru", tkey="Название")
    texts.add_text("Raw profile type exif", "somebody's")
    Image.new("L", (900, 700)).save(tmp_path / "in.png", pnginfo=texts)
    photo = through(tmp_path / "in.png", tmp_path / "out.png")
    assert photo_files.metadata_left_out(tmp_path / "out.png", photo) == []
    with Image.open(tmp_path / "in.png") as before, Image.open(tmp_path / "out.png") as after:
        assert after.text == before.text
        assert after.text["Title"].tkey == "Название"
        after.load()
        assert after.size == (900, 700)
    save(tmp_path / "said.tif")
    through(tmp_path / "said.tif", tmp_path / "said.png")
    through(tmp_path / "said.png", tmp_path / "back.tif")
    assert photo_files.read_photo(tmp_path / "said.png").metadata.iptc == IPTC
    assert photo_files.read_photo(tmp_path / "back.tif").metadata.iptc.rstrip(b"\0") == IPTC


@pytest.mark.parametrize("damage", [b"", b"\0\0x", b"\niptc\n 9\nxyz", b"\niptc\n x\n00"])
def test_a_damaged_text_of_a_png_stops_nothing(tmp_path, damage):
    texts = PngImagePlugin.PngInfo()
    texts.add(b"tEXt", b"Raw profile type iptc\0" + damage)
    texts.add(b"zTXt", b"Raw profile type iptc\0\0" + damage)
    texts.add(b"tEXt", damage)
    Image.new("L", (8, 8)).save(tmp_path / "in.png", pnginfo=texts)
    photo = through(tmp_path / "in.png", tmp_path / "out.png")
    assert photo.metadata.iptc == b""
    with Image.open(tmp_path / "out.png") as out:
        assert out.size == (8, 8)


def test_a_resolution_that_is_none_stops_nothing(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "in.tif", tiffinfo={282: 4e9, 283: 4e9, 296: 2})
    through(tmp_path / "in.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as out:
        assert out.info["dpi"] == pytest.approx((72, 72))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=12))
def test_a_damaged_directory_says_less_and_stops_nothing(at, damage):
    first, head = directory()
    block = bytearray(head + first.tobytes(8))
    block[at : at + len(damage)] = damage
    file = io.BytesIO(bytes(block))
    place = find_directory(file)
    if place:
        read_directory(file, place)


@pytest.mark.parametrize("packet", [b"", XMP])
def test_provenance_is_said_in_xmp(packet):
    once = with_provenance(packet, MADE)
    twice = with_provenance(once, MADE._replace(detail=512)).decode()
    assert twice.count("DigitalSourceType>http://cv.iptc.org") == 1
    assert twice.count("compositeWithTrainedAlgorithmicMedia") == 1
    assert "model fast; labels predicted; detail 384" in twice
    assert "detail 512" in twice
    assert twice.count("<rdf:Seq>") == 1
    assert with_provenance(packet, MADE) == once  # the same bytes, whenever
    if packet:
        assert "<dc:source>box 9</dc:source>" in twice


@pytest.mark.parametrize("packet", [b"<x", b"<a/>", bytes(300)])
def test_provenance_leaves_what_is_no_xmp(packet):
    with pytest.raises(ValueError, match=r"\w"):
        with_provenance(packet, MADE)
