"""The colour network: a U-Net with two streams through one encoder (paper §2.3, figures 3 and 4).

Gray and label map pass through the *same* encoder. At each level the skip is
``concat(instance_norm(gray features), label features)``: normalising only the gray copy removes
the photo's own contrast while the labels keep their meaning. The un-normalised gray features go on
to the next level. Decoder levels *add* the skip between their two convolutions.

Beyond the paper, by arguments: labels as an embedding, gray features from an encoder that has seen
ImageNet, and a distribution over bins of chroma beside the regression.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Run, run_whole
from .efficientnet_lite0 import WIDTHS as ENCODER_WIDTHS
from .efficientnet_lite0 import EfficientNetLite0

LabelEncoding = Literal["scalar", "embedding"]
GrayEncoder = Literal["shared", "efficientnet_lite0"]
Scaling = Literal["same", "down", "up"]
EMBEDDING_CHANNELS = 8
BINS_LEVEL = -3  # of the decoder: a quarter of the input's scale


class Layer(nn.Module):
    """conv1 → Leaky ReLU → (+ skip) → conv2 → Leaky ReLU; conv1 changes the scale (figure 4)."""

    def __init__(self, scaling: Scaling, n_in: int, n_out: int, slope: float) -> None:
        super().__init__()
        self.scaling = scaling
        self.conv1 = _conv1(scaling, n_in, n_out)
        self.conv2: nn.Module = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.activation: nn.Module = nn.LeakyReLU(slope)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """N×C×H×W features; ``skip`` has the shape of conv1's output."""
        x = self.activation(self.conv1(x))
        if skip is not None:
            x += skip
        out: Tensor = self.activation(self.conv2(x))
        return out


def _conv1(scaling: Scaling, n_in: int, n_out: int) -> nn.Module:
    if scaling == "up":
        return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1, bias=False)
    stride = 2 if scaling == "down" else 1
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)


def _instance_norm(level: Tensor) -> Tensor:
    """For a single picture batch normalisation is the same, and keeps the channels last."""
    if len(level) == 1:
        return F.batch_norm(level, None, None, training=True)
    return F.instance_norm(level)


class PretrainedGray(nn.Module):
    """EfficientNet-Lite0's features at the label stream's widths, instance-normalised.

    Normalising takes each channel's mean away, which for these features is what the scene is as a
    whole (indoors, a beach …); a linear map of the coarsest level's means brings it back.
    """

    def __init__(self, widths: Sequence[int], slope: float) -> None:
        super().__init__()
        self.finest = Layer("same", 1, widths[0], slope)  # the encoder's own levels begin at 1/2
        self.encoder = EfficientNetLite0()
        pairs = zip(ENCODER_WIDTHS, widths[1:], strict=True)
        self.project = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairs)
        self.context = nn.Linear(ENCODER_WIDTHS[-1], widths[-1])

    @property
    def precision(self) -> torch.dtype:
        """What all but the pretrained encoder computes in."""
        return self.context.weight.dtype

    def forward(self, gray: Tensor, run: Run = run_whole) -> list[Tensor]:
        """``gray``: N×1×H×W in [−1, 1]. Returns six levels, finest first."""
        features = self.encoder(gray, run)
        gray, *features = (tensor.to(self.precision) for tensor in (gray, *features))
        pairs = zip(self.project, features, strict=True)
        levels = [_instance_norm(run(self.finest, gray))]  # each at once: they are large
        levels += [_instance_norm(project(level)) for project, level in pairs]
        levels[-1] = levels[-1] + self.context(features[-1].mean((2, 3)))[..., None, None]
        return levels


class TwoStreamUNet(nn.Module):
    """Gray + label map → normalised chroma.

    ``widths`` are the encoder's channels, one per level; the decoder's are twice as wide.
    ``label_encoding`` says how class ids enter the encoder: ``"scalar"``, 2·id/59 − 1 in one
    channel as in the paper, or ``"embedding"``, a learned vector per class.
    ``gray_encoder``: ``"shared"`` as in the paper, or ``"efficientnet_lite0"`` (six widths).
    ``instance_norm``: False is the paper's ablation (§4.1); the shared encoder's only.
    ``bins``: how many bins of chroma the distribution has (0: there is none).
    Height and width of the input must be multiples of :attr:`stride`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        slope: float = 0.01,
        label_encoding: LabelEncoding = "scalar",
        num_labels: int = 60,
        gray_encoder: GrayEncoder = "shared",
        instance_norm: bool = True,
        bins: int = 0,
    ) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        self.num_labels = num_labels
        self.slope = slope
        self.instance_norm = instance_norm
        embedded = label_encoding == "embedding"
        self.embedding = nn.Embedding(num_labels, EMBEDDING_CHANNELS) if embedded else None

        channels = [EMBEDDING_CHANNELS if embedded else 1, *widths]
        self.encoder = nn.ModuleList(
            Layer("same" if level == 0 else "down", n_in, n_out, slope)
            for level, (n_in, n_out) in enumerate(zip(channels, widths, strict=False))
        )
        wide = [2 * width for width in reversed(widths)]
        self.decoder = nn.ModuleList(Layer("up", a, b, slope) for a, b in pairwise(wide))
        self.final_conv = nn.Conv2d(wide[-1], 2, 3, padding=1, bias=False)
        pretrained = gray_encoder == "efficientnet_lite0"
        self.gray = PretrainedGray(widths, slope) if pretrained else None
        self.bins_head = nn.Conv2d(wide[BINS_LEVEL], bins, 1) if bins else None

    @property
    def precision(self) -> torch.dtype:
        """What the network computes in."""
        return self.final_conv.weight.dtype

    def compute_in(self, precision: torch.dtype) -> None:
        """Round the weights to a precision, but for the pretrained encoder's.

        These lose most by rounding, and what they compute is cached with the photo.
        """
        exact = {id(parameter) for parameter in self.gray.encoder.parameters()} if self.gray else ()
        for parameter in self.parameters():
            if id(parameter) not in exact:
                parameter.data = parameter.data.to(precision)

    def forward(self, gray: Tensor, labels: Tensor) -> Tensor:
        """Colour a batch.

        ``gray``: N×1×H×W float, lightness in [−1, 1]. ``labels``: N×H×W int64 class ids, 0 where
        unlabelled. Returns N×2×H×W float, chroma about in [−1, 1].
        """
        return self.decode(self.encode_gray(gray), self.encode_labels(labels))

    def encode_gray(self, gray: Tensor, run: Run = run_whole) -> list[Tensor]:
        """Instance-normalised gray features, finest level first. They do not depend on labels."""
        if self.gray is not None:
            levels: list[Tensor] = self.gray(gray, run)
            return levels
        gray = gray.to(self.precision)
        if self.embedding is not None:
            gray = gray.expand(-1, EMBEDDING_CHANNELS, -1, -1)
        levels = self._encode(gray, run)
        return [_instance_norm(level) for level in levels] if self.instance_norm else levels

    def encode_labels(self, labels: Tensor) -> list[Tensor]:
        """Label features, finest level first; never normalised."""
        return self._encode(self.embed(labels))

    def embed(self, labels: Tensor) -> Tensor:
        """N×H×W class ids as the encoder's input, N×C×H×W."""
        if self.embedding is not None:
            embedded: Tensor = self.embedding(labels)
            return embedded.permute(0, 3, 1, 2)
        return (labels[:, None] * (2.0 / (self.num_labels - 1)) - 1.0).to(self.precision)

    def decode(self, gray: list[Tensor], labels: list[Tensor]) -> Tensor:
        """Chroma from both streams' features."""
        return self.chroma(self.decode_levels(gray, labels)[-1])

    def decode_with_bins(self, gray: list[Tensor], labels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Chroma, and the logits of its distribution: N×bins×H/4×W/4. Needs ``bins``."""
        levels = self.decode_levels(gray, labels)
        return self.chroma(levels[-1]), self.bin_logits(levels[BINS_LEVEL])

    def decode_levels(self, gray: list[Tensor], labels: list[Tensor]) -> list[Tensor]:
        """The decoder's levels, coarsest first, from both streams' features."""
        skips = [torch.cat(pair, dim=1) for pair in zip(gray, labels, strict=True)]
        levels = [skips.pop()]
        for layer in self.decoder:
            levels.append(layer(levels[-1], skips.pop()))
        return levels

    def chroma(self, finest: Tensor) -> Tensor:
        """Chroma, float32, from the decoder's last level."""
        return F.leaky_relu(self.final_conv(finest), self.slope).float()

    def bin_logits(self, level: Tensor) -> Tensor:
        """The logits of chroma's distribution, float32, from the decoder's level BINS_LEVEL."""
        assert self.bins_head is not None
        logits: Tensor = self.bins_head(level)
        return logits.float()

    def _encode(self, x: Tensor, run: Run = run_whole) -> list[Tensor]:
        levels = []
        for layer in self.encoder:
            x = run(layer, x)
            levels.append(x)
        return levels
