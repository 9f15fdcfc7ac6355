"""Chroma from detail to full resolution, along the edges of the photo and of its labels.

The fast guided filter (He & Sun, arXiv 1505.00996): around each pixel at detail chroma is fitted
as a linear function of lightness; the two coefficients are smooth, so they are interpolated, and
the *full-resolution* lightness brings the photo's own edges back. Ours: pixels of another class
count little in a fit, so that colour does not leak over a label edge.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker import color

from .windows import Window

Size = tuple[int, int]  # height, width

_RADIUS = 2  # pixels at detail
GUIDE_REACH = 2 * _RADIUS  # how far chroma reaches into the coefficients
_SMOOTHNESS = 4.0  # variance of L* below which an area counts as flat
_ACROSS = 0.15  # weight of another class's pixels; less of it draws rough strokes' edges too hard
# Colours that are less than one 8-bit level apart are at most one level apart once rounded. What is
# left to a whole level is for what happens between the places and the grays that are tried; half a
# level would be ten times as far away, where bfloat16 rounds otherwise after every edit.
_VISIBLE = 0.75 * 257  # in 16 bits
_NEGLIGIBLE = 5e-5  # of f(X/Xn), f(Z/Zn): a fortieth of a unit of a*; nowhere half a level
# How far apart the grays that are tried are, in 16 bits, and the places: what few of them show
# need not be shown by all.
_TRIALS = ((64 * 257, 4), (64 * 257, 1), (4 * 257, 1))
_NEARLY_VISIBLE = 0.1 * 257  # in 16 bits: what less is seen of is not visible between these grays
_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class GuidedChroma:
    """CIE Lab's f(X/Xn) and f(Z/Zn) as ``slope · L* + offset``.

    ``coefficients``: h×w×4 at detail, both slopes, then both offsets.
    """

    coefficients: Tensor

    def at(self, lightness: Tensor, size: Size, tile: Rectangle) -> Tensor:
        """2×H×W f(X/Xn), f(Z/Zn) of one tile of a photo of ``size``.

        ``lightness``: the tile's own H×W L* (0..100).
        """
        sx, sz, ox, oz = bilinear_rows(self.coefficients, size, tile).unbind(2)
        f = lightness.new_empty(2, *lightness.shape)
        torch.addcmul(ox, sx, lightness, out=f[0])
        torch.addcmul(oz, sz, lightness, out=f[1])
        return f


def guide_chroma(lightness: Tensor, chroma: Tensor, labels: Tensor) -> GuidedChroma:
    """Fit chroma (1×2×h×w a*, b*) to lightness (1×1×h×w, 0..100), all at detail.

    ``labels``: h×w class ids.
    """
    coefficients = fit_to_lightness(lightness, chroma, labels)
    # f(X/Xn) = (L* + 16)/116 + a*/500 and f(Z/Zn) = (L* + 16)/116 − b*/200 are as linear.
    scale = coefficients.new_tensor([1 / 500, -1 / 200, 1 / 500, -1 / 200])
    shift = coefficients.new_tensor([1 / 116, 1 / 116, 16 / 116, 16 / 116])
    return GuidedChroma((coefficients * scale + shift).contiguous())


def fit_to_lightness(lightness: Tensor, values: Tensor, labels: Tensor) -> Tensor:
    """h×w×2C: slopes, then offsets of values (1×C×h×w) over lightness (1×1×h×w, 0..100).

    ``labels``: h×w class ids; *unlabelled* is no other class than any.
    """
    channels = values.shape[1]
    shares = list(_shares(labels))
    moments = torch.cat([lightness, values, lightness * lightness, lightness * values], dim=1)
    mean_l, mean_v, mean_ll, mean_lv = _mean(moments, shares).split(
        [1, channels, 1, channels], dim=1
    )
    slope = (mean_lv - mean_l * mean_v) / (mean_ll - mean_l * mean_l + _SMOOTHNESS)
    offset = mean_v - slope * mean_l
    smooth = _mean(torch.cat([slope, offset], dim=1), shares)
    return smooth[0].permute(1, 2, 0).contiguous()


def gray_range(photo: Tensor, size: Size) -> Tensor:
    """2×h×w uint16: darkest and lightest gray of a photo around each pixel at detail.

    Around: wherever :func:`bilinear_rows` gives that pixel any weight. ``photo``: H×W on the CPU.
    """
    extremes = []
    for extreme in (np.minimum, np.maximum):
        grays = photo.numpy()
        for axis, (full, small) in enumerate(zip(photo.shape, size, strict=True)):
            starts = np.minimum(_cells(full, small), full - 1)
            grays = extreme.reduceat(grays, starts, axis)
            last = grays.shape[axis] - 1
            grays = extreme(grays.take(range(last), axis), grays.take(range(1, last + 1), axis))
        extremes.append(torch.from_numpy(grays.astype(np.int32)))
    scale = 257 if photo.dtype == torch.uint8 else 1
    return (torch.stack(extremes) * scale).to(torch.uint16)


def visible_changes(
    before: GuidedChroma, after: GuidedChroma, grays: Tensor, size: Size, window: Window
) -> Rectangle:
    """Where two colourings of a photo of ``size`` differ by more than one level in 8 bits.

    Both are given inside a window at detail, outside which they are equal. ``grays``:
    :func:`gray_range` of the photo. They are compared at detail, at some of the grays that the
    photo has there; the rectangle holds every pixel that a visible difference reaches.
    """
    one, other = before.coefficients, after.coefficients
    darkest, lightest = grays[:, *window.slices].to(one.device).to(torch.int32)
    far = [_f(one - other, gray).abs().amax(0) for gray in (darkest, lightest)]
    candidates = torch.maximum(*far) > _NEGLIGIBLE
    visible = torch.zeros_like(candidates)
    for step, apart in _TRIALS:
        tried = torch.zeros_like(candidates)
        tried[::apart, ::apart] = candidates[::apart, ::apart]
        pair = one[tried], other[tried]
        differences = _differences(pair, darkest[tried], lightest[tried], step)
        visible[tried] = differences > _VISIBLE
        candidates[tried] = differences > _NEARLY_VISIBLE
        if not visible.any():
            continue
        (top, rows), (left, columns) = _span(visible.any(dim=1)), _span(visible.any(dim=0))
        candidates[top : top + rows, left : left + columns] = False  # only the rectangle counts
    if not visible.any():
        return NOWHERE
    y, height = _reach(visible.any(dim=1), window.top, size[0], grays.shape[1])
    x, width = _reach(visible.any(dim=0), window.left, size[1], grays.shape[2])
    return Rectangle(x, y, width, height) if width and height else NOWHERE


def bilinear_rows(values: Tensor, size: Size, tile: Rectangle) -> Tensor:
    """h×w×C values at detail, interpolated on one tile of a picture of ``size``: H×W×C.

    The same numbers as interpolating the whole picture and cutting the tile out of it.
    """
    h, w, _ = values.shape
    height, width = size
    top, bottom, down = _neighbours(tile.y, tile.height, h / height, h, values.device)
    left, right, across = _neighbours(tile.x, tile.width, w / width, w, values.device)
    rows = torch.lerp(
        values.index_select(0, top), values.index_select(0, bottom), down[:, None, None]
    )
    return torch.lerp(rows.index_select(1, left), rows.index_select(1, right), across[:, None])


def _neighbours(
    start: int, count: int, scale: float, limit: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Indices before and after each position, and how far it is towards the second."""
    position = (torch.arange(start, start + count, device=device) + 0.5) * scale - 0.5
    position = position.clamp(0, limit - 1)
    before = position.to(torch.int32)
    return before, (before + 1).clamp(max=limit - 1), position - before


def _f(coefficients: Tensor, gray: Tensor) -> Tensor:
    """2×…: f(X/Xn), f(Z/Zn) of 16-bit grays (int32) by their own coefficients (…×4)."""
    lightness = color.gray_lightness(gray.to(torch.uint16))
    slope_x, slope_z, offset_x, offset_z = coefficients.unbind(-1)
    return torch.stack([slope_x * lightness + offset_x, slope_z * lightness + offset_z])


def _differences(
    pair: tuple[Tensor, Tensor], darkest: Tensor, lightest: Tensor, step: int
) -> Tensor:
    """How different N places look at most; grays are tried every ``step``; int32, 16 bits."""
    one, other = pair
    counts = torch.div(lightest - darkest + step - 1, step, rounding_mode="floor") + 1
    place = torch.arange(len(counts), device=one.device).repeat_interleave(counts)
    first = counts.cumsum(0) - counts
    number = torch.arange(len(place), device=one.device) - first[place]
    gray = torch.minimum(darkest[place] + number * step, lightest[place])
    largest = torch.zeros(len(counts), dtype=torch.int32, device=one.device)
    for start in range(0, len(place), _AT_ONCE):
        at, level = (values[start : start + _AT_ONCE] for values in (place, gray))
        difference = (_rgb(one[at], level) - _rgb(other[at], level)).abs().amax(dim=0)
        largest.scatter_reduce_(0, at, difference, "amax")
    return largest


def _rgb(coefficients: Tensor, gray: Tensor) -> Tensor:
    """3×… int32, 16-bit sRGB; arguments as for :func:`_f`."""
    rgb = color.rgb_from_chroma(gray.to(torch.uint16), _f(coefficients, gray))
    return rgb.to(torch.int32)


def _cells(full: int, small: int) -> list[int]:
    """First position at full resolution of each cell between two neighbours at detail.

    There are ``small`` + 1 cells; those before the first pixel and behind the last one count too.
    A cell too small for any position begins where the next one does.
    """
    starts = [math.ceil((i + 0.5) * full / small - 0.5) for i in range(small)]
    return [0] + [min(max(start, 0), full) for start in starts]


def _span(changed: Tensor) -> tuple[int, int]:
    """First of the true ones, and how many up to the last."""
    positions = changed.nonzero()
    first = int(positions[0])
    return first, int(positions[-1]) + 1 - first


def _reach(changed: Tensor, start: int, full: int, small: int) -> tuple[int, int]:
    """First position and how many at full resolution get anything from the changed ones.

    ``start``: where they begin, of ``small`` positions at detail.
    """
    first, count = _span(changed)
    first += start
    cells = [*_cells(full, small), full]
    return cells[first], cells[first + count + 1] - cells[first]


def _shares(labels: Tensor) -> Iterator[list[Tensor]]:
    """By axis, across and then down: the weight, h×w, of each of a pixel's neighbours."""
    ids = labels[None, None].float()
    for axis in (3, 2):
        near = torch.cat(_neighbourhood(ids, axis))
        across = (near != ids) & (near > 0) & (ids > 0)
        weights = 1 - (1 - _ACROSS) * across.float()
        yield list(weights / weights.sum(dim=0))


def _mean(values: Tensor, shares: list[list[Tensor]]) -> Tensor:
    """Box filter by :func:`_shares`."""
    for axis, weights in zip((3, 2), shares, strict=True):
        first, *others = zip(_neighbourhood(values, axis), weights, strict=True)
        values = first[0] * first[1]
        for part, weight in others:
            values.addcmul_(part, weight)
    return values


def _neighbourhood(values: Tensor, axis: int) -> list[Tensor]:
    """N×C×h×w values, moved along an axis by all that is at most the radius."""
    margin = (_RADIUS, _RADIUS, 0, 0) if axis == 3 else (0, 0, _RADIUS, _RADIUS)
    padded = F.pad(values, margin, mode="replicate")
    return [padded.narrow(axis, i, values.shape[axis]) for i in range(2 * _RADIUS + 1)]
