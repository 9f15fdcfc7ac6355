"""The colour network: a U-Net with two streams through one encoder (paper §2.3, figures 3 and 4).

Gray and label map pass through the *same* encoder. At each level the skip is
``concat(instance_norm(gray features), label features)``: normalising only the gray copy removes
the photo's own contrast while the labels keep their meaning. The un-normalised gray features go on
to the next level. Decoder levels *add* the skip between their two convolutions.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LabelEncoding = Literal["scalar", "embedding"]
EMBEDDING_CHANNELS = 8


class Layer(nn.Module):
    """conv1 → Leaky ReLU → (+ skip) → conv2 → Leaky ReLU; conv1 changes the scale (figure 4)."""

    def __init__(self, conv1: nn.Module, channels: int, slope: float) -> None:
        super().__init__()
        self.conv1 = conv1
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.slope = slope

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """N×C×H×W features; ``skip`` has the shape of conv1's output."""
        x = F.leaky_relu(self.conv1(x), self.slope)
        if skip is not None:
            x = x + skip
        return F.leaky_relu(self.conv2(x), self.slope)


def _same(n_in: int, n_out: int, slope: float) -> Layer:
    return Layer(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), n_out, slope)


def _down(n_in: int, n_out: int, slope: float) -> Layer:
    return Layer(nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False), n_out, slope)


def _up(n_in: int, n_out: int, slope: float) -> Layer:
    conv = nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1, bias=False)
    return Layer(conv, n_out, slope)


class TwoStreamUNet(nn.Module):
    """Gray + label map → normalised chroma.

    ``widths`` are the encoder's channels, one per level; the decoder's are twice as wide.
    ``label_encoding`` says how class ids enter the encoder: ``"scalar"``, 2·id/59 − 1 in one
    channel as in the paper, or ``"embedding"``, a learned vector per class.
    Height and width of the input must be multiples of :attr:`stride`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        slope: float = 0.01,
        label_encoding: LabelEncoding = "scalar",
        num_labels: int = 60,
    ) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        self.num_labels = num_labels
        self.slope = slope
        embedded = label_encoding == "embedding"
        self.embedding = nn.Embedding(num_labels, EMBEDDING_CHANNELS) if embedded else None

        channels = [EMBEDDING_CHANNELS if embedded else 1, *widths]
        self.encoder = nn.ModuleList(
            (_same if level == 0 else _down)(n_in, n_out, slope)
            for level, (n_in, n_out) in enumerate(zip(channels, widths, strict=False))
        )
        wide = [2 * width for width in reversed(widths)]
        self.decoder = nn.ModuleList(_up(n_in, n_out, slope) for n_in, n_out in pairwise(wide))
        self.final_conv = nn.Conv2d(wide[-1], 2, 3, padding=1, bias=False)

    def forward(self, gray: Tensor, labels: Tensor) -> Tensor:
        """Colour a batch.

        ``gray``: N×1×H×W float, lightness in [−1, 1]. ``labels``: N×H×W int64 class ids, 0 where
        unlabelled. Returns N×2×H×W float, chroma about in [−1, 1].
        """
        return self.decode(self.encode_gray(gray), self.encode_labels(labels))

    def encode_gray(self, gray: Tensor) -> list[Tensor]:
        """Instance-normalised gray features, finest level first. They do not depend on labels."""
        if self.embedding is not None:
            gray = gray.expand(-1, EMBEDDING_CHANNELS, -1, -1)
        return [F.instance_norm(level) for level in self._encode(gray)]

    def encode_labels(self, labels: Tensor) -> list[Tensor]:
        """Label features, finest level first; never normalised."""
        if self.embedding is not None:
            return self._encode(self.embedding(labels).permute(0, 3, 1, 2))
        return self._encode((labels[:, None] * (2.0 / (self.num_labels - 1)) - 1.0).float())

    def decode(self, gray: list[Tensor], labels: list[Tensor]) -> Tensor:
        """Chroma from both streams' features."""
        skips = [torch.cat(pair, dim=1) for pair in zip(gray, labels, strict=True)]
        x = skips.pop()
        for layer in self.decoder:
            x = layer(x, skips.pop())
        return F.leaky_relu(self.final_conv(x), self.slope)

    def _encode(self, x: Tensor) -> list[Tensor]:
        levels = []
        for layer in self.encoder:
            x = layer(x)
            levels.append(x)
        return levels
