"""Colour arithmetic on tensors: gray ↔ lightness, Lab → sRGB in gamut, chroma to full resolution.

A *photo* is gray in the sRGB transfer curve, so its luminance Y and its lightness L* follow from
one table look-up. CIE Lab here is relative to D65, the white of sRGB. All functions keep the
device and work on float32 unless they say otherwise.
"""

from functools import cache

import torch
from torch import Tensor

# Linear sRGB → XYZ (IEC 61966-2-1), each row divided by the white's X, Y, Z.
_RGB_TO_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375],
     [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]], dtype=torch.float64)  # fmt: skip
_RGB_TO_XYZ = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(dim=1, keepdim=True)
_XYZ_TO_RGB = torch.linalg.inv(_RGB_TO_XYZ)
_DELTA = 6 / 29  # where CIE's cube root turns into its linear piece


def linear_from_srgb(value: Tensor) -> Tensor:
    """sRGB transfer curve to linear light, both 0..1."""
    return torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(value: Tensor) -> Tensor:
    """Linear light to the sRGB transfer curve, both 0..1."""
    curve = 1.055 * value.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(value <= 0.0031308, value * 12.92, curve)


def lightness_from_luminance(y: Tensor) -> Tensor:
    """Relative luminance 0..1 to CIE L* 0..100."""
    return 116 * _lab_curve(y) - 16


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """…×3×H×W sRGB 0..1 to CIE L*a*b* (L* 0..100, a* and b* about −110..110)."""
    linear = linear_from_srgb(rgb)
    matrix = _RGB_TO_XYZ.to(rgb)
    fx, fy, fz = _lab_curve(torch.einsum("ij,...jhw->...ihw", matrix, linear)).unbind(-3)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=-3)


def gray_tables(gray: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance (0..1) and L* (0..100) of gray pixels, uint8 or uint16, as float32."""
    luminance, lightness = _gray_lookup(gray.dtype, gray.device)
    index = gray.int()
    return luminance[index], lightness[index]


def rgb_from_chroma(gray: Tensor, chroma: Tensor) -> Tensor:
    """Colour gray pixels, keeping their lightness exactly and staying inside sRGB.

    ``gray``: H×W uint8 or uint16 (sRGB curve). ``chroma``: 2×H×W float, a* and b*.
    Returns H×W×3 of gray's dtype. Where the colour leaves the gamut it is mixed, in linear light,
    with the gray of its own luminance until it fits: luminance, hence L*, does not move.
    """
    y, lightness = gray_tables(gray)
    fy = (lightness + 16) / 116
    x = _lab_curve_inverse(fy + chroma[0] / 500)
    z = _lab_curve_inverse(fy - chroma[1] / 200)
    channels = [m[0] * x + m[1] * y + m[2] * z for m in _XYZ_TO_RGB.tolist()]
    low = torch.minimum(torch.minimum(channels[0], channels[1]), channels[2])
    high = torch.maximum(torch.maximum(channels[0], channels[1]), channels[2])
    # The largest share of the colour that keeps min ≥ 0 and max ≤ 1.
    share = torch.minimum(y / (y - low).clamp(min=1e-6), (1 - y) / (high - y).clamp(min=1e-6))
    share = share.clamp(max=1)
    rgb = torch.stack([y + share * (channel - y) for channel in channels], dim=-1)
    return _encode(rgb, gray.dtype)


def _encode(linear: Tensor, dtype: torch.dtype) -> Tensor:
    """Linear light to sRGB integers, correctly rounded for uint8 and to ±1 for uint16."""
    top = 255 if dtype == torch.uint8 else 65535
    value = srgb_from_linear(linear.clamp(0, 1)) * top + 0.5
    return value.to(torch.int32).to(dtype)


@cache
def _gray_lookup(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    if dtype not in (torch.uint8, torch.uint16):
        raise TypeError(f"a photo is uint8 or uint16, not {dtype}")
    levels = 256 if dtype == torch.uint8 else 65536
    y = linear_from_srgb(torch.arange(levels, dtype=torch.float64) / (levels - 1))
    return y.float().to(device), lightness_from_luminance(y).float().to(device)


def _lab_curve(t: Tensor) -> Tensor:
    root = t.clamp(min=_DELTA**3) ** (1 / 3)
    return torch.where(t > _DELTA**3, root, t / (3 * _DELTA**2) + 4 / 29)


def _lab_curve_inverse(t: Tensor) -> Tensor:
    return torch.where(t > _DELTA, t * t * t, 3 * _DELTA**2 * (t - 4 / 29))
