"""What a photo file says besides its pixels: EXIF, IPTC and XMP, carried from file to file.

libvips neither reads nor writes what a TIFF says in tags of its own, cuts a TIFF's IPTC, and keeps
a thumbnail of what the photo was. So what is said is sorted out here, and written anew.
"""

import io
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import pyvips

from .png_texts import read_texts, write_texts
from .tiff_directories import (
    LONG,
    SHORT,
    Directory,
    Entry,
    find_directory,
    number_in,
    pack,
    read_directory,
)
from .tiff_extras import EXTRA_SAMPLES

# TIFF 6.0 and EXIF 2.32: DocumentName, ImageDescription, Make, Model, PageName, PageNumber,
# Software, DateTime, Artist, HostComputer, Rating, RatingPercent, Copyright, and what Windows adds.
_DESCRIPTIVE = (
    269, 270, 271, 272, 285, 297, 305, 306, 315, 316, 18246, 18249, 33432,
    *range(40091, 40096),
)  # fmt: skip
_UNIT, _NO_UNIT = 296, 1  # of resolution
_ACROSS, _DOWN, _ORIENTATION, _FIRST_ON_ITS_SIDE = 282, 283, 274, 5
_IPTC, _EXIF, _GPS = 33723, 34665, 34853
_INTEROPERABILITY, _WIDTH, _HEIGHT, _MAKER_NOTE = 40965, 40962, 40963, 37500  # of EXIF's directory
_EXIF_NAME, _HEADER = b"Exif\0\0", b"II*\0\x08\0\0\0"
_SEGMENT = 63_000  # bytes of metadata that a segment of a JPEG holds
_PHOTOSHOP, _RESOURCE, _IIM = b"Photoshop 3.0\0", b"8BIM", 0x0404
_TIFF, _JPEG = (".tif", ".tiff"), (".jpg", ".jpeg")


@dataclass(frozen=True)
class Metadata:
    """What a file says.

    ``tags``: those of its first directory that describe the photo. ``exif`` and ``gps``: all of
    these directories (EXIF 2.32, section 4.6). ``iptc``: IIM data sets. ``xmp``: a packet.
    ``texts``: a PNG's, see :mod:`.png_texts`. ``shape``: a TIFF's resolution where that has no
    unit, and tells the shape of a pixel only.
    """

    tags: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    iptc: bytes = b""
    xmp: bytes = b""
    texts: tuple[bytes, ...] = ()
    shape: Directory = field(default_factory=dict)


def read_metadata(path: Path, page: int, image: pyvips.Image) -> Metadata:
    """What a page of this file says, which libvips has read as ``image``. Raises OSError."""
    xmp, iptc, exif = (
        image.get(name) if image.get_typeof(name) else b""
        for name in ("xmp-data", "iptc-data", "exif-data")
    )
    texts, resource = read_texts(path)
    iptc = iptc or resource
    with path.open("rb") as file:
        if find_directory(file):
            first, inner, gps = _read_directories(file, page)
            iptc = first[_IPTC].data if _IPTC in first else b""
        else:
            first, inner, gps = _read_directories(io.BytesIO(exif.removeprefix(_EXIF_NAME)), 1)
            iptc = _from_resource(iptc)
    tags = {tag: first[tag] for tag in _DESCRIPTIVE if tag in first}
    inner.pop(_INTEROPERABILITY, None)  # a place in the old file
    return Metadata(tags, inner, gps, iptc, xmp, texts, _shape(first))


def set_metadata(image: pyvips.Image, suffix: str, said: Metadata) -> pyvips.Image:
    """An image of which libvips writes as much as it can into a file of this suffix."""
    image, blob = image.copy(), pyvips.GValue.blob_type
    out = left_out(suffix, said)
    if "MakerNote" in out:
        said = replace(said, exif={tag: said.exif[tag] for tag in said.exif if tag != _MAKER_NOTE})
    if suffix not in _TIFF:
        block = _EXIF_NAME + _HEADER + _packed(said, image, len(_HEADER))
        image.set_type(blob, "exif-data", block)
        if said.iptc and suffix in _JPEG and "IPTC" not in out:
            image.set_type(blob, "iptc-data", _PHOTOSHOP + _resource(said.iptc))
    if said.xmp and "XMP" not in out:
        image.set_type(blob, "xmp-data", _upright(said.xmp))
    return image


def complete_png(path: Path, said: Metadata) -> None:
    """Write what libvips does not into the PNG that it has just written. Raises OSError."""
    write_texts(path, said.texts, _resource(said.iptc) if said.iptc else b"")


def complete_tiff(
    path: Path, said: Metadata, image: pyvips.Image, extra_kinds: tuple[int, ...]
) -> None:
    """Write what libvips does not into the TIFF that it has just written. Raises OSError."""
    with path.open("r+b") as file:
        place = find_directory(file)
        if place is None or place.order != "<" or place.is_big:
            return
        whole = read_directory(file, place)
        if extra_kinds:
            count = len(extra_kinds)
            whole[EXTRA_SAMPLES] = Entry(SHORT, count, struct.pack(f"<{count}H", *extra_kinds))
        whole |= said.shape
        if said.iptc:
            padded = said.iptc + bytes(-len(said.iptc) % 4)
            whole[_IPTC] = Entry(LONG, len(padded) // 4, padded)
        at = file.seek(0, 2) + 1 & ~1
        file.seek(at)
        file.write(_packed(said, image, at, whole))
        file.seek(4)
        file.write(struct.pack("<I", at))


def left_out(suffix: str, said: Metadata) -> list[str]:
    """What a file of this suffix has no room for."""
    out = []
    holds_iptc = suffix in (*_TIFF, ".png") or (suffix in _JPEG and len(said.iptc) <= _SEGMENT)
    if said.iptc and not holds_iptc:
        out.append("IPTC")
    if suffix in _JPEG and len(said.xmp) > _SEGMENT:
        out.append("XMP")
    exif_size = sum(len(entry.data) for part in (said.tags, said.exif) for entry in part.values())
    if suffix in _JPEG and exif_size > _SEGMENT and _MAKER_NOTE in said.exif:
        out.append("MakerNote")
    if said.texts and suffix != ".png":
        out.append("PNG texts")
    return out


def _packed(said: Metadata, image: pyvips.Image, at: int, whole: Directory | None = None) -> bytes:
    """The directory of all that is said, followed by those that it refers to."""
    first = (whole or {}) | said.tags
    size = {_WIDTH: image.width, _HEIGHT: image.height}  # it may have been turned
    exif = {tag: _number(size[tag]) if tag in size else said.exif[tag] for tag in said.exif}
    nested = {tag: values for tag, values in ((_EXIF, exif), (_GPS, said.gps)) if values}
    first |= dict.fromkeys(nested, _number(0))
    body, places = pack(first, at), {}
    for tag, values in nested.items():
        body += bytes(len(body) % 2)
        places[tag] = _number(at + len(body))
        body += pack(values, at + len(body))
    head = pack(first | places, at)
    return head + body[len(head) :]


def _number(value: int) -> Entry:
    return Entry(LONG, 1, struct.pack("<I", value))


def _shape(first: Directory) -> Directory:
    """The resolution that is none, of the photo as it is when it is upright."""
    if number_in(first, _UNIT) != _NO_UNIT or not all(tag in first for tag in (_ACROSS, _DOWN)):
        return {}
    across, down = first[_ACROSS], first[_DOWN]
    if number_in(first, _ORIENTATION) >= _FIRST_ON_ITS_SIDE:
        across, down = down, across
    return {_ACROSS: across, _DOWN: down, _UNIT: first[_UNIT]}


def _read_directories(file: BinaryIO, page: int) -> list[Directory]:
    """A page's own, and those of EXIF and GPS that it refers to; empty where there are none."""
    place = find_directory(file, page)
    if place is None:
        return [{}, {}, {}]
    first = read_directory(file, place)
    places = [number_in(first, tag) for tag in (_EXIF, _GPS)]
    return [first, *(read_directory(file, place._replace(at=at)) if at else {} for at in places)]


def _from_resource(segment: bytes) -> bytes:
    """The IIM data sets among the resources in a JPEG's APP13 segment, or in a PNG's text."""
    at = len(_PHOTOSHOP) if segment.startswith(_PHOTOSHOP) else 0
    while segment[at : at + 4] == _RESOURCE and len(segment) > at + 12:
        kind, name_length = struct.unpack_from(">HB", segment, at + 4)
        at += 6 + (name_length + 2 & ~1)
        size = int.from_bytes(segment[at : at + 4], "big")
        if kind == _IIM:
            return segment[at + 4 : at + 4 + size]
        at += 4 + (size + 1 & ~1)
    return b""


def _resource(iptc: bytes) -> bytes:
    head = _RESOURCE + struct.pack(">HHI", _IIM, 0, len(iptc))
    return head + iptc + bytes(len(iptc) % 2)


def _upright(xmp: bytes) -> bytes:
    """The pixels are upright now, whatever the packet said."""
    pattern = rb"""(tiff:Orientation\s*(?:=\s*["']|>\s*))[2-8]"""
    return re.sub(pattern, rb"\g<1>1", xmp)
