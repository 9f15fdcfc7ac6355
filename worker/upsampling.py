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
    """CIE Lab's f(X/Xn) and f(Z/Zn) as ``slope · L* + offset``.

    ``coefficients``: h×w×4 at detail, both slopes, then both offsets.
    """

    coefficients: Tensor

    def at(self, lightness: Tensor, size: tuple[int, int], tile: Rectangle) -> Tensor:
        """2×H×W f(X/Xn), f(Z/Zn) of one tile of a photo of ``size``.

        ``lightness``: the tile's own H×W L* (0..100).
        """
        sx, sz, ox, oz = bilinear_rows(self.coefficients, size, tile).unbind(2)
        f = lightness.new_empty(2, *lightness.shape)
        torch.addcmul(ox, sx, lightness, out=f[0])
        torch.addcmul(oz, sz, lightness, out=f[1])
        return f


def guide_chroma(lightness: Tensor, chroma: Tensor) -> GuidedChroma:
    """Fit chroma (1×2×h×w a*, b*) to lightness (1×1×h×w, 0..100), both at detail."""
    mean_l, mean_c = _mean(lightness), _mean(chroma)
    covariance = _mean(lightness * chroma) - mean_l * mean_c
    variance = _mean(lightness * lightness) - mean_l * mean_l
    slope = covariance / (variance + _SMOOTHNESS)
    offset = mean_c - slope * mean_l
    # f(X/Xn) = (L* + 16)/116 + a*/500 and f(Z/Zn) = (L* + 16)/116 − b*/200 are as linear.
    per_unit = torch.tensor([1 / 500, -1 / 200], device=chroma.device)
    slopes = _mean(slope)[0].permute(1, 2, 0) * per_unit + 1 / 116
    offsets = _mean(offset)[0].permute(1, 2, 0) * per_unit + 16 / 116
    return GuidedChroma(torch.cat([slopes, offsets], dim=2))


def bilinear_rows(values: Tensor, size: tuple[int, int], tile: Rectangle) -> Tensor:
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


def _mean(values: Tensor) -> Tensor:
    side = 2 * _RADIUS + 1
    return F.avg_pool2d(values, side, stride=1, padding=_RADIUS, count_include_pad=False)
