"""The curves and matrices of sRGB and CIE Lab, for arrays of any library.

``xp`` is the module whose arrays are meant, numpy or torch. Results keep the arrays' kind.
"""

from types import ModuleType
from typing import Any

Array = Any  # of numpy or torch

# Linear sRGB → XYZ (IEC 61966-2-1). The second row gives luminance.
RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_DELTA = 6 / 29  # where CIE's cube root turns into its linear piece


def linear_from_srgb(value: Array, xp: ModuleType) -> Array:
    """sRGB transfer curve to linear light, both 0..1."""
    return xp.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(value: Array, xp: ModuleType) -> Array:
    """Linear light to the sRGB transfer curve, both 0..1."""
    curve = 1.055 * xp.clip(value, 0.0031308, None) ** (1 / 2.4) - 0.055
    return xp.where(value <= 0.0031308, value * 12.92, curve)


def lab_curve(t: Array, xp: ModuleType) -> Array:
    """CIE Lab's f: of X, Y or Z over the white's, 0..1."""
    root = xp.clip(t, _DELTA**3, None) ** (1 / 3)
    return xp.where(t > _DELTA**3, root, t / (3 * _DELTA**2) + 4 / 29)


def lab_curve_inverse(t: Array, xp: ModuleType) -> Array:
    """From f back to X, Y or Z over the white's."""
    slope = 3 * _DELTA**2
    return xp.where(t > _DELTA, t * t * t, t * slope - slope * 4 / 29)


def lightness_from_luminance(y: Array, xp: ModuleType) -> Array:
    """Relative luminance 0..1 to CIE L* 0..100."""
    return 116 * lab_curve(y, xp) - 16


def luminance_from_lightness(lightness: Array, xp: ModuleType) -> Array:
    """CIE L* 0..100 to relative luminance 0..1."""
    return lab_curve_inverse((lightness + 16) / 116, xp)
