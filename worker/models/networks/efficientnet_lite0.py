"""EfficientNet-Lite0 (Tan & Le, arXiv 1905.11946) as an encoder of gray pictures.

The *Lite* variant has no squeeze-and-excitation and clips activations at 6. It is the one part of
semcolor that can start from weights trained on ImageNet.
"""

from typing import NamedTuple, cast

from torch import Tensor, nn

from .blocks import Run, run_whole

STEM_WIDTH = 32


class Stage(NamedTuple):
    """Blocks of one width; the first one may halve the scale."""

    blocks: int
    expansion: int
    kernel: int
    stride: int
    width: int


STAGES = (
    Stage(1, 1, 3, 1, 16),
    Stage(2, 6, 3, 2, 24),
    Stage(2, 6, 5, 2, 40),
    Stage(3, 6, 3, 2, 80),
    Stage(3, 6, 5, 1, 112),
    Stage(4, 6, 5, 2, 192),
    Stage(1, 6, 3, 1, 320),
)
TAPS = (0, 1, 2, 4, 6)  # the last stage of each scale
WIDTHS = tuple(STAGES[index].width for index in TAPS)  # at 1/2, 1/4, 1/8, 1/16 and 1/32


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # as the ImageNet weights were made


def _conv(n_in: int, n_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution with TensorFlow's padding: what is missing goes to the right and below."""
    missing = kernel - stride
    before, after = missing // 2, missing - missing // 2
    conv = nn.Conv2d(n_in, n_out, kernel, stride, groups=groups, bias=False)
    if before == after:
        conv.padding = (before, before)
        return conv
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), conv)


class InvertedBottleneck(nn.Module):
    """Expand → depthwise → project, plus the input where the shape allows."""

    def __init__(self, n_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = n_in * stage.expansion
        expand = [_conv(n_in, wide), _norm(wide), nn.ReLU6()] if stage.expansion > 1 else []
        depthwise = _conv(wide, wide, stage.kernel, stride, groups=wide)
        self.layers = nn.Sequential(
            *expand, depthwise, _norm(wide), nn.ReLU6(),
            _conv(wide, stage.width), _norm(stage.width),
        )  # fmt: skip
        self.residual = stride == 1 and n_in == stage.width

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×width×H/stride×W/stride."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def _stage(n_in: int, stage: Stage) -> nn.Sequential:
    first = InvertedBottleneck(n_in, stage, stage.stride)
    others = [InvertedBottleneck(stage.width, stage, 1) for _ in range(stage.blocks - 1)]
    return nn.Sequential(first, *others)


class EfficientNetLite0(nn.Module):
    """Gray → features at five scales. Height and width must be multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(1, STEM_WIDTH, 3, 2), _norm(STEM_WIDTH), nn.ReLU6())
        inputs = [STEM_WIDTH, *(stage.width for stage in STAGES)]
        self.stages = nn.ModuleList(map(_stage, inputs, STAGES))

    def forward(self, gray: Tensor, run: Run = run_whole) -> list[Tensor]:
        """``gray``: N×1×H×W in [−1, 1]. Returns features of WIDTHS channels, 1/2 … 1/32."""
        x = run(self.stem, gray)
        levels = []
        for index, stage in enumerate(self.stages):
            for block in cast(nn.Sequential, stage):
                x = run(block, x)
            if index in TAPS:
                levels.append(x)
        return levels
