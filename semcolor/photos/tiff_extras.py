"""What a TIFF's extra channels are, which libvips neither tells nor lets one say.

TIFF 6.0, *ExtraSamples*: 0 is an unspecified channel, as a scanner's infrared or a saved selection,
1 is alpha by which colours were multiplied, 2 is alpha.
"""

import struct
from pathlib import Path

from .tiff_directories import SHORT, find_directory, read_directory

UNSPECIFIED, MULTIPLIED_ALPHA, ALPHA = range(3)
EXTRA_SAMPLES = 338


def read_extra_samples(path: Path, page: int = 1) -> tuple[int, ...]:
    """Those of a page, from 1 on; () where none are said, or this is no TIFF. Raises OSError."""
    with path.open("rb") as file:
        place = find_directory(file, page)
        entry = read_directory(file, place).get(EXTRA_SAMPLES) if place else None
    if entry is None or entry.kind != SHORT:
        return ()
    return struct.unpack(f"<{entry.number}H", entry.data)
