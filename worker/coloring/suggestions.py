"""Plausible colours for a part of a photo, and giving it one of them.

The colour network's distribution over bins of chroma is averaged over the part. It is one of
pixels; the part's mean has one like it, but narrower around what the network would paint. The first
suggestion is where most of the pixels are likely to be; the others cover as much as they can of
what is left. It is not sharpened, as for one best colour it would be (Zhang, Isola & Efros,
*Colorful Image Colorization*, arXiv 1603.08511, equation 5): the rarer colours are what a restorer
asks for.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import color

MOST = 6
# Of the distances below, in a*, b* units, and of the share, several were tried on held-out photos.
_REACH = 20.0  # around the most likely pixels
_COVERED = 10.0  # around a suggestion: what looks like it
_APART = 15.0  # of any two suggestions, at least
_NARROWER = 0.6  # how much of their pixels' spread the means of parts have
_RARE = 0.001  # smaller shares are noise
_STEP = 4.0  # between the colours that are tried


class Likely(NamedTuple):
    """A chroma and how likely it is, 0..1."""

    a: float
    b: float
    share: float


def average_distribution(probabilities: Tensor, mask: Tensor) -> Tensor:
    """K probabilities of a part: K×h×w probabilities, h×w weights.

    Raises SemcolorError (EMPTY_SELECTION) for no weight.
    """
    weight = mask.sum()
    if not weight > 0:
        raise SemcolorError(Code.EMPTY_SELECTION)
    return (probabilities * mask).sum(dim=(1, 2)) / weight


def distinct_colours(probabilities: Tensor, centres: Tensor, mean: Tensor) -> list[Likely]:
    """At most six that really differ, most likely first.

    ``probabilities`` (K) of chroma ``centres`` (K×2), of a part's pixels; ``mean``: its a*, b* as
    the network would paint it. Shares are of what looks like a suggestion.
    """
    left, centres, mean = probabilities.double().clone(), centres.double(), mean.double()
    near = torch.cdist(centres, centres) < _REACH
    likeliest = near[(near.double() @ left).argmax()]
    share = float(left[likeliest].sum())
    a, b = (left[likeliest] @ centres[likeliest] / share).tolist()
    found = [Likely(a, b, share)]
    means = mean + (centres - mean) * _NARROWER
    first = torch.tensor([[a, b]], dtype=torch.float64)
    left[likeliest | (torch.cdist(first, means) < _COVERED)[0]] = 0
    tried = _grid(centres)
    covers = (torch.cdist(tried, means) < _COVERED).double()
    while len(found) < MOST:
        chosen = torch.tensor([(one.a, one.b) for one in found], dtype=torch.float64)
        allowed = torch.cdist(tried, chosen).amin(1) >= _APART
        shares = torch.where(allowed, covers @ left, -1.0)
        best = int(shares.argmax())
        if shares[best] < _RARE:
            break
        a, b = tried[best].tolist()
        found.append(Likely(a, b, float(shares[best])))
        left[covers[best] > 0] = 0
    return [found[0], *sorted(found[1:], key=lambda likely: -likely.share)]


def _grid(centres: Tensor) -> Tensor:
    """N×2 chroma to try: all around the centres, whatever bins these are of."""
    low, high = centres.amin(0), centres.amax(0)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    axes = [torch.arange(start, end + _STEP, _STEP).double() for start, end in ends]
    grid = torch.cartesian_prod(*axes)
    inside: Tensor = grid[torch.cdist(grid, centres).amin(1) < _COVERED]
    return inside


def tinted(chroma: Tensor, mask: Tensor, a: float, b: float) -> Tensor:
    """Chroma (1×2×h×w) whose mean over the mask (h×w, 0..1) is moved to a*, b*.

    The part keeps its own variation; where the mask is between 0 and 1, so is the shift.
    """
    weight = mask.sum()
    if not weight > 0:
        return chroma
    mean = (chroma * mask).sum(dim=(2, 3), keepdim=True) / weight
    return chroma + mask * (chroma.new_tensor([a, b]).view(1, 2, 1, 1) - mean)


def median(values: Tensor, mask: Tensor) -> float:
    """Of the values (h×w) that the mask (h×w) has at least half selected, or most of all."""
    chosen = mask >= min(0.5, float(mask.max()))
    return float(values[chosen].median())


def swatch(lightness: float, a: float, b: float) -> str:
    """“#rrggbb” of a colour as a photo shows it: in gamut, at its lightness (0..100)."""
    gray = color.gray_from_lightness(torch.tensor(lightness)).clamp(0, 1) * 255
    pixel = gray.round().to(torch.uint8).view(1, 1)
    rgb = color.rgb_from_ab(pixel, torch.tensor([a, b]).view(2, 1, 1))
    return "#" + bytes(rgb.flatten().tolist()).hex()
