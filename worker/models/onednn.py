"""oneDNN's operators that PyTorch has for its own compiler: the only place that names them.

The names are private, and a build of PyTorch may lack them or change what they do. So they are
tried before they are used, and where they fail everything is done without them.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

_PACKED = 64  # channels, of which both numbers must be multiples for weights to be packed


def fused(conv: nn.Module, activation: nn.Module) -> nn.Module | None:
    """A convolution on the CPU that applies the activation after it: one pass over memory less.

    It takes over the weights and gives the same but for rounding, without gradients. None where
    PyTorch's build cannot do that for these two.
    """
    if type(conv) not in (nn.Conv2d, nn.ConvTranspose2d) or _told(activation) is None:
        return None
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    if conv.weight.device.type != "cpu" or not _works(torch.ops.mkldnn, conv.weight.dtype):
        return None
    return _FusedConv(conv, activation)


def computes_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 on this processor."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(supported and supported())


class _FusedConv(nn.Module):
    """``Conv2d`` or ``ConvTranspose2d`` with an activation, for inference."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, activation: nn.Module) -> None:
        super().__init__()
        operators, told = torch.ops.mkldnn, _told(activation)
        assert told is not None
        where: list[Any] = [conv.padding, conv.stride, conv.dilation, conv.groups]
        if isinstance(conv, nn.ConvTranspose2d):
            where.insert(1, conv.output_padding)
            self._run = operators._convolution_transpose_pointwise
            reorder = operators._reorder_convolution_transpose_weight
        else:
            self._run = operators._convolution_pointwise
            reorder = operators._reorder_convolution_weight
        self._arguments = (*where, *told, "")
        self.weight, self.bias = conv.weight, conv.bias
        # In the order that oneDNN wants; otherwise it does that in each pass. For other numbers of
        # channels the order depends on the picture's size, and a wrong one is slow.
        if conv.in_channels % _PACKED == conv.out_channels % _PACKED == 0 and _packing_is_faster():
            self.weight = nn.Parameter(reorder(conv.weight, *where), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._run(x, self.weight, self.bias, *self._arguments)
        return out


def _packing_is_faster() -> bool:
    """With AVX2 the order that oneDNN gives weights costs more than making it in each pass."""
    return "AVX512" in torch.backends.cpu.get_cpu_capability()


def _told(activation: nn.Module) -> tuple[str, list[float]] | None:
    """An activation as oneDNN is told of it: name and numbers."""
    match activation:
        case nn.LeakyReLU():
            return "leaky_relu", [activation.negative_slope]
        case nn.ReLU6():
            return "hardtanh", [0.0, 6.0]
        case nn.ReLU():
            return "relu", []
    return None


@cache
def _works(operators: object, precision: torch.dtype) -> bool:
    """Whether these operators (``torch.ops.mkldnn``) do what they should in a precision."""
    ones = torch.ones(1, _PACKED, 2, 2, dtype=precision)
    for kind in (nn.Conv2d, nn.ConvTranspose2d):
        conv = kind(_PACKED, _PACKED, 1, bias=False, dtype=precision).requires_grad_(False)
        conv.weight.fill_(-1 / _PACKED)
        try:
            if not torch.equal(_FusedConv(conv, nn.LeakyReLU(0.5))(ones), -0.5 * ones):
                return False
        except (AttributeError, RuntimeError):
            return False
    return True
