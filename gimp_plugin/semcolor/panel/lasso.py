"""Selections that are labelled as soon as they are made."""

from shared.geometry import NOWHERE, Rectangle


class Lasso:
    """Tells when a selection was made; switched off at first."""

    def __init__(self) -> None:
        self.is_on = False
        self._known = self._last = NOWHERE

    def switch(self, on: bool, selection: Rectangle) -> None:
        """Begin, or end; what is selected already is not meant."""
        self.is_on, self._known = on, selection

    def is_closed(self, selection: Rectangle, is_drawing: bool) -> bool:
        """Whether to label what is selected now, of which these are the bounds.

        Args:
            is_drawing: the pointer's button is down.
        """
        rests, self._last = selection == self._last, selection
        if not self.is_on or not rests or is_drawing or selection == self._known:
            return False
        self._known = selection
        return bool(selection)
