"""Pixel arrays: what they are called, and gray from colour."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

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

_LUMINANCE = (0.2126729, 0.7151522, 0.0721750)  # of linear sRGB


def gray_from_rgb(rgb: Rgb) -> Gray:
    """H×W×3 sRGB to H×W gray of the same luminance and dtype; neutral pixels stay exact."""
    top = np.iinfo(rgb.dtype).max
    linear = _linear_table(rgb.dtype)
    luminance = sum(weight * linear[rgb[..., channel]] for channel, weight in enumerate(_LUMINANCE))
    return (srgb_from_linear(np.asarray(luminance)) * top + 0.5).astype(rgb.dtype)


def srgb_from_linear(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Linear light to the sRGB transfer curve, both 0..1."""
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curve).clip(0, 1)


@cache
def _linear_table(dtype: np.dtype[Any]) -> npt.NDArray[np.float32]:
    top = np.iinfo(dtype).max
    value = np.arange(top + 1) / top
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)
