"""When live colouring looks, reads and sends: decisions only, no GIMP, no threads, no clock.

GIMP tells nobody that the user painted. So a thumbnail of the label layer is looked at, which costs
some milliseconds: ten times a second while the user is at work, more often when a stroke has just
ended, less often when nobody touches anything. Between strokes the layer itself is read piece by
piece, for edits that are too faint for the thumbnail. What is read is compared by tile.

Times are seconds of any clock that never goes back. Rectangles are in the photo's pixels.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.geometry import NOWHERE, Rectangle

QUIET_SECONDS = 0.25
"""A stroke has ended when the label layer has not changed for so long."""
RELEASED_QUIET_SECONDS = 0.04
"""The same when the pointer's button is known to be up: GIMP may still be painting what is left."""

_EAGER_SECONDS = 0.02  # between two looks when a stroke may just have ended
_LOOK_SECONDS = 0.1
_POINTER_SECONDS = 0.25  # at most: how soon it is noticed that somebody is at work again
_DROWSY_LOOK_SECONDS = 0.5
_SWEEP_SECONDS = 0.5
_DROWSY_SWEEP_SECONDS = 2.0
_DROWSY_AFTER_SECONDS = 5.0
_TILE = 128  # pixels
_PIECE_PIXELS = 1_000_000  # what is read at a time, so that nobody waits for it
_BYTES_PER_PIXEL = 4
_LONGEST_PAUSE_SECONDS = 15.0


class Pointer(NamedTuple):
    """Where the pointer is on the screen, and whether its first button, or the pen, is down."""

    x: int
    y: int
    is_down: bool


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

        A tile that was never read before counts as unchanged. `read` gives a rectangle's RGBA u8.
        """
        different = NOWHERE
        area = area.clip(self._whole)
        left, right = area.x // _TILE * _TILE, area.x + area.width
        for y in range(area.y // _TILE * _TILE, area.y + area.height, _TILE):
            columns = range(left, right, _TILE)
            tiles = [Rectangle(x, y, _TILE, _TILE).clip(self._whole) for x in columns]
            band = tiles[0].join(tiles[-1])  # many small reads would take twice as long
            for tile, digest in zip(tiles, _digests(tiles, band, read(band)), strict=True):
                if self._digests.get(tile, digest) != digest:
                    different = tile.join(different)
                self._digests[tile] = digest
        return different


class Watch:
    """Says when to look at the label layer, and which part of it to read.

    Args:
        whole: the photo's rectangle.
    """

    def __init__(self, whole: Rectangle) -> None:
        self._whole = whole
        self._last: Thumbnail | None = None
        self._suspect = whole  # read once at the start, so that later changes are seen
        self._looked_at = self._changed_at = self._swept_at = float("-inf")
        self._active_at = self._released_at = float("-inf")
        self._unswept = whole
        self._pointer = Pointer(0, 0, False)
        self._knows_button = self._saw_layer = False

    def is_due(self, now: float, pointer: Pointer) -> bool:
        """Whether to look at the label layer now. To be asked again after `pause`."""
        last, self._pointer = self._pointer, pointer
        if last != pointer:
            self._active_at = now
        is_released = last.is_down and not pointer.is_down
        if is_released:
            self._released_at = now
        elif now - self._looked_at < self._look_seconds(now):
            return False
        self._looked_at, self._saw_layer = now, False
        return True

    def pause(self, now: float) -> float:
        """How long to wait until `is_due` is asked again."""
        if self._pointer.is_down:  # not to miss when it is let go
            return _EAGER_SECONDS
        return min(self._look_seconds(now), _POINTER_SECONDS)

    def see(self, now: float, thumbnail: Thumbnail) -> None:
        """Take a look at the label layer."""
        self._saw_layer = True
        last, self._last = self._last, thumbnail
        if last is None or last == thumbnail:
            return
        self._changed_at = self._active_at = now
        # Some desktops, such as Wayland, tell of the button in our own window only.
        self._knows_button |= self._pointer.is_down
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
        is_released = self._knows_button and not self._pointer.is_down
        quiet = RELEASED_QUIET_SECONDS if is_released else QUIET_SECONDS
        if now - self._changed_at < quiet:
            return None
        if self._suspect:
            self._released_at = float("-inf")  # that stroke was found
            piece, self._suspect = _split(self._suspect)
            return piece
        sweep = _DROWSY_SWEEP_SECONDS if self._is_drowsy(now) else _SWEEP_SECONDS
        if now - max(self._swept_at, self._changed_at) < sweep:
            return None
        self._swept_at = now
        piece, self._unswept = _split(self._unswept or self._whole)
        return piece

    def _look_seconds(self, now: float) -> float:
        may_have_ended = self._suspect or now - self._released_at < QUIET_SECONDS
        if may_have_ended and self._saw_layer and not self._pointer.is_down:
            return _EAGER_SECONDS
        return _DROWSY_LOOK_SECONDS if self._is_drowsy(now) else _LOOK_SECONDS

    def _is_drowsy(self, now: float) -> bool:
        return now - self._active_at > _DROWSY_AFTER_SECONDS


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


def _digests(tiles: list[Rectangle], band: Rectangle, pixels: bytes) -> Iterator[bytes]:
    """The digest of each of the tiles that lie side by side in a band."""
    view, stride = memoryview(pixels), band.width * _BYTES_PER_PIXEL
    for tile in tiles:
        digest = hashlib.blake2b(digest_size=8)
        first, width = (tile.x - band.x) * _BYTES_PER_PIXEL, tile.width * _BYTES_PER_PIXEL
        for start in range(first, len(view), stride):
            digest.update(view[start : start + width])
        yield digest.digest()


def _difference(before: Thumbnail, after: Thumbnail) -> Rectangle:
    """Where two thumbnails differ that have one size, with a margin of one of their pixels."""
    stride = after.width * after.channels
    rows, differing = [], 0
    for row in range(after.height):
        part = slice(row * stride, (row + 1) * stride)
        if before.pixels[part] != after.pixels[part]:
            rows.append(row)
            differing |= _bits(before.pixels[part]) ^ _bits(after.pixels[part])
    if not rows:
        return NOWHERE
    first = (8 * stride - differing.bit_length()) // 8 // after.channels
    lowest = (differing & -differing).bit_length() - 1
    last = (stride - 1 - lowest // 8) // after.channels
    layer = after.layer
    x = layer.x + (first - 1) * layer.width // after.width
    y = layer.y + (rows[0] - 1) * layer.height // after.height
    right = layer.x - (-(last + 2) * layer.width // after.width)
    bottom = layer.y - (-(rows[-1] + 2) * layer.height // after.height)
    return Rectangle(x, y, right - x, bottom - y)


def _bits(row: bytes) -> int:
    """A row as one number, its first byte the highest: Python is quick with those."""
    return int.from_bytes(row, "big")
