"""Which tiles of the label layer have changed since they were last read."""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.geometry import NOWHERE, Rectangle

TILE = 128  # pixels
_BYTES_PER_PIXEL = 4


class Edit(NamedTuple):
    """A rectangle of the label layer that may have changed."""

    area: Rectangle
    pixels: bytes | None = None
    """Its RGBA u8 as it was read; None: to be read."""
    is_stroke: bool = False
    """Whether it is new, not what undo or redo has brought back, and nothing else changed."""
    is_known: bool = False
    """Whether it is what the bridge has made itself."""

    def __bool__(self) -> bool:
        return bool(self.area)

    def then(self, later: "Edit") -> "Edit":
        """Both in one. What lies around two rectangles was not read, and is, when it is sent."""
        if not (self and later):
            return self or later
        area, is_stroke = self.area.join(later.area), self.is_stroke and later.is_stroke
        return Edit(area, later.pixels if area == later.area else None, is_stroke)


class Tiles:
    """A digest of each tile of the label layer, as it was when it was last read."""

    def __init__(self, whole: Rectangle) -> None:
        self._whole = whole
        self._digests: dict[Rectangle, bytes] = {}
        self._earlier: set[tuple[Rectangle, bytes]] = set()

    def changed(self, area: Rectangle, read: Callable[[Rectangle], bytes]) -> Edit:
        """Read the tiles that this area touches, once; those that are not as before, and around.

        A tile that was never read before counts as unchanged. `read` gives a rectangle's RGBA u8.
        """
        piece = self._around(area.clip(self._whole))
        if not piece:
            return Edit(NOWHERE)
        pixels, different, is_new = read(piece), NOWHERE, False
        for tile, digest in _digests(self._tiles(piece), piece, pixels):
            if self._digests.get(tile, digest) != digest:
                different = tile.join(different)
                is_new |= (tile, digest) not in self._earlier
            self._digests[tile] = digest
            self._earlier.add((tile, digest))
        return Edit(different, b"".join(_rows(pixels, piece, different)), is_new)

    def _around(self, area: Rectangle) -> Rectangle:
        """The tiles that this area touches."""
        if not area:
            return NOWHERE
        x, y = area.x // TILE * TILE, area.y // TILE * TILE
        right, bottom = area.x + area.width, area.y + area.height
        width, height = -(-right // TILE) * TILE - x, -(-bottom // TILE) * TILE - y
        return Rectangle(x, y, width, height).clip(self._whole)

    def _tiles(self, piece: Rectangle) -> Iterator[Rectangle]:
        for y in range(piece.y, piece.y + piece.height, TILE):
            for x in range(piece.x, piece.x + piece.width, TILE):
                yield Rectangle(x, y, TILE, TILE).clip(self._whole)


def _digests(
    tiles: Iterator[Rectangle], piece: Rectangle, pixels: bytes
) -> Iterator[tuple[Rectangle, bytes]]:
    for tile in tiles:
        digest = hashlib.blake2b(digest_size=8)
        for row in _rows(pixels, piece, tile):
            digest.update(row)
        yield tile, digest.digest()


def _rows(pixels: bytes, piece: Rectangle, part: Rectangle) -> Iterator[memoryview]:
    """The rows of a part of a piece that was read."""
    view, stride = memoryview(pixels), piece.width * _BYTES_PER_PIXEL
    first = (part.y - piece.y) * stride + (part.x - piece.x) * _BYTES_PER_PIXEL
    for start in range(first, first + part.height * stride, stride):
        yield view[start : start + part.width * _BYTES_PER_PIXEL]
