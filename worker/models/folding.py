"""What follows a convolution folded into it, for networks in evaluation mode."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .networks.two_stream_unet import Layer, TwoStreamUNet
from .onednn import fused

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
    """Replace each convolution that an activation follows by one that does both, on the CPU.

    In ``nn.Sequential`` and in the U-Net's layers; see :func:`.onednn.fused`. Where PyTorch's build
    cannot, nothing changes.
    """
    for (parent, name), (chain, after) in _neighbours(network):
        both = fused(getattr(parent, name), getattr(chain, after))
        if both is not None:
            setattr(parent, name, both)
            setattr(chain, after, nn.Identity())
    for layer in [module for module in network.modules() if isinstance(module, Layer)]:
        conv1, conv2 = (fused(conv, layer.activation) for conv in (layer.conv1, layer.conv2))
        if conv1 is not None and conv2 is not None:
            layer.conv1, layer.conv2, layer.activation = conv1, conv2, nn.Identity()


def _neighbours(network: nn.Module) -> Iterator[tuple[_Place, _Place]]:
    """What follows each other in a chain; of a chain in the chain, its last part is the first."""
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        names = [name for name, part in chain.named_children() if not isinstance(part, nn.Identity)]
        for name, after in pairwise(names):
            parent: nn.Module = chain
            while isinstance(part := getattr(parent, name), nn.Sequential):
                parent, name = part, [inner for inner, _ in part.named_children()][-1]
            yield (parent, name), (chain, after)
