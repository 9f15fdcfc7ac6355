"""How certain a photo's labels are."""

import numpy as np

from semcolor.photos.label_colors import AMBIGUOUS, EXACT, Certainty, bounds
from semcolor.shared.geometry import Rectangle


class CertaintyMap:
    """One value for each pixel, as from :func:`from_rgba`; all exact at first.

    ``ambiguous``: how many are, counted where something changes only.
    """

    def __init__(self, height: int, width: int) -> None:
        self._certainty: Certainty = np.full((height, width), EXACT, np.uint8)
        self.ambiguous = 0

    def write(self, region: Rectangle, certainty: Certainty | int) -> None:
        """How certain a rectangle is now."""
        part = self._certainty[region.rows, region.columns]
        self.ambiguous -= int(np.count_nonzero(part == AMBIGUOUS))
        part[:] = certainty
        self.ambiguous += int(np.count_nonzero(part == AMBIGUOUS))

    def clear(self) -> tuple[Rectangle, int]:
        """All are exact from now on; returns where they were not, and how many."""
        found = bounds(self._certainty), int(np.count_nonzero(self._certainty))
        self._certainty[:] = EXACT
        self.ambiguous = 0
        return found
