"""Which pixels belong to the object under a stroke, from cues of the photo, the map and the stroke.

A small network of dilated convolutions: what is known about each pixel alone (``CUES``, made by
:mod:`~semcolor_worker.coloring.refining`) is looked at together. It does not see the photo's
features themselves but how much like the stroke's they are, so that it fits any segmentation
network.
"""

from torch import Tensor, nn

CUES = 16
WIDTH = 32
_DILATIONS = (1, 2, 4, 8, 4, 2, 1)


class Refiner(nn.Module):
    """Cues → logits of belonging to the object."""

    stride = 1

    def __init__(self, cues: int = CUES, width: int = WIDTH) -> None:
        super().__init__()
        self.stem = nn.Conv2d(cues, width, 1)
        self.blocks = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
            for dilation in _DILATIONS
        )
        self.head = nn.Conv2d(width, 1, 1)
        self.activation = nn.ReLU()

    def forward(self, cues: Tensor) -> Tensor:
        """N×cues×H×W to N×1×H×W."""
        x = self.activation(self.stem(cues))
        for block in self.blocks:
            x = x + self.activation(block(x))
        logits: Tensor = self.head(x)
        return logits
