"""What a TIFF's extra channels are, which libvips neither tells nor lets one say.

TIFF 6.0, *ExtraSamples*: 0 is an unspecified channel, as a scanner's infrared or a saved selection,
1 is alpha by which colours were multiplied, 2 is alpha.
"""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

UNSPECIFIED, MULTIPLIED_ALPHA, ALPHA = range(3)
_EXTRA_SAMPLES = 338
_SHORT = 3


class _Layout(NamedTuple):
    """Of a classic TIFF, or of a BigTIFF: how its numbers are packed."""

    header: str  # the offset of the first directory
    header_at: int
    entries: str  # how many a directory has
    entry: str  # tag, type, count; its value follows
    value_bytes: int


_CLASSIC = _Layout("I", 4, "H", "HHI", 4)
_BIG = _Layout("Q", 8, "Q", "HHQ", 8)


def read_extra_samples(path: Path, page: int = 1) -> tuple[int, ...]:
    """Those of a page, from 1 on; () where none are said, or this is no TIFF. Raises OSError."""
    with path.open("rb") as file:
        place = _find(file, page)
        if not place:
            return ()
        order, at, count = place
        file.seek(at)
        return struct.unpack(f"{order}{count}H", file.read(2 * count))


def write_extra_samples(path: Path, kinds: tuple[int, ...]) -> None:
    """Say what they are in a TIFF whose first page has so many. Raises OSError."""
    with path.open("r+b") as file:
        place = _find(file, page=1)
        if place and place[2] == len(kinds):
            order, at, count = place
            file.seek(at)
            file.write(struct.pack(f"{order}{count}H", *kinds))


def _find(file: BinaryIO, page: int) -> tuple[str, int, int] | None:
    """Byte order, place and number of them in a page; None: there are none."""
    start = file.read(4)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 4:
        return None
    layout = {42: _CLASSIC, 43: _BIG}.get(struct.unpack(order + "H", start[2:])[0])
    if layout is None:
        return None

    def read(form: str) -> tuple[int, ...]:
        return struct.unpack(order + form, file.read(struct.calcsize(order + form)))

    entry_bytes = struct.calcsize(order + layout.entry) + layout.value_bytes
    try:
        file.seek(layout.header_at)
        for _ in range(page - 1):
            file.seek(read(layout.header)[0])
            entries = read(layout.entries)[0]
            file.seek(entries * entry_bytes, 1)  # behind them stands where the next page is
        file.seek(read(layout.header)[0])
        for _ in range(read(layout.entries)[0]):
            tag, kind, count = read(layout.entry)
            value_at = file.tell()
            if tag == _EXTRA_SAMPLES and kind == _SHORT:
                is_elsewhere = 2 * count > layout.value_bytes
                return order, read(layout.header)[0] if is_elsewhere else value_at, count
            file.seek(value_at + layout.value_bytes)
    except struct.error:  # the file ends before
        return None
    return None
