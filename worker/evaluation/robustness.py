"""The same photo, scanned otherwise: how much its colour changes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_BORDER = 0.06  # of the longer side
_GRAIN = 6.0  # standard deviation, of 255

Paint = Callable[[Tensor, Tensor | None], Tensor]
"""2×H×W a*, b* of a gray photo (H×W uint8) by a label map; None: by the predicted one."""

Plane = Callable[[Tensor], Tensor]


def _same(plane: Tensor) -> Tensor:
    return plane


@dataclass(frozen=True)
class Variant:
    """Another scan of a photo. All are functions of …×H×W; ``back`` undoes ``labels``."""

    gray: Plane
    labels: Plane = _same
    back: Plane = _same


def changes(paint: Paint, gray: Tensor, labels: Tensor) -> dict[str, dict[str, float]]:
    """For each variant: mean distance in a*b* from the photo's own colour, over its mean chroma.

    ``gray``: H×W uint8, ``labels``: H×W class ids, the true ones. By predicted and true labels.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in VARIANTS}
    for kind, given in (("predicted labels", None), ("true labels", labels)):
        own = paint(gray, given)
        chroma = own.norm(dim=0).mean().clamp(min=1)  # gray in all but name is no photo's fault
        for name, variant in VARIANTS.items():
            moved = None if given is None else variant.labels(given)
            other = variant.back(paint(variant.gray(gray), moved))
            found[name][kind] = float((other - own).norm(dim=0).mean() / chroma)
    return found


def _rescaled(gain: float, about_mean: bool) -> Plane:
    def change(gray: Tensor) -> Tensor:
        middle = gray.float().mean() if about_mean else 0.0
        return (middle + gain * (gray.float() - middle)).round().clamp(0, 255).to(torch.uint8)

    return change


def _grainy(gray: Tensor) -> Tensor:
    noise = np.random.default_rng(0).normal(0, _GRAIN, tuple(gray.shape))
    return (gray + torch.from_numpy(noise)).round().clamp(0, 255).to(torch.uint8)


def _bordered(value: int) -> Plane:
    return lambda plane: F.pad(plane, [_width(plane.shape)] * 4, value=value)


def _unbordered(plane: Tensor) -> Tensor:
    # Of the padded sides w + 2·b, where b is a share of the longer unpadded one.
    longest = max(plane.shape[-2:])
    width = next(b for b in range(longest) if _width((longest - 2 * b, 1)) == b)
    return plane[..., width : plane.shape[-2] - width, width : plane.shape[-1] - width]


def _width(shape: tuple[int, ...]) -> int:
    return round(_BORDER * max(shape[-2:]))


def _mirrored(plane: Tensor) -> Tensor:
    return plane.flip(-1)


VARIANTS = {
    "white border of 6%": Variant(_bordered(255), _bordered(0), _unbordered),
    "brightness × 0.9": Variant(_rescaled(0.9, about_mean=False)),
    "brightness × 1.1": Variant(_rescaled(1.1, about_mean=False)),
    "contrast × 0.45": Variant(_rescaled(0.45, about_mean=True)),
    "contrast × 1.59": Variant(_rescaled(1.59, about_mean=True)),
    "mirrored": Variant(_mirrored, _mirrored, _mirrored),
    "grain, σ 6": Variant(_grainy),
}
