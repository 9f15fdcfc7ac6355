"""In which pixels a photo's labels are not certain."""

import numpy as np

from semcolor.photos.label_colors import AMBIGUOUS, Certainty, bounds
from semcolor.shared.geometry import Rectangle


class Doubts:
    """One value for each pixel, as from :func:`from_rgba`; none at first.

    ``ambiguous``: how many are, counted where something changes only.
    """

    def __init__(self, height: int, width: int) -> None:
        self._doubt: Certainty = np.zeros((height, width), np.uint8)
        self.ambiguous = 0

    def write(self, region: Rectangle, doubt: Certainty | int) -> None:
        """What is now known of a rectangle; 0: everything."""
        part = self._doubt[region.rows, region.columns]
        self.ambiguous -= int(np.count_nonzero(part == AMBIGUOUS))
        part[:] = doubt
        self.ambiguous += int(np.count_nonzero(part == AMBIGUOUS))

    def clear(self) -> tuple[Rectangle, int]:
        """Take all doubts back; where there were any, and how many."""
        found = bounds(self._doubt), int(np.count_nonzero(self._doubt))
        self._doubt[:] = 0
        self.ambiguous = 0
        return found
