"""Planes: their digests, and how they are packed for the wire.

A *plane* is a photo or a label map in rows, tightly packed, little-endian.
"""

import copy
import hashlib
import sys
import zlib
from typing import Self

from semcolor.shared.errors import malformed

from .checks import require

assert sys.byteorder == "little", "planes travel little-endian"

BLOCK_ROWS = 64  # of a plane: what is hashed at a time
_DIGEST_BYTES = 16


def plane_digest(width: int, height: int, depth: int, pixels: memoryview | bytes) -> str:
    """The name of a plane: 32 hex digits over its shape and the digests of its blocks of rows."""
    return PlaneHash(width, height, depth).add(pixels).hexdigest()


class PlaneHash:
    """:func:`plane_digest`, strip by strip; after an edit only the touched blocks are read."""

    def __init__(self, width: int, height: int, depth: int) -> None:
        self._shape = f"{width} {height} {depth} ".encode()
        self._block_bytes = BLOCK_ROWS * width * depth // 8
        self._blocks: list[bytes] = []
        self._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self._missing = self._block_bytes

    def add(self, pixels: memoryview | bytes) -> Self:
        """Take the next rows."""
        left = memoryview(pixels)
        while len(left):
            part, left = left[: self._missing], left[self._missing :]
            self._unfinished.update(part)
            self._missing -= len(part)
            if not self._missing:
                self._blocks.append(self._unfinished.digest())
                self._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
                self._missing = self._block_bytes
        return self

    def edited(self, first_row: int, pixels: memoryview | bytes) -> "PlaneHash":
        """The hash of the finished plane with other rows; they are :func:`whole_blocks`."""
        first = first_row // BLOCK_ROWS
        end = first - (-len(pixels) // self._block_bytes)
        other = copy.copy(self)
        other._blocks, other._missing = self._blocks[:first], self._block_bytes
        other._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        other.add(pixels)
        if end <= len(self._blocks):
            other._blocks += self._blocks[end:]
            other._unfinished, other._missing = self._unfinished.copy(), self._missing
        return other

    def hexdigest(self) -> str:
        """The digest of all rows so far."""
        blocks = list(self._blocks)
        if self._missing < self._block_bytes:
            blocks.append(self._unfinished.digest())
        digests = self._shape + b"".join(blocks)
        return hashlib.blake2b(digests, digest_size=_DIGEST_BYTES).hexdigest()


def whole_blocks(rows: slice, height: int) -> slice:
    """The rows of all blocks that some rows of a plane of this height touch."""
    stop = -(-rows.stop // BLOCK_ROWS) * BLOCK_ROWS
    return slice(rows.start // BLOCK_ROWS * BLOCK_ROWS, min(stop, height))


def pack_labels(labels: memoryview | bytes) -> bytes:
    """Compress label ids; a label map shrinks about a hundredfold."""
    return zlib.compress(labels, level=1)


def unpack_labels(frame: memoryview | bytes, size: int) -> bytes:
    """Exactly ``size`` label ids. Raises SemcolorError otherwise, before they fill the memory."""
    inflate = zlib.decompressobj()
    try:
        labels = inflate.decompress(frame, size + 1)
    except zlib.error as error:
        raise malformed(f"the labels cannot be decompressed ({error})") from error
    require(len(labels) == size, f"the labels are not the {size} that the header says")
    return labels
