"""How the blocks of a network run: the largest parts that look only a few rows around.

A network that is asked for features takes a runner, so that whoever computes with little memory,
or wants to stop halfway, decides how each block is called.
"""

from collections.abc import Callable

from torch import Tensor, nn

Run = Callable[[nn.Module, Tensor], Tensor]
"""Gives what a block makes of N×C×h×w features."""


def run_whole(block: nn.Module, x: Tensor) -> Tensor:
    """As a network in training does: all rows at once."""
    out: Tensor = block(x)
    return out
