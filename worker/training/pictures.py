"""A sheet of sample pictures to watch a training run by."""

import torch
from torch import Tensor

from semcolor.photos.label_colors import palette
from semcolor_worker.color import rgb_from_lab
from semcolor_worker.models.weights import Model

from .losses import Batch

_ROWS = 6


def sheet(model: Model, batch: Batch) -> Tensor:
    """One row a photo: gray, labels given, what the network makes of it, original.

    Returns 3×(rows·S)×(4·S) float 0..1. The third panel is colour, or predicted labels.
    """
    light, labels, chroma = (batch[k][:_ROWS] for k in ("lightness", "labels", "chroma"))
    network_input = model.normalise(light)
    if model.spec.task == "color":
        predicted = model.chroma(model.network(network_input, labels)).float()
        result = rgb_from_lab(torch.cat([light, predicted], dim=1))
    else:
        result = _painted(model.network(network_input).argmax(1))
    gray = rgb_from_lab(torch.cat([light, torch.zeros_like(chroma)], dim=1))
    original = rgb_from_lab(torch.cat([light, chroma], dim=1))
    rows = torch.cat([gray, _painted(labels), result, original], dim=3)
    return torch.cat(list(rows), dim=1).cpu()


def _painted(labels: Tensor) -> Tensor:
    colours = torch.from_numpy(palette().copy()).to(labels.device).float() / 255
    return colours[labels].permute(0, 3, 1, 2)
