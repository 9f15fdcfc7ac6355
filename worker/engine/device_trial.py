"""Whether PyTorch can compute on a device that it counts.

It may not: the driver is older than the build's CUDA, the card older than its kernels, or the
driver has lost the card since the computer slept.
"""

import torch
from torch.nn import functional

from semcolor.shared.errors import Code, SemcolorError

_CLOSE = 0.05  # of sums up to 10, where a GPU multiplies with 10 bits


def first_usable(names: list[str]) -> tuple[str, SemcolorError | None]:
    """The first device that computes, or else the CPU; and why an earlier one does not."""
    fault = None
    for name in names:
        reason = why_unusable(torch.device(name))
        if reason is None:
            return name, fault
        fault = fault or SemcolorError(Code.DEVICE_UNUSABLE, device=name, reason=reason)
    return "cpu", fault


def why_unusable(device: torch.device) -> str | None:
    """What PyTorch says of a device that computes nothing, or wrongly; None: it computes."""
    if device.type == "cpu":
        return None
    picture = torch.linspace(0, 1, 4 * 16 * 16).reshape(1, 4, 16, 16)
    weight = torch.linspace(-1, 1, 8 * 4 * 3 * 3).reshape(8, 4, 3, 3)
    expected = functional.conv2d(picture, weight)
    try:
        found = functional.conv2d(picture.to(device), weight.to(device)).cpu()
    except (RuntimeError, AssertionError) as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0].strip().rstrip(".")
    return None if torch.allclose(found, expected, atol=_CLOSE) else "it computes wrong values"
