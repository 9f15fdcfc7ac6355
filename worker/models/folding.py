"""What follows a convolution folded into it, for networks in evaluation mode."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from semcolor_worker.models.networks.two_stream_unet import Layer, TwoStreamUNet

_PACKED = 64  # channels, of which both numbers must be multiples for weights to be packed
_Place = tuple[nn.Module, str]  # of a module: its parent, and its name there


def prepare(network: nn.Module, precision: torch.dtype | None = None) -> None:
    """Make a network fast: fold what can be folded, and round the colour network's weights.

    ``precision``: see :meth:`TwoStreamUNet.compute_in`; None: as it is.
    """
    fold_batch_norms(network)
    if precision is not None:
        assert isinstance(network, TwoStreamUNet)
        network.compute_in(precision)
    fold_activations(network)


def fold_batch_norms(network: nn.Module) -> None:
    """Replace each convolution that a batch normalisation follows by one that does both.

    Only inside ``nn.Sequential``; such a convolution may be the last part of a nested one. The
    output is the same but for rounding.
    """
    for (parent, name), (chain, after) in _neighbours(network):
        conv, norm = getattr(parent, name), getattr(chain, after)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(parent, name, fuse_conv_bn_eval(conv, norm))
            setattr(chain, after, nn.Identity())


def fold_activations(network: nn.Module) -> None:
    """Let each convolution on the CPU apply the activation after it: one pass over memory less.

    In ``nn.Sequential`` and in the U-Net's layers. The output is the same but for rounding, and
    without gradients. Where PyTorch's build cannot, nothing changes.
    """
    for (parent, name), (chain, after) in _neighbours(network):
        if _take_over(getattr(chain, after), getattr(parent, name)):
            setattr(chain, after, nn.Identity())
    for layer in network.modules():
        if isinstance(layer, Layer) and _take_over(layer.activation, layer.conv1, layer.conv2):
            layer.activation = nn.Identity()


def _neighbours(network: nn.Module) -> Iterator[tuple[_Place, _Place]]:
    """What follows each other in a chain; of a chain in the chain, its last part is the first."""
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        names = [name for name, part in chain.named_children() if not isinstance(part, nn.Identity)]
        for name, after in pairwise(names):
            parent: nn.Module = chain
            while isinstance(part := getattr(parent, name), nn.Sequential):
                parent, name = part, list(part._modules)[-1]
            yield (parent, name), (chain, after)


_Activation = tuple[str, list[float]]  # as oneDNN is told of it: name, numbers


class _ActivatedConv2d(nn.Conv2d):
    activation: _Activation

    def packed(self) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            self.weight, self.padding, self.stride, self.dilation, self.groups
        )
        return packed

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups,
            *self.activation, "",
        )  # fmt: skip
        return out


class _ActivatedConvTranspose2d(nn.ConvTranspose2d):
    activation: _Activation

    def packed(self) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            self.weight, self.padding, self.output_padding, self.stride, self.dilation, self.groups
        )
        return packed

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        out: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, self.weight, self.bias, self.padding, self.output_padding, self.stride,
            self.dilation, self.groups, *self.activation, "",
        )  # fmt: skip
        return out


_ACTIVATED: dict[type, type] = {
    nn.Conv2d: _ActivatedConv2d,
    nn.ConvTranspose2d: _ActivatedConvTranspose2d,
}


def _take_over(activation: nn.Module, *convs: nn.Module) -> bool:
    """Make convolutions apply an activation; False, and nothing done, where they cannot."""
    told = _told(activation)
    if told is None or not all(map(_able, convs)):
        return False
    for conv in convs:
        conv.__class__ = _ACTIVATED[type(conv)]
        conv.activation = told  # type: ignore[assignment]
        _pack(conv)
    return True


def _pack(conv: nn.Module) -> None:
    """Put weights into the order that oneDNN wants: otherwise it does so in each pass.

    For other numbers of channels that order depends on the picture's size, and a wrong one is slow.
    """
    assert isinstance(conv, _ActivatedConv2d | _ActivatedConvTranspose2d)
    if conv.in_channels % _PACKED == conv.out_channels % _PACKED == 0:
        conv.weight = nn.Parameter(conv.packed(), requires_grad=False)


def _told(activation: nn.Module) -> _Activation | None:
    match activation:
        case nn.LeakyReLU():
            return "leaky_relu", [activation.negative_slope]
        case nn.ReLU6():
            return "hardtanh", [0.0, 6.0]
        case nn.ReLU():
            return "relu", []
    return None


def _able(conv: nn.Module) -> bool:
    if type(conv) not in _ACTIVATED:
        return False
    weight = cast(Tensor, conv.weight)
    return weight.device.type == "cpu" and _works_in(weight.dtype)


@cache
def _works_in(precision: torch.dtype) -> bool:
    """Whether the operators do: PyTorch has them for its own compiler, and not in every build."""
    ones = torch.ones(1, _PACKED, 2, 2, dtype=precision)
    for kind in _ACTIVATED.values():
        conv = kind(_PACKED, _PACKED, 1, bias=False, dtype=precision).requires_grad_(False)
        conv.weight.fill_(-1 / _PACKED)
        conv.activation = "leaky_relu", [0.5]
        try:
            _pack(conv)
            if not torch.equal(conv(ones), -0.5 * ones):
                return False
        except (AttributeError, RuntimeError):
            return False
    return True
