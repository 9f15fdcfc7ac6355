"""When to look at the label layer, and which part of it to read."""

from typing import NamedTuple

from shared.geometry import NOWHERE, Rectangle

from .tiles import TILE

QUIET_SECONDS = 0.25
"""A stroke has ended when the label layer has not changed for so long."""
RELEASED_QUIET_SECONDS = 0.04
"""The same when the pointer's button is known to be up: GIMP may still be painting what is left."""

_HELD_QUIET_SECONDS = 10.0  # the same while the button is known to be down: a hand may rest
_PATIENCE = 5  # GIMP that takes long to answer takes so many times as long to paint what is left
_EAGER_SECONDS = 0.02  # between two looks when a stroke may just have ended
_LOOK_SECONDS = 0.1
_POINTER_SECONDS = 0.25  # at most: how soon it is noticed that somebody is at work again
_DROWSY_LOOK_SECONDS = 0.5
_SWEEP_SECONDS = 0.5
_DROWSY_SWEEP_SECONDS = 2.0
_DROWSY_AFTER_SECONDS = 5.0
_PIECE_PIXELS = 1_000_000  # what is read at a time, so that nobody waits for it


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
    pixel_bytes: int
    layer: Rectangle


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
        self._answer_seconds = 0.0

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

    def see(self, now: float, thumbnail: Thumbnail, seconds: float = 0.0) -> None:
        """Take a look at the label layer, which took so many seconds."""
        self._saw_layer, self._answer_seconds = True, seconds
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
        quiet = QUIET_SECONDS
        if self._knows_button:
            quiet = _HELD_QUIET_SECONDS if self._pointer.is_down else RELEASED_QUIET_SECONDS
        quiet = max(quiet, _PATIENCE * self._answer_seconds)
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

    def take_suspect(self) -> Rectangle:
        """All that is suspected, to be read now, though a stroke may go on."""
        suspect, self._suspect = self._suspect, NOWHERE
        return suspect

    def _look_seconds(self, now: float) -> float:
        may_have_ended = self._suspect or now - self._released_at < QUIET_SECONDS
        if may_have_ended and self._saw_layer and not self._pointer.is_down:
            return _EAGER_SECONDS
        return _DROWSY_LOOK_SECONDS if self._is_drowsy(now) else _LOOK_SECONDS

    def _is_drowsy(self, now: float) -> bool:
        return now - self._active_at > _DROWSY_AFTER_SECONDS


def _split(area: Rectangle) -> tuple[Rectangle, Rectangle]:
    """The upper rows of tiles, as many as are read at a time, and the rest."""
    tiles = max(1, _PIECE_PIXELS // (TILE * area.width))
    bottom = (area.y // TILE + tiles) * TILE
    piece = area._replace(height=min(area.height, bottom - area.y))
    return piece, area._replace(y=bottom, height=area.height - piece.height)


def _difference(before: Thumbnail, after: Thumbnail) -> Rectangle:
    """Where two thumbnails differ that have one size, with a margin of one of their pixels."""
    stride = after.width * after.pixel_bytes
    rows, differing = [], 0
    for row in range(after.height):
        part = slice(row * stride, (row + 1) * stride)
        if before.pixels[part] != after.pixels[part]:
            rows.append(row)
            differing |= _bits(before.pixels[part]) ^ _bits(after.pixels[part])
    if not rows:
        return NOWHERE
    first = (8 * stride - differing.bit_length()) // 8 // after.pixel_bytes
    lowest = (differing & -differing).bit_length() - 1
    last = (stride - 1 - lowest // 8) // after.pixel_bytes
    layer = after.layer
    x = layer.x + (first - 1) * layer.width // after.width
    y = layer.y + (rows[0] - 1) * layer.height // after.height
    right = layer.x - (-(last + 2) * layer.width // after.width)
    bottom = layer.y - (-(rows[-1] + 2) * layer.height // after.height)
    return Rectangle(x, y, right - x, bottom - y)


def _bits(row: bytes) -> int:
    """A row as one number, its first byte the highest: Python is quick with those."""
    return int.from_bytes(row, "big")
