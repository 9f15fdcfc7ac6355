"""Chroma from detail to full resolution, along the photo's edges.

The fast guided filter (He & Sun, arXiv 1505.00996): around each pixel at detail chroma is fitted
as a linear function of lightness; the two coefficients are smooth, so they are interpolated, and
the *full-resolution* lightness brings the photo's own edges back.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor.messages import Rectangle

_RADIUS = 2  # pixels at detail
_SMOOTHNESS = 4.0  # variance of L* below which an area counts as flat


@dataclass(frozen=True)
class GuidedChroma:
    """Chroma as ``slope · L* + offset``; both 2×h×w at detail."""

    slope: Tensor
    offset: Tensor

    def at(self, lightness: Tensor, size: tuple[int, int], tile: Rectangle) -> Tensor:
        """2×H×W a*, b* of one tile of a photo of ``size``, given the tile's H×W L* (0..100)."""
        coefficients = bilinear_rows(torch.cat([self.slope, self.offset]), size, tile)
        return torch.addcmul(coefficients[2:], coefficients[:2], lightness)


def guide_chroma(lightness: Tensor, chroma: Tensor) -> GuidedChroma:
    """Fit chroma (1×2×h×w a*, b*) to lightness (1×1×h×w, 0..100), both at detail."""
    mean_l, mean_c = _mean(lightness), _mean(chroma)
    covariance = _mean(lightness * chroma) - mean_l * mean_c
    variance = _mean(lightness * lightness) - mean_l * mean_l
    slope = covariance / (variance + _SMOOTHNESS)
    offset = mean_c - slope * mean_l
    return GuidedChroma(_mean(slope)[0], _mean(offset)[0])


def bilinear_rows(values: Tensor, size: tuple[int, int], tile: Rectangle) -> Tensor:
    """C×h×w values at detail, interpolated on one tile of a picture of ``size`` (height, width).

    The same numbers as interpolating the whole picture and cutting the tile out of it.
    """
    _, h, w = values.shape
    height, width = size
    top, bottom, down = _neighbours(tile.y, tile.height, h / height, h, values.device)
    left, right, across = _neighbours(tile.x, tile.width, w / width, w, values.device)
    rows = torch.lerp(values[:, top], values[:, bottom], down[:, None])
    return torch.lerp(rows[:, :, left], rows[:, :, right], across)


def _neighbours(
    start: int, count: int, scale: float, limit: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Indices before and after each position, and how far it is towards the second."""
    position = (torch.arange(start, start + count, device=device) + 0.5) * scale - 0.5
    position = position.clamp(0, limit - 1)
    before = position.long()
    return before, (before + 1).clamp(max=limit - 1), position - before


def _mean(values: Tensor) -> Tensor:
    side = 2 * _RADIUS + 1
    return F.avg_pool2d(values, side, stride=1, padding=_RADIUS, count_include_pad=False)
