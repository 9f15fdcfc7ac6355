"""The picture inside a scan: without paper borders and film holders.

A border is a strip along a side of one even tone, that ends at a straight line with something else
behind it. Skies, walls and backdrops are even too, but end along roofs, heads and hills. What
stands inside another border (a white line around a black one) is found by looking again.
"""

from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from semcolor.shared.geometry import Rectangle

_LONGEST = 512  # pixels of the small copy
_SAMPLES = 3  # per axis, of which a pixel of it is the mean
_NESTED = 8  # borders, one inside the other, and the blurred lines between them
_KEPT = 0.4  # of a side, at least: what leaves less is no border
_WIDEST = 0.2  # of a side
_ALONE = 0.12  # the same, where no other side has a border; then it has to be white or black, too
_BLACK, _WHITE = 40, 225
_TOLERANCE = 14.0  # gray levels of 255, beyond what grain there is
_DRIFT = 24.0  # from the outermost line to the innermost
_EVEN = 0.96  # of a border's line has its tone
_BEGUN = 0.8  # of a line at most has it, where the picture begins …
_ENDED = 0.6  # … and of a line soon after that
_SKEW = 0.012  # of a side: within so much a border ends everywhere

Pixels = npt.NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


def picture_inside(photo: Tensor) -> Rectangle:
    """Where the picture is in a scan, H×W uint8 or uint16: all of it, where no border is found."""
    height, width = photo.shape
    pixels = photo.numpy()
    step = max(1, -(-max(height, width) // _LONGEST))
    small = _small(pixels, step)
    whole = inside = Rectangle(0, 0, small.shape[1], small.shape[0])
    for _ in range(_NESTED):
        found = _without_border(small[inside.rows, inside.columns], nested=inside != whole)
        if (found.width, found.height) == (inside.width, inside.height):
            break
        inside = found._replace(x=inside.x + found.x, y=inside.y + found.y)
    if min(inside.width / small.shape[1], inside.height / small.shape[0]) < _KEPT:
        return Rectangle(0, 0, width, height)
    return _at_full_resolution(pixels, small, inside, step)


def _small(pixels: npt.NDArray[np.generic], step: int) -> Pixels:
    """A small copy, 0..255; few pixels of a large scan are looked at."""
    height, width = (max(1, side // step) for side in pixels.shape)
    offsets = sorted({step * n // _SAMPLES for n in range(_SAMPLES)})
    total = np.zeros((height, width), np.float32)
    for y in offsets:
        for x in offsets:
            total += pixels[y::step, x::step][:height, :width]
    mean: Pixels = (total / (len(offsets) ** 2 * _levels(pixels))).astype(np.float32)
    return mean


def _without_border(picture: Pixels, nested: bool) -> Rectangle:
    """One border off all sides that have one; ``nested``: inside another one."""
    height, width = picture.shape
    sides = _sides(picture, picture)
    widths = [_border(side) for side in sides]
    found = [cut for cut in widths if cut]
    if len(found) == 1 and not nested:  # of several sides more can be believed than of one
        side = sides[widths.index(found[0])]
        tone = float(np.median(side[0]))
        if found[0] > _ALONE * len(side) or _BLACK < tone < _WHITE:
            return Rectangle(0, 0, width, height)
    if len(found) >= 2:
        widths = [
            cut or _as_others(side, min(found)) for side, cut in zip(sides, widths, strict=True)
        ]
    top, bottom, left, right = widths
    return Rectangle(left, top, width - left - right, height - top - bottom)


def _border(side: Pixels) -> int:
    """How many of the first lines are a border."""
    lines = len(side)
    deepest, slack = int(_WIDEST * lines), max(1, round(_SKEW * lines))
    shares, tones = _evenness(side[: deepest + slack + 1])
    even = (shares >= _EVEN) & (np.abs(tones - tones[0]) <= _DRIFT)
    end = int(np.argmin(even)) if not even.all() else len(even)
    if end == 0 or end > deepest:
        return 0
    tone, tolerance = tones[end - 1], _tolerance(side[:end])
    behind = side[end : end + slack + 1]
    left = (np.abs(behind - tone) <= tolerance).mean(axis=1)
    return end + int(np.argmax(left <= _BEGUN)) if (left <= _ENDED).any() else 0


def _as_others(side: Pixels, width: int) -> int:
    """The border of a side whose picture is as white as the paper: as wide as the others."""
    shares, tones = _evenness(side[:width])
    is_border = (shares >= _EVEN).all() and bool((np.abs(tones - tones[0]) <= _DRIFT).all())
    return width if is_border else 0


def _evenness(lines: Pixels) -> tuple[Pixels, Pixels]:
    """For each line: which share of it has the line's own tone, and that tone."""
    tones = np.median(lines, axis=1)
    near = np.abs(lines - tones[:, None]) <= _tolerance(lines[:2])
    return near.mean(axis=1), tones


def _tolerance(lines: Pixels) -> float:
    """How far from its tone a border's pixels may be: more, where it is grainy."""
    grain = np.median(np.abs(np.diff(lines, axis=1))) if lines.shape[1] > 1 else 0.0
    return _TOLERANCE + min(3 * float(grain), _TOLERANCE)


def _at_full_resolution(
    pixels: npt.NDArray[np.generic], small: Pixels, inside: Rectangle, step: int
) -> Rectangle:
    """The same rectangle, to the pixel."""
    (height, width), (h, w) = pixels.shape, small.shape
    whole = pixels[: h * step, : w * step]  # lines that the small copy has no place for are last
    cuts = [inside.y, h - inside.y - inside.height, inside.x, w - inside.x - inside.width]
    coarse = _sides(small[:, inside.columns], small[inside.rows])
    large = Rectangle(*(step * length for length in inside))
    full = _sides(whole[:, large.columns], whole[large.rows])
    top, bottom, left, right = map(partial(_refined, step=step), full, coarse, cuts)
    bottom += height - h * step if bottom else 0
    right += width - w * step if right else 0
    return Rectangle(left, top, width - left - right, height - top - bottom)


def _refined(full: npt.NDArray[np.generic], coarse: Pixels, cut: int, step: int) -> int:
    """Where a border of so many lines of the small copy ends in the photo."""
    if not cut:
        return 0
    first, tone = max(0, (cut - 2) * step), np.median(coarse[max(0, cut - 2)])
    band = full[first : (cut + 2) * step].astype(np.float32) / _levels(full)
    left = (np.abs(band - tone) <= _tolerance(coarse[:1])).mean(axis=1)
    begun = left <= _BEGUN
    return first + int(np.argmax(begun)) if begun.any() else cut * step


def _sides(
    upright: npt.NDArray[T], lying: npt.NDArray[T]
) -> tuple[npt.NDArray[T], npt.NDArray[T], npt.NDArray[T], npt.NDArray[T]]:
    """Top, bottom, left and right, each with its outermost line first."""
    return upright, upright[::-1], lying.T, lying.T[::-1]


def _levels(pixels: npt.NDArray[np.generic]) -> np.float32:
    """What brings gray levels to 0..255."""
    return np.float32(1 if pixels.dtype == np.uint8 else 257)
