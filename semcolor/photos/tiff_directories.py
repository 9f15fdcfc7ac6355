"""The directories of a TIFF, and of EXIF, which is one: entries as they are, byte for byte.

TIFF 6.0, section 2. A value keeps its type and its text's encoding; only its byte order may change.
"""

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

BYTE, ASCII, SHORT, LONG = 1, 2, 3, 4
_UNITS = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8,
    18: 8,
}  # fmt: skip  # bytes of what a byte order applies to, by type
_PAIRS = (5, 10)  # types of two units: rationals
_LARGEST = 64 * 2**20  # bytes of a value that is read
_ENDS = (struct.error, OverflowError, OSError)  # the file ends before, or no file is so long


class Entry(NamedTuple):
    """A value: its type and how many there are of that, little-endian."""

    kind: int
    number: int
    data: bytes


Directory = dict[int, Entry]
"""Entries by tag."""


class Place(NamedTuple):
    """Where a directory is, and how to read it."""

    order: str
    is_big: bool
    at: int


def find_directory(file: BinaryIO, page: int = 1) -> Place | None:
    """Of a page, from 1 on; None: this is no TIFF, or it ends before."""
    file.seek(0)
    start = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 4:
        return None
    version = struct.unpack(order + "H", start[2:])[0]
    if version not in (42, 43):
        return None
    is_big = version == 43
    offset, head, row = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    try:
        file.seek(8 if is_big else 4)
        at = _unpack(file, order + offset)[0]
        for _ in range(page - 1):
            file.seek(at)
            file.seek(_unpack(file, order + head)[0] * row, 1)
            at = _unpack(file, order + offset)[0]  # behind the entries
    except _ENDS:
        return None
    return Place(order, is_big, at) if at else None


def read_directory(file: BinaryIO, place: Place) -> Directory:
    """All entries whose values are whole."""
    found: Directory = {}
    order, is_big, at = place
    head, row = ("Q", "HHQ8s") if is_big else ("H", "HHI4s")
    try:
        file.seek(at)
        rows = [_unpack(file, order + row) for _ in range(_unpack(file, order + head)[0])]
    except _ENDS:
        return found
    for tag, kind, number, value in rows:
        size = number * _UNITS.get(kind, 0) * (2 if kind in _PAIRS else 1)
        if size > len(value):
            value = _value_at(file, order + ("Q" if is_big else "I"), value, size)
        if 0 < size <= len(value):
            found[tag] = Entry(kind, number, _little(value[:size], kind, order))
    return found


def number_in(directory: Directory, tag: int) -> int:
    """The first of an entry's integers; 0 where there is none."""
    entry = directory.get(tag)
    return int.from_bytes(entry.data[: _UNITS[entry.kind]], "little") if entry else 0


def pack(directory: Mapping[int, Entry], at: int) -> bytes:
    """A classic little-endian directory that will stand at this place, and is the last."""
    head_size = 2 + 12 * len(directory) + 4
    rows, values = b"", b""
    for tag in sorted(directory):
        kind, number, data = directory[tag]
        inline = data
        if len(data) > 4:
            inline = struct.pack("<I", at + head_size + len(values))
            values += data + bytes(len(data) % 2)
        rows += struct.pack("<HHI4s", tag, kind, number, inline)
    return struct.pack("<H", len(directory)) + rows + bytes(4) + values


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _value_at(file: BinaryIO, form: str, place: bytes, size: int) -> bytes:
    """What stands at a place; b"" if it is too large, or the file ends before."""
    try:
        file.seek(struct.unpack(form, place)[0])
        return file.read(size) if size <= _LARGEST else b""
    except _ENDS:
        return b""


def _little(data: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS[kind]
    if order == "<" or unit == 1:
        return data
    return b"".join(data[at : at + unit][::-1] for at in range(0, len(data), unit))
