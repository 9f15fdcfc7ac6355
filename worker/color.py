"""Colour arithmetic on tensors: gray ↔ lightness, Lab → sRGB in gamut, chroma to full resolution.

A *photo* is gray in the sRGB transfer curve, so its luminance Y and its lightness L* follow from
one table look-up. CIE Lab here is relative to D65, the white of sRGB. All functions keep the
device and work on float32 unless they say otherwise.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from semcolor.photos import curves

# Each row divided by the white's X, Y, Z.
_RGB_TO_XYZ = torch.tensor(curves.RGB_TO_XYZ, dtype=torch.float64)
_RGB_TO_XYZ = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(dim=1, keepdim=True)
_XYZ_TO_RGB = torch.linalg.inv(_RGB_TO_XYZ)
# Editors put our hue and chroma over the photo in D50 Lab (ICC; GIMP's LCh Color), which takes
# saturated colours a little further. With this much room at the gamut's edge they never clip.
_HEADROOM = 0.06
BIN_SIDE = 10  # of a chroma bin, in a*, b* units


def linear_from_srgb(value: Tensor) -> Tensor:
    """sRGB transfer curve to linear light, both 0..1."""
    out: Tensor = curves.linear_from_srgb(value, torch)
    return out


def srgb_from_linear(value: Tensor) -> Tensor:
    """Linear light to the sRGB transfer curve, both 0..1."""
    out: Tensor = curves.srgb_from_linear(value, torch)
    return out


def lightness_from_luminance(y: Tensor) -> Tensor:
    """Relative luminance 0..1 to CIE L* 0..100."""
    out: Tensor = curves.lightness_from_luminance(y, torch)
    return out


def gray_from_lightness(lightness: Tensor) -> Tensor:
    """CIE L* 0..100 to gray in the sRGB transfer curve, 0..1."""
    return srgb_from_linear(curves.luminance_from_lightness(lightness, torch))


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """…×3×H×W sRGB 0..1 to CIE L*a*b* (L* 0..100, a* and b* about −110..110)."""
    linear = linear_from_srgb(rgb)
    matrix = _RGB_TO_XYZ.to(rgb)
    fx, fy, fz = _f(torch.einsum("ij,...jhw->...ihw", matrix, linear)).unbind(-3)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=-3)


def rgb_from_lab(lab: Tensor) -> Tensor:
    """…×3×H×W CIE L*a*b* to sRGB 0..1, clipped to the gamut channel by channel."""
    lightness, a, b = lab.unbind(-3)
    fy = (lightness + 16) / 116
    xyz = _f_inverse(torch.stack([fy + a / 500, fy, fy - b / 200], dim=-3))
    linear = torch.einsum("ij,...jhw->...ihw", _XYZ_TO_RGB.to(lab), xyz)
    return srgb_from_linear(linear.clamp(0, 1))


def chroma_of(color: str) -> tuple[float, float]:
    """a* and b* of “#rrggbb”."""
    levels = list(bytes.fromhex(color.removeprefix("#")))
    a, b = lab_from_rgb(torch.tensor(levels).view(3, 1, 1) / 255)[1:].flatten().tolist()
    return a, b


def gray_lightness(gray: Tensor) -> Tensor:
    """L* (0..100, float32) of gray pixels, uint8 or uint16."""
    return _look_up(_tables(gray.dtype, gray.device).lightness, gray)


def rgb_from_chroma(gray: Tensor, fx_fz: Tensor) -> Tensor:
    """Colour gray pixels, keeping their luminance exactly and staying inside sRGB.

    ``gray``: H×W uint8 or uint16 (sRGB curve). ``fx_fz``: 2×H×W float, CIE Lab's f(X/Xn) and
    f(Z/Zn), that is (L* + 16)/116 + a*/500 and (L* + 16)/116 − b*/200.
    Returns 3×H×W of gray's dtype. Where the colour leaves the gamut it is mixed, in linear light,
    with the gray of its own luminance until it fits: luminance, hence L*, does not move.
    """
    tables = _tables(gray.dtype, gray.device)
    y = _look_up(tables.luminance, gray).flatten()
    x, z = _f_inverse(fx_fz.flatten(1))
    rgb = _XYZ_TO_RGB.to(y) @ torch.stack([x, y, z])
    low, high = rgb.amin(0), rgb.amax(0)
    # The largest share of the colour that keeps min ≥ 0 and max ≤ 1, less the headroom.
    share = torch.minimum(y / (y - low).clamp(min=1e-6), (1 - y) / (high - y).clamp(min=1e-6))
    share.mul_(1 - _HEADROOM)
    if bool(share.amin() < 1):
        rgb = torch.lerp(y, rgb, share.clamp_(max=1))
    # The sRGB curve from a table over the square root, which is fine where the curve is steep.
    steps = len(tables.encoded) - 1
    index = rgb.clamp_(0, 1).sqrt_().mul_(steps).add_(0.5)
    return _look_up(tables.encoded, index).view(3, *gray.shape).view(gray.dtype)


@cache
def chroma_bins() -> Tensor:
    """Centres of the 10 × 10 cells of the a*b* plane that hold a colour of sRGB, K×2.

    Zhang, Isola & Efros, *Colorful Image Colorization*, arXiv 1603.08511; sorted by a*, then b*.
    """
    level = torch.linspace(0, 1, 52, dtype=torch.float64)
    rgb = torch.cartesian_prod(level, level, level).T[..., None]
    ab = lab_from_rgb(rgb)[1:, :, 0].T
    cells: Tensor = (ab / BIN_SIDE).round().unique(dim=0)
    return (cells * BIN_SIDE).float()


def rgb_from_ab(gray: Tensor, ab: Tensor) -> Tensor:
    """:func:`rgb_from_chroma` by a*, b*: 2×H×W, or 2×1×1 for all pixels."""
    f = (gray_lightness(gray) + 16) / 116
    return rgb_from_chroma(gray, torch.stack([f + ab[0] / 500, f - ab[1] / 200]))


class _Tables(NamedTuple):
    """Of one gray dtype: by gray level luminance and L*; the encoded value by √luminance."""

    luminance: Tensor
    lightness: Tensor
    encoded: Tensor


@cache
def _tables(dtype: torch.dtype, device: torch.device) -> _Tables:
    if dtype not in (torch.uint8, torch.uint16):
        raise TypeError(f"a photo is uint8 or uint16, not {dtype}")
    top = 255 if dtype == torch.uint8 else 65535
    luminance = linear_from_srgb(torch.arange(top + 1, dtype=torch.float64) / top)
    root = torch.linspace(0, 1, 16 * (top + 1), dtype=torch.float64)
    encoded = (srgb_from_linear(root**2) * top).round().to(torch.int32).to(dtype)
    if dtype == torch.uint16:
        encoded = encoded.view(torch.int16)  # index_select knows no uint16; the bits are the same
    return _Tables(
        luminance.float().to(device),
        lightness_from_luminance(luminance).float().to(device),
        encoded.to(device),
    )


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    """``table[index]``; index_select with int32 is several times faster than indexing."""
    return table.index_select(0, index.flatten().to(torch.int32)).view(index.shape)


def _f(t: Tensor) -> Tensor:
    out: Tensor = curves.lab_curve(t, torch)
    return out


def _f_inverse(t: Tensor) -> Tensor:
    out: Tensor = curves.lab_curve_inverse(t, torch)
    return out
