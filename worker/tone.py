"""Evening out the tone of a photo: faded, dark and bright scans look alike to a network.

As a restorer's first move in *Levels*: the darkest and the brightest hundredth of the picture go to
the ends of the scale. All between them keeps its place, so that light stays light.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_DARK, _LIGHT = 5.0, 95.0  # L* where the ends of a picture's own range go
_ENDS = (0.01, 0.99)
_ENOUGH = 1 << 18  # pixels to know the ends by
_GAIN = 3.0  # at most: what is flatter is fog, or an empty page


class Tone(NamedTuple):
    """A linear change of lightness."""

    gain: float
    offset: float

    @classmethod
    def evening(cls, lightness: Tensor) -> "Tone":
        """The change that evens out a whole picture; ``lightness``: L* 0..100, any shape."""
        pixels = lightness.flatten()
        some = pixels[:: 1 + len(pixels) // _ENOUGH].float()
        low, high = torch.quantile(some, some.new_tensor(_ENDS)).cpu().tolist()
        gain = min(_GAIN, (_LIGHT - _DARK) / max(high - low, 1e-3))
        return cls(gain, (_DARK + _LIGHT) / 2 - gain * (low + high) / 2)

    def applied(self, lightness: Tensor) -> Tensor:
        """L* 0..100 of the picture, or of a part of it, after the change."""
        return (lightness * self.gain + self.offset).clamp(0, 100)


def evened(lightness: Tensor) -> Tensor:
    """A whole picture's L* (0..100, any shape) with its tone evened out."""
    return Tone.evening(lightness).applied(lightness)
