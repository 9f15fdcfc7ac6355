"""Batch normalisation folded into the convolution before it, for networks in evaluation mode."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> None:
    """Replace each convolution that a batch normalisation follows by one that does both.

    Only inside ``nn.Sequential``; such a convolution may be the last part of a nested one. The
    output is the same but for rounding.
    """
    chains = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for chain in chains:
        for (name, module), (after, norm) in pairwise(list(chain.named_children())):
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            parent = chain
            while isinstance(module, nn.Sequential):
                parent, (name, module) = module, list(module.named_children())[-1]
            if isinstance(module, nn.Conv2d):
                setattr(parent, name, fuse_conv_bn_eval(module, norm))
                setattr(chain, after, nn.Identity())
