"""When live colouring looks, reads and sends: decisions only, no GIMP, no threads, no clock.

GIMP tells nobody that the user painted. So a thumbnail of the label layer is looked at ten times a
second, which costs a millisecond or two, and while nothing happens the layer itself is read piece
by piece, for edits that are too faint for the thumbnail. What is read is compared by tile.

Times are seconds of any clock that never goes back. Rectangles are in the photo's pixels.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from rectangle import NOWHERE, Rectangle

QUIET_SECONDS = 0.25
"""A stroke has ended when the label layer has not changed for so long."""

_TILE = 128  # pixels
_SWEEP_SECONDS = 0.5
_PIECE_PIXELS = 1_000_000  # what is read at a time, so that nobody waits for it
_LONGEST_PAUSE_SECONDS = 15.0


class Thumbnail(NamedTuple):
    """A small picture of a layer, and where the layer lies."""

    pixels: bytes
    width: int
    height: int
    channels: int
    layer: Rectangle


class Tiles:
    """A digest of each tile of the label layer, as it was when it was last read."""

    def __init__(self, whole: Rectangle) -> None:
        self._whole = whole
        self._digests: dict[Rectangle, bytes] = {}

    def changed(self, area: Rectangle, read: Callable[[Rectangle], bytes]) -> Rectangle:
        """Read the tiles that this area touches; the rectangle around those that are not as before.

        A tile that was never read before counts as unchanged.
        """
        different = NOWHERE
        area = area.clip(self._whole)
        for y in range(area.y // _TILE * _TILE, area.y + area.height, _TILE):
            for x in range(area.x // _TILE * _TILE, area.x + area.width, _TILE):
                tile = Rectangle(x, y, _TILE, _TILE).clip(self._whole)
                digest = hashlib.blake2b(read(tile), digest_size=8).digest()
                if self._digests.get(tile, digest) != digest:
                    different = tile.join(different)
                self._digests[tile] = digest
        return different


class Watch:
    """Says which part of the label layer to read now.

    Args:
        whole: the photo's rectangle.
    """

    def __init__(self, whole: Rectangle) -> None:
        self._whole = whole
        self._last: Thumbnail | None = None
        self._suspect = whole  # read once at the start, so that later changes are seen
        self._changed_at = float("-inf")
        self._unswept = whole
        self._swept_at = float("-inf")

    def see(self, now: float, thumbnail: Thumbnail) -> None:
        """Take a look at the label layer."""
        last, self._last = self._last, thumbnail
        if last is None or last == thumbnail:
            return
        self._changed_at = now
        if last._replace(pixels=b"") != thumbnail._replace(pixels=b""):  # moved or scaled
            self._suspect = self._whole
        else:
            self._suspect = self._suspect.join(_difference(last, thumbnail).clip(self._whole))

    @property
    def has_suspicion(self) -> bool:
        """Whether there was a change that is not read yet; nothing should be sent before it is."""
        return bool(self._suspect)

    def area_to_read(self, now: float) -> Rectangle | None:
        """A piece of where a stroke has ended, or of the sweep; None while a stroke goes on."""
        if now - self._changed_at < QUIET_SECONDS:
            return None
        if self._suspect:
            piece, self._suspect = _split(self._suspect)
            return piece
        if now - self._swept_at < _SWEEP_SECONDS:
            return None
        self._swept_at = now
        piece, self._unswept = _split(self._unswept or self._whole)
        return piece


class Live:
    """Says which edit to send now: one job in flight, and after it all that has come meanwhile.

    Args:
        whole: the photo's rectangle.
    """

    def __init__(self, whole: Rectangle) -> None:
        self.unsent = whole
        """Where the label map may differ from what was sent."""
        self._in_flight: Rectangle | None = None
        self._failures = 0
        self._not_before = float("-inf")

    def edited(self, area: Rectangle) -> None:
        """The label map has changed here."""
        self.unsent = area.join(self.unsent)

    def start_over(self, whole: Rectangle) -> None:
        """Send everything of this photo, whatever was sent before, and don't wait."""
        self.unsent = whole
        self._failures, self._not_before = 0, float("-inf")

    def next_job(self, now: float) -> Rectangle | None:
        """The edit to send, which is then in flight; None when there is nothing to do now."""
        if self._in_flight or not self.unsent or now < self._not_before:
            return None
        self._in_flight, self.unsent = self.unsent, NOWHERE
        return self._in_flight

    def succeeded(self) -> None:
        """What was in flight has arrived, and its colours are in the layer."""
        self._in_flight, self._failures = None, 0

    def failed(self, now: float) -> float:
        """It did not arrive: it is sent again, after a pause. Returns the pause in seconds."""
        if self._in_flight:
            self.edited(self._in_flight)
        self._in_flight = None
        pause = min(2.0**self._failures, _LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._not_before = now + pause
        return pause


def _split(area: Rectangle) -> tuple[Rectangle, Rectangle]:
    """The upper rows of tiles, as many as are read at a time, and the rest."""
    tiles = max(1, _PIECE_PIXELS // (_TILE * area.width))
    bottom = (area.y // _TILE + tiles) * _TILE
    piece = area._replace(height=min(area.height, bottom - area.y))
    return piece, area._replace(y=bottom, height=area.height - piece.height)


def _difference(before: Thumbnail, after: Thumbnail) -> Rectangle:
    """Where two thumbnails differ that have one size, with a margin of one of their pixels."""
    stride = after.width * after.channels
    rows = [
        row
        for row in range(after.height)
        if before.pixels[row * stride : (row + 1) * stride]
        != after.pixels[row * stride : (row + 1) * stride]
    ]
    if not rows:
        return NOWHERE
    columns = [
        index // after.channels
        for row in rows
        for index in range(stride)
        if before.pixels[row * stride + index] != after.pixels[row * stride + index]
    ]
    layer = after.layer
    x = layer.x + (min(columns) - 1) * layer.width // after.width
    y = layer.y + (rows[0] - 1) * layer.height // after.height
    right = layer.x - (-(max(columns) + 2) * layer.width // after.width)
    bottom = layer.y - (-(rows[-1] + 2) * layer.height // after.height)
    return Rectangle(x, y, right - x, bottom - y)
