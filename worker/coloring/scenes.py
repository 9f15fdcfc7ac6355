"""What the segmentation network made of a photo, kept to look at strokes with."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.gridnet import GridNet

from .upsampling import Size

LONGEST = 160  # pixels of the grid
_UNLIKELY = -12.0  # log probability: less is the same


@dataclass(frozen=True)
class Scene:
    """A photo on a small grid, on the CPU.

    ``features``: C×h×w, of length 1 at each pixel. ``likely``: 60×h×w log probabilities.
    ``lightness``: 1×1×h×w L*, 0..100.
    """

    features: Tensor
    likely: Tensor
    lightness: Tensor

    @classmethod
    def of(cls, network: EfficientNetFPN | GridNet, features: Tensor, lightness: Tensor) -> "Scene":
        """From the network's ``features`` of a photo (1×C×…), and its L* at detail."""
        scale = min(1.0, LONGEST / max(lightness.shape))
        size = round(scale * lightness.shape[2]), round(scale * lightness.shape[3])
        if max(features.shape[2:]) > LONGEST:
            features = F.interpolate(features, size, mode="area")
        logits = network.logits(features).float()
        logits[:, 0] = -torch.inf
        likely = F.interpolate(logits, size, mode="area").log_softmax(1).clamp(min=_UNLIKELY)
        near = F.interpolate(features.float(), size, mode="bilinear", align_corners=False)
        unit = F.normalize(near - near.mean((2, 3), keepdim=True), dim=1)[0]
        small = F.interpolate(lightness.float(), size, mode="area")
        return cls(unit.cpu(), likely[0].cpu(), small.cpu())

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.lightness.shape[2], self.lightness.shape[3]

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return self.features.nbytes + self.likely.nbytes + self.lightness.nbytes
