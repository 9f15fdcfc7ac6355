"""Pixel arrays: what they are called, and gray from colour."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .curves import RGB_TO_XYZ, linear_from_srgb, srgb_from_linear

LabelMap = npt.NDArray[np.uint8]
"""H×W class ids, 0 where unlabelled."""
Mask = npt.NDArray[np.uint8]
"""H×W, how much of each pixel is meant, 0..255."""
Flags = npt.NDArray[np.bool_]
"""H×W, which pixels are meant."""
Rgba = npt.NDArray[np.uint8]
"""H×W×4 sRGB and alpha."""
Gray = npt.NDArray[Any]
"""H×W uint8 or uint16 in the sRGB transfer curve: a photo."""
Rgb = npt.NDArray[Any]
"""H×W×3 sRGB, uint8 or uint16."""


def gray_from_rgb(rgb: Rgb) -> Gray:
    """H×W×3 sRGB to H×W gray of the same luminance and dtype; neutral pixels stay exact."""
    linear = _linear_table(rgb.dtype)
    luminance = sum(
        weight * linear[rgb[..., channel]] for channel, weight in enumerate(RGB_TO_XYZ[1])
    )
    return gray_from_luminance(np.asarray(luminance), rgb.dtype)


def gray_from_luminance(luminance: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Gray:
    """H×W relative luminance, 0..1, to gray of uint8 or uint16; what is outside is clipped."""
    share: npt.NDArray[np.float32] = srgb_from_linear(luminance, np).clip(0, 1)
    return (share * np.iinfo(dtype).max + 0.5).astype(dtype)


@cache
def _linear_table(dtype: np.dtype[Any]) -> npt.NDArray[np.float32]:
    top = np.iinfo(dtype).max
    linear: npt.NDArray[np.float32] = linear_from_srgb(np.arange(top + 1) / top, np)
    return linear.astype(np.float32)
