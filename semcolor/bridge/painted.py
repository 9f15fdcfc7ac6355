"""Where the restorer has painted."""

import numpy as np

from semcolor.photos.label_colors import bounds
from semcolor.photos.pixels import Flags, Mask
from semcolor.shared.geometry import NOWHERE, Rectangle


class Painted:
    """One flag for each pixel of a label map; nothing is painted at first.

    ``mask``: H×W uint8, not 0 where something was painted. ``last``: around the last stroke.
    """

    def __init__(self, height: int, width: int) -> None:
        self.mask: Mask = np.zeros((height, width), np.uint8)
        self.last = NOWHERE

    def begin(self) -> None:
        """A stroke is to come."""
        self.last = NOWHERE

    def write(self, region: Rectangle, changed: Flags, by_hand: bool) -> None:
        """A rectangle of the labels has changed here, by the restorer's hand or by undo."""
        self.mask[region.rows, region.columns][changed] = by_hand
        found = bounds(changed)
        if by_hand and found:
            self.last = found._replace(x=found.x + region.x, y=found.y + region.y).join(self.last)
