"""A second segmentation network: EfficientNet-Lite0 under a feature pyramid.

The pyramid (Lin et al., arXiv 1612.03144) adds each coarser level to the next finer one; the
coarsest also knows the average of the whole picture.

    gray ─▶ 1/2 ─▶ 1/4 ─▶ 1/8 ─▶ 1/16 ─▶ 1/32   encoder
                   │      │       │        │
    logits ◀─ ×4 ◀ ■ ◀─── ■ ◀──── ■ ◀───── ■ ◀─ mean   pyramid, 96 channels
"""

from torch import Tensor, nn
from torch.nn import functional as F

from . import efficientnet_lite0
from .blocks import Run, run_whole

PYRAMID_WIDTH = 96


class EfficientNetFPN(nn.Module):
    """Gray → class logits. Height and width of the input must be multiples of :attr:`stride`."""

    stride = 32

    def __init__(self, num_labels: int = 60) -> None:
        super().__init__()
        self.encoder = efficientnet_lite0.EfficientNetLite0()
        widths = efficientnet_lite0.WIDTHS[1:]
        self.context = nn.Linear(widths[-1], PYRAMID_WIDTH)
        self.lateral = nn.ModuleList(nn.Conv2d(width, PYRAMID_WIDTH, 1) for width in widths)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(PYRAMID_WIDTH, PYRAMID_WIDTH, 3, padding=1, bias=False),
                nn.BatchNorm2d(PYRAMID_WIDTH),
                nn.ReLU(),
            )
            for _ in widths
        )
        self.head = nn.Conv2d(PYRAMID_WIDTH, num_labels, 1)

    def forward(self, gray: Tensor) -> Tensor:
        """Segment a batch.

        ``gray``: N×1×H×W float in [−1, 1]. Returns N×60×H×W float logits; channel 0 is
        *background*.
        """
        return self.logits(self.features(gray))

    def features(self, gray: Tensor, run: Run = run_whole) -> Tensor:
        """The pyramid's finest level, N×96×H/4×W/4."""
        levels: list[Tensor] = self.encoder(gray, run)[1:]
        x: Tensor = self.context(levels[-1].mean((2, 3)))[:, :, None, None]
        pyramid = list(zip(levels, self.lateral, self.smooth, strict=True))
        for level, lateral, smooth in reversed(pyramid):
            x = run(smooth, lateral(level) + F.interpolate(x, level.shape[2:]))
        return x

    def logits(self, features: Tensor) -> Tensor:
        """From :meth:`features`, or some rows of them."""
        coarse = self.head(features)
        return F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
