"""What the values of a gray ICC profile mean, exactly.

A colour engine looks curves up in tables of 16 bits, in which the shadows of a linear scan are off
by several L*. ICC.1:2010, sections 8.3.4 (monochrome input), 10.5 and 10.15 (curves).
"""

import struct
from typing import cast

import numpy as np
import numpy.typing as npt

from .curves import luminance_from_lightness

Curve = npt.NDArray[np.float64]
"""Values, 0..1, of a curve or for one."""

_GRAY, _LAB, _TABLE = b"GRAY", b"Lab ", b"A2B0"


def luminance_of_gray(profile: bytes, values: int) -> npt.NDArray[np.float32] | None:
    """Of all gray values, 0 to ``values`` - 1; None: it is no gray profile of a single curve."""
    try:
        tags = _tags(profile)
        if profile[16:20] != _GRAY or _TABLE in tags or b"kTRC" not in tags:
            return None
        curve = _curve(tags[b"kTRC"], np.linspace(0, 1, values)).clip(0, 1)
    except (struct.error, ValueError):  # damaged
        return None
    if profile[20:24] == _LAB:
        curve = luminance_from_lightness(100 * curve, np)
    return curve.astype(np.float32)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    rows = (struct.unpack_from(">4sII", profile, 132 + 12 * row) for row in range(min(count, 200)))
    return {name: profile[at : at + size] for name, at, size in rows}


def _curve(tag: bytes, x: Curve) -> Curve:
    kind, number = struct.unpack_from(">4s4xI", tag) if tag[:4] == b"curv" else (tag[:4], 0)
    if kind == b"para":
        return _parametric(tag, x)
    if kind != b"curv":
        raise ValueError("no curve")
    if number == 0:
        return x
    points = np.array(struct.unpack_from(f">{number}H", tag, 12), float)
    if number == 1:
        return np.asarray(x ** (points[0] / 256))  # a power, as u8Fixed8
    return np.interp(x, np.linspace(0, 1, number), points / 65535)


def _parametric(tag: bytes, x: Curve) -> Curve:
    """Types 0 to 4: (ax + b)^g + e from d on, cx + f below, where those are given."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        raise ValueError("no such curve")
    numbers = [n / 65536 for n in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    g, a, b, c, d, e, f = {
        0: lambda g: (g, 1, 0, 0, 0, 0, 0),
        1: lambda g, a, b: (g, a, b, 0, -b / a if a else 0, 0, 0),
        2: lambda g, a, b, c: (g, a, b, 0, -b / a if a else 0, c, c),
        3: lambda g, a, b, c, d: (g, a, b, c, d, 0, 0),
        4: lambda *all_of_them: all_of_them,
    }[kind](*numbers)  # type: ignore[operator]
    power = np.clip(a * x + b, 0, None) ** g + e
    return cast(Curve, np.where(x >= d, power, c * x + f))
