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
    moments = torch.cat([lightness, chroma, lightness * lightness, lightness * chroma], dim=1)
    mean_l, mean_c, mean_ll, mean_lc = _mean(moments).split([1, 2, 1, 2], dim=1)
    slope = (mean_lc - mean_l * mean_c) / (mean_ll - mean_l * mean_l + _SMOOTHNESS)
    offset = mean_c - slope * mean_l
    coefficients = _mean(torch.cat([slope, offset], dim=1))[0].permute(1, 2, 0)
    # f(X/Xn) = (L* + 16)/116 + a*/500 and f(Z/Zn) = (L* + 16)/116 − b*/200 are as linear.
    scale = coefficients.new_tensor([1 / 500, -1 / 200, 1 / 500, -1 / 200])
    shift = coefficients.new_tensor([1 / 116, 1 / 116, 16 / 116, 16 / 116])
    return GuidedChroma((coefficients * scale + shift).contiguous())


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
    """Box filter; sums of shifted copies are ten times as fast as average pooling."""
    side = 2 * _RADIUS + 1
    padded = F.pad(values, (_RADIUS,) * 4, mode="replicate")
    rows = _sum([padded[:, :, i : i + values.shape[2]] for i in range(side)])
    return _sum([rows[..., i : i + values.shape[3]] for i in range(side)]).div_(side * side)


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total
