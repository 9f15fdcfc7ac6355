"""Losses, by the name that recipes use. Each takes a model in training and a batch of samples."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor_worker.color import BIN_SIDE, chroma_bins
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet
from semcolor_worker.models.weights import Model

Batch = dict[str, Tensor]

_BINS_WEIGHT = 0.02  # brings the cross-entropy, about 4, near the regression's 0.06


def huber(model: Model, batch: Batch) -> Tensor:
    """The paper's equation 1 with δ = 1."""
    output = model.network(model.normalise(batch["lightness"]), batch["labels"]).float()
    return F.huber_loss(output, model.target(batch["chroma"]), delta=1.0)


def chroma_and_bins(model: Model, batch: Batch) -> Tensor:
    """L1 on chroma plus cross-entropy on its distribution, colourful pixels counting more.

    Plain L1 settles for the dull median; counting colour up to twice is enough to keep it alive.
    """
    network = cast(TwoStreamUNet, model.network)
    gray = network.encode_gray(model.normalise(batch["lightness"]))
    output, logits = network.decode_with_bins(gray, network.encode_labels(batch["labels"]))
    chroma = batch["chroma"]
    weight = _weight(chroma)
    regression = ((output.float() - model.target(chroma)).abs() * weight).mean() / weight.mean()
    coarse = F.avg_pool2d(chroma, chroma.shape[-1] // logits.shape[-1])
    weight = _weight(coarse)[:, 0]
    entropy = F.cross_entropy(logits.float(), soft_bins(coarse), reduction="none")
    return regression + _BINS_WEIGHT * (entropy * weight).mean() / weight.mean()


def soft_bins(chroma: Tensor) -> Tensor:
    """N×2×H×W a*, b* as a distribution over the bins, N×K×H×W (σ = 5, as in arXiv 1603.08511)."""
    centres = chroma_bins().to(chroma)
    distance = (chroma[:, None] - centres[None, :, :, None, None]).square().sum(2)
    return torch.softmax(-distance / (2 * (BIN_SIDE / 2) ** 2), dim=1)


def cross_entropy(model: Model, batch: Batch) -> Tensor:
    """Cross-entropy (paper §2.2) over labelled pixels."""
    logits: Tensor = model.network(model.normalise(batch["lightness"])).float()
    return F.cross_entropy(logits, batch["labels"], ignore_index=0)


def _weight(chroma: Tensor) -> Tensor:
    strength: Tensor = chroma.norm(dim=1, keepdim=True)
    return 1 + (strength / 30).clamp(max=1)


LOSSES: dict[str, Callable[[Model, Batch], Tensor]] = {
    "huber": huber,
    "chroma_and_bins": chroma_and_bins,
    "cross_entropy": cross_entropy,
}
