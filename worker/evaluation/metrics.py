"""Metrics of colour, of its obedience to labels, and of labels. Pure functions of tensors.

Unless they say otherwise, *Lab* is 3×H×W CIE L*a*b* (L* 0..100), *chroma* is 2×H×W a*, b* (about
−110..110), *labels* are H×W class ids 0..59 of any integer dtype, 0 being unlabelled.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor.shared.classes import NUM_LABELS
from semcolor_worker.color import BIN_SIDE, chroma_bins

_AUC_LIMIT = 150.0  # a*, b* units
_RESAMPLES = 1000
_BINS_REACH = 12  # bins to either side of gray hold all of a*, b* −125..125
_SIDE_WIDTH = 4  # a side's colour is taken from within so many bands of the edge …
_SIDE_PIXELS = 30  # … if there are as many pixels
_SIDE_CONTRAST = 10.0  # a*, b* units between the two sides, or nothing could be seen to bleed


def ab_mae(chroma: Tensor, true: Tensor) -> float:
    """Mean absolute error of a* and b*, in their units."""
    return float((chroma - true).abs().mean())


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """CIEDE2000 colour difference of two Lab pictures, H×W, ≥ 0; about 1 is just noticeable.

    Sharma, Wu & Dalal, *The CIEDE2000 Color-Difference Formula: Implementation Notes,
    Supplementary Test Data, and Mathematical Observations*, Color Res. Appl. 30 (2005), equations
    2–22, with all parametric factors 1. Any shape whose first axis is L*, a*, b* will do.
    """
    (l1, a1, b1), (l2, a2, b2) = one, other
    g = 0.5 * (1 - _saturating((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1) % (2 * math.pi), torch.atan2(b2, a2) % (2 * math.pi)

    turn = h2 - h1
    turn = turn - 2 * math.pi * ((turn > math.pi).to(turn) - (turn < -math.pi).to(turn))
    d_l, d_c = l2 - l1, c2 - c1
    d_h = 2 * (c1 * c2).sqrt() * torch.sin(turn / 2)

    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = h1 + turn / 2  # of a gray colour any: what it enters is multiplied by d_h = 0
    t = (
        1
        - 0.17 * torch.cos(h_mean - math.radians(30))
        + 0.24 * torch.cos(2 * h_mean)
        + 0.32 * torch.cos(3 * h_mean + math.radians(6))
        - 0.20 * torch.cos(4 * h_mean - math.radians(63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / (20 + (l_mean - 50) ** 2).sqrt()
    s_c = 1 + 0.045 * c_mean
    s_h = 1 + 0.015 * c_mean * t
    degrees = torch.rad2deg(h_mean) % 360
    rotation = math.radians(30) * torch.exp(-(((degrees - 275) / 25) ** 2))
    r_t = -torch.sin(2 * rotation) * 2 * _saturating(c_mean)
    lightness, chroma, hue = d_l / s_l, d_c / s_c, d_h / s_h
    square: Tensor = lightness**2 + chroma**2 + hue**2 + r_t * chroma * hue
    return square.clamp(min=0).sqrt()


def colourfulness(rgb: Tensor) -> float:
    """M⁽³⁾ = σ + 0.3 μ of the opponent axes rg and yb of 3×H×W sRGB (0..255); 0 is gray.

    Hasler & Süsstrunk, *Measuring Colourfulness in Natural Images*, SPIE 5007 (2003). rg and yb
    keep their signs, as there; some papers' code takes absolute values, which gives less.
    """
    red, green, blue = rgb.float()
    opponents = torch.stack([red - green, (red + green) / 2 - blue]).flatten(1)
    return float(opponents.std(1, correction=0).norm() + 0.3 * opponents.mean(1).norm())


def mean_chroma(chroma: Tensor) -> float:
    """Mean distance from gray, √(a*² + b*²)."""
    return float(_length(chroma).mean())


def auc_ab(chroma: Tensor, true: Tensor) -> float:
    """Share of pixels with a distance ≤ t from the true a*, b*, averaged over t = 0..150; 0..1.

    Zhang, Isola & Efros, *Colorful Image Colorization* (arXiv 1603.08511, §3.1), there over whole
    t; here the integral itself, which is the mean of 1 − min(distance, 150)/150.
    """
    return 1 - float((_length(chroma - true) / _AUC_LIMIT).clamp(max=1).mean())


def bin_index(chroma: Tensor) -> Tensor:
    """H×W int64: which of :func:`~semcolor_worker.color.chroma_bins` is nearest."""
    cell = (chroma / BIN_SIDE).round().long().clamp(-_BINS_REACH, _BINS_REACH) + _BINS_REACH
    return _nearest_bins().to(chroma.device)[cell[0], cell[1]]


@dataclass(frozen=True)
class ClassColours:
    """What colours classes have in a set of photos; sets add and subtract.

    ``photos``: 60, how many show the class. ``shares``: 60×K, the sum over them of each chroma
    bin's share in the class's pixels. ``pixels``: 60; ``chroma``: 60×2, the sum of a*, b*.
    *Unlabelled* counts as a class.
    """

    photos: Tensor
    shares: Tensor
    pixels: Tensor
    chroma: Tensor

    @classmethod
    def none(cls) -> "ClassColours":
        """Of no photo at all."""
        return cls.of(torch.zeros(2, 0, 0), torch.zeros(0, 0, dtype=torch.uint8))

    @classmethod
    def of(cls, chroma: Tensor, labels: Tensor) -> "ClassColours":
        """Of one photo."""
        ids, bins = labels.flatten().long(), len(chroma_bins())
        cells = ids * bins + bin_index(chroma).flatten()
        counts = cells.bincount(minlength=NUM_LABELS * bins).view(NUM_LABELS, bins).double()
        pixels = counts.sum(1)
        total = torch.zeros(NUM_LABELS, 2, dtype=torch.float64)
        total.index_add_(0, ids, chroma.flatten(1).T.double())
        shares = counts / pixels.clamp(min=1)[:, None]
        return cls((pixels > 0).double(), shares, pixels, total)

    def __add__(self, other: "ClassColours") -> "ClassColours":
        return ClassColours(
            self.photos + other.photos,
            self.shares + other.shares,
            self.pixels + other.pixels,
            self.chroma + other.chroma,
        )

    def __sub__(self, other: "ClassColours") -> "ClassColours":
        return ClassColours(
            self.photos - other.photos,
            self.shares - other.shares,
            self.pixels - other.pixels,
            self.chroma - other.chroma,
        )

    def means(self) -> Tensor:
        """60×2 float32: mean a*, b* by class; of all pixels for a class that no photo shows."""
        overall = self.chroma.sum(0) / self.pixels.sum().clamp(min=1)
        own = self.chroma / self.pixels.clamp(min=1)[:, None]
        return torch.where(self.photos[:, None] > 0.5, own, overall).float()

    def log_probability(self) -> Tensor:
        """60×K float32: log p(bin | class), each photo counting once.

        Smoothed by one more photo in which every bin is as likely.
        """
        bins = self.shares.shape[1]
        shares = self.shares.clamp(min=0) + 1 / bins
        return (shares / (self.photos[:, None] + 1)).log().float()


def plausibility(chroma: Tensor, labels: Tensor, log_probability: Tensor) -> float:
    """Mean log p(bin of the colour | class) over labelled pixels; nan where there is none.

    ``log_probability``: 60×K, of :class:`ClassColours`. Class-wise colour statistics agree with
    raters better than pixel metrics do (SCD, CGI 2024). Common colours are likely ones: gray has
    a high value, and the originals' own is the mark to compare with.
    """
    labelled = labels > 0
    return float(log_probability[labels[labelled].long(), bin_index(chroma)[labelled]].mean())


def bleeding(chroma: Tensor, original: Tensor, labels: Tensor, band: int) -> tuple[int, int, int]:
    """Pixels whose colour is the other side's, within ``band`` pixels of label edges.

    A side is a class where it is near another one; its colour is its mean a*, b* beyond the band.
    A pixel of the band has crossed when it is nearer to the other side's mean than to its own
    side's. Edges count where both pictures have two clearly different sides.

    Returns how many crossed in ``chroma``, how many in ``original``, and how many were looked at.
    The formula is ours; the nearest published one, CDR, clusters colours around image edges where
    no labels are given (Kim et al., arXiv 2107.01619).
    """
    pictures = torch.stack([chroma, original])
    crossed, looked_at = torch.zeros(2, dtype=torch.int64), 0
    for (band_1, side_1), (band_2, side_2) in _edges(labels, band):
        mean_1, mean_2 = pictures[:, :, side_1].mean(2), pictures[:, :, side_2].mean(2)
        if _length(mean_1 - mean_2, dim=1).min() < _SIDE_CONTRAST:
            continue
        for pixels, own, other in ((band_1, mean_1, mean_2), (band_2, mean_2, mean_1)):
            colours = pictures[:, :, pixels]
            to_own = _length(colours - own[..., None], dim=1)
            to_other = _length(colours - other[..., None], dim=1)
            crossed += (to_other < to_own).sum(1)
            looked_at += colours.shape[2]
    return int(crossed[0]), int(crossed[1]), looked_at


@dataclass(frozen=True)
class EditResponse:
    """What repainting one region did to the colour, in a*, b* units.

    ``toward``: the region's mean colour moved in the direction of the new class's;
    ``nearer``: and ended nearer to it. ``inside``, ``outside``: mean change of the pixels.
    """

    toward: bool
    nearer: bool
    inside: float
    outside: float


def edit_response(before: Tensor, after: Tensor, region: Tensor, goal: Tensor) -> EditResponse:
    """Compare chroma before and after ``region`` (H×W bool) was given another class.

    ``goal``: 2, the new class's mean a*, b*. The region moved toward it if the scalar product of
    its movement with the way from its colour before to the goal is positive.
    """
    start, end = before[:, region].mean(1), after[:, region].mean(1)
    change = _length(after - before)
    return EditResponse(
        toward=bool(torch.dot(end - start, goal - start) > 0),
        nearer=bool(_length(goal - end) < _length(goal - start)),
        inside=float(change[region].mean()),
        outside=float(change[~region].mean()) if bool((~region).any()) else 0.0,
    )


def confusion(predicted: Tensor, labels: Tensor) -> Tensor:
    """60×60 int64: pixels by true class (row) and predicted class; unlabelled ones are left out."""
    labelled = labels > 0
    cells = labels[labelled].long() * NUM_LABELS + predicted[labelled].long()
    return cells.bincount(minlength=NUM_LABELS**2).view(NUM_LABELS, NUM_LABELS)


def pixel_accuracy(confusion: Tensor) -> float:
    """Share of the labelled pixels that are right (Long et al., arXiv 1411.4038, §5)."""
    return float(confusion.diagonal().sum() / confusion.sum())


def iou(confusion: Tensor) -> Tensor:
    """60: by class intersection over union (arXiv 1411.4038, §5); nan where the class is absent."""
    right, true = confusion.diagonal().double(), confusion.sum(1)
    return torch.where(true > 0, right / (true + confusion.sum(0) - right), torch.nan)


def mean_iou(confusion: Tensor) -> float:
    """Mean of :func:`iou` over the classes present."""
    return float(iou(confusion).nanmean())


def interval(values: Tensor, over: Tensor | None = None) -> tuple[float, float]:
    """95% interval of Σ values / Σ ``over`` (of the mean without ``over``); both are N.

    Percentile bootstrap over the N photos (Efron & Tibshirani, 1993, §13.3), the same resamples
    every time.
    """
    over = torch.ones_like(values) if over is None else over
    rng = torch.Generator().manual_seed(0)
    picks = torch.randint(len(values), (_RESAMPLES, len(values)), generator=rng)
    quotients = values.double()[picks].sum(1) / over.double()[picks].sum(1)
    low, high = quotients.quantile(quotients.new_tensor([0.025, 0.975])).tolist()
    return low, high


def _length(chroma: Tensor, dim: int = 0) -> Tensor:
    """Of vectors a*, b* along ``dim``; several times as fast as Tensor.norm."""
    return torch.hypot(*chroma.unbind(dim))


def _saturating(chroma: Tensor) -> Tensor:
    """√(C⁷ / (C⁷ + 25⁷)), which CIEDE2000 uses twice."""
    power = chroma**7
    return (power / (power + 25.0**7)).sqrt()


@cache
def _nearest_bins() -> Tensor:
    """The nearest bin of each cell of the grid around gray."""
    steps = torch.arange(-_BINS_REACH, _BINS_REACH + 1) * float(BIN_SIDE)
    cells = torch.cartesian_prod(steps, steps)
    return torch.cdist(cells, chroma_bins()).argmin(1).view(len(steps), len(steps))


_Side = tuple[Tensor, Tensor]  # both H×W bool: its band, and what its colour is taken from


def _edges(labels: Tensor, band: int) -> Iterator[tuple[_Side, _Side]]:
    """For any two classes that meet, both sides of the edge."""
    present = labels.unique()
    inside = labels == present[present > 0].view(-1, 1, 1)
    if len(inside) < 2:
        return
    near, far = _grown(inside, band), _grown(inside, _SIDE_WIDTH * band)
    for i, j in combinations(range(len(inside)), 2):
        bands = inside[i] & near[j], inside[j] & near[i]
        sides = inside[i] & far[j] & ~near[j], inside[j] & far[i] & ~near[i]
        if bands[0].any() and min(int(side.sum()) for side in sides) >= _SIDE_PIXELS:
            yield (bands[0], sides[0]), (bands[1], sides[1])


def _grown(masks: Tensor, reach: int) -> Tensor:
    """C×H×W bool masks, each with what is at most ``reach`` pixels away, rows and columns."""
    window = 2 * reach + 1
    rows = F.max_pool2d(masks.float(), (window, 1), 1, (reach, 0))
    return F.max_pool2d(rows, (1, window), 1, (0, reach)) > 0
