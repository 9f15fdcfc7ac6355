"""Plausible colours for a part of a photo, and giving it one of them.

The colour network's distribution over bins of chroma is averaged over the part and split into a few
colours that look different. It is not sharpened, as for one best colour it would be (Zhang, Isola &
Efros, *Colorful Image Colorization*, arXiv 1603.08511, equation 5): the rarer ones are what a
restorer asks for.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import color

MOST = 6
_REACH = 20.0  # a*, b* units: what is nearer to a suggestion is the same suggestion
_RARE = 0.02  # smaller shares are noise


class Likely(NamedTuple):
    """A chroma and how likely it is, 0..1."""

    a: float
    b: float
    share: float


def average_distribution(logits: Tensor, mask: Tensor) -> Tensor:
    """K probabilities of a part: K×h×w logits, h×w weights.

    Raises SemcolorError (EMPTY_SELECTION) for no weight.
    """
    weight = mask.sum()
    if not weight > 0:
        raise SemcolorError(Code.EMPTY_SELECTION)
    probabilities = torch.softmax(logits, dim=0)
    return (probabilities * mask).sum(dim=(1, 2)) / weight


def distinct_colours(probabilities: Tensor, centres: Tensor) -> list[Likely]:
    """At most six, most likely first, of K probabilities and their K×2 chroma.

    The chroma with the most probability near it comes first and takes what is near with it; the
    next one is found in what is left.
    """
    left = probabilities.double().clone()
    centres = centres.double()
    near = (torch.cdist(centres, centres) < _REACH).double()
    found: list[Likely] = []
    while len(found) < MOST:
        taken = near[(near @ left).argmax()] * left
        share = float(taken.sum())
        if share < _RARE:
            break
        a, b = (taken @ centres / share).tolist()
        found.append(Likely(a, b, share))
        left -= taken
    return sorted(found, key=lambda likely: -likely.share)


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
