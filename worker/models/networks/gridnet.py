"""The segmentation network: GridNet (Fourure et al., arXiv 1707.07958; paper §2.2).

A grid of residual blocks. Each row keeps one scale; in the left half of the columns information
flows down to coarser rows, in the right half back up. All merges are sums.

    row 0   ─■─■─■─■─■─■─  full size,  16 channels
             │ │ │ ↑ ↑ ↑
    row 4   ─■─■─■─■─■─■─  1/16,      256 channels
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from .blocks import Run, run_whole


def _conv(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)


def _pre_activated(n_in: int, first: nn.Module, n_out: int) -> nn.Sequential:
    """BN → ReLU → ``first`` → BN → ReLU → conv, the block that the whole grid is made of."""
    return nn.Sequential(
        nn.BatchNorm2d(n_in),
        nn.ReLU(),
        first,
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        _conv(n_out, n_out),
    )


def _lateral(width: int) -> nn.Sequential:
    return _pre_activated(width, _conv(width, width), width)


def _down(n_in: int, n_out: int) -> nn.Sequential:
    return _pre_activated(n_in, _conv(n_in, n_out, stride=2), n_out)


def _up(n_in: int, n_out: int) -> nn.Sequential:
    first = nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1, bias=False)
    return _pre_activated(n_in, first, n_out)


def _block(blocks: nn.ModuleList, row: int, column: int) -> nn.Module:
    return cast(nn.ModuleList, blocks[row])[column]


class GridNet(nn.Module):
    """Gray → class logits.

    ``widths``: channels of each row, finest first. ``columns``: even; the first half carries the
    down-sampling connections, the second the up-sampling ones.
    Height and width of the input must be multiples of :attr:`stride`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128, 256),
        columns: int = 6,
        num_labels: int = 60,
    ) -> None:
        super().__init__()
        if columns % 2:
            raise ValueError(f"GridNet needs an even number of columns, not {columns}")
        self.stride = 2 ** (len(widths) - 1)
        self.turn = columns // 2  # the first column where information flows up
        steps = list(pairwise(widths))

        self.input_norm = nn.BatchNorm2d(1)
        self.stem = nn.Sequential(
            _conv(1, widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU(),
            _conv(widths[0], widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU(),
        )  # fmt: skip
        # lateral[row][column − 1] leads to `column`, down[row][column] to row + 1,
        # up[row][column − turn] back to row.
        self.lateral = nn.ModuleList(
            nn.ModuleList(_lateral(width) for _ in range(columns - 1)) for width in widths
        )
        self.down = nn.ModuleList(
            nn.ModuleList(_down(fine, coarse) for _ in range(self.turn)) for fine, coarse in steps
        )
        self.up = nn.ModuleList(
            nn.ModuleList(_up(coarse, fine) for _ in range(self.turn)) for fine, coarse in steps
        )
        self.head = nn.Sequential(
            _conv(widths[0], num_labels), nn.BatchNorm2d(num_labels), nn.ReLU(),
            _conv(num_labels, num_labels), nn.BatchNorm2d(num_labels),
        )  # fmt: skip

    def forward(self, gray: Tensor) -> Tensor:
        """Segment a batch.

        ``gray``: N×1×H×W float. Returns N×60×H×W float logits; channel 0 is *background*.
        """
        return self.logits(self.features(gray))

    def features(self, gray: Tensor, run: Run = run_whole) -> Tensor:
        """The finest row behind the last column, N×C×H×W."""
        grid = self._first_column(run(self.stem, self.input_norm(gray)), run)
        for column in range(1, self.turn):
            grid = self._down_column(grid, column, run)
        for column in range(self.turn, 2 * self.turn):
            grid = self._up_column(grid, column, run)
        return grid[0]

    def logits(self, features: Tensor) -> Tensor:
        """From :meth:`features`, or some rows of them."""
        logits: Tensor = self.head(features)
        return logits

    def _first_column(self, x: Tensor, run: Run) -> list[Tensor]:
        grid = [x]
        for down in self.down:
            grid.append(run(cast(nn.ModuleList, down)[0], grid[-1]))
        return grid

    def _down_column(self, grid: list[Tensor], column: int, run: Run) -> list[Tensor]:
        new: list[Tensor] = []
        for row, x in enumerate(grid):
            x = x + run(_block(self.lateral, row, column - 1), x)
            if row > 0:
                x = x + run(_block(self.down, row - 1, column), new[-1])
            new.append(x)
        return new

    def _up_column(self, grid: list[Tensor], column: int, run: Run) -> list[Tensor]:
        new = list(grid)
        for row in reversed(range(len(grid))):
            x = grid[row] + run(_block(self.lateral, row, column - 1), grid[row])
            if row < len(grid) - 1:
                x = x + run(_block(self.up, row, column - self.turn), new[row + 1])
            new[row] = x
        return new
