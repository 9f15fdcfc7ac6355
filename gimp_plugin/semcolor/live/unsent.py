"""Which edit to send now."""

from shared.geometry import NOWHERE, Rectangle

from .tiles import Edit

_LONGEST_PAUSE_SECONDS = 15.0
_NOTHING = Edit(NOWHERE)


class Unsent:
    """One job in flight, and after it all that has come meanwhile; what failed is sent again.

    Args:
        whole: the photo's rectangle.
    """

    def __init__(self, whole: Rectangle) -> None:
        self._waiting = Edit(whole)
        self._in_flight: Edit | None = None
        self._failures = 0
        self._not_before = float("-inf")

    @property
    def area(self) -> Rectangle:
        """Where the label map may differ from what was sent."""
        return self._waiting.area

    def edited(self, edit: Edit) -> None:
        """The label map has changed here."""
        self._waiting = self._waiting.then(edit)

    def start_over(self, whole: Rectangle) -> None:
        """Send everything of this photo, whatever was sent before, and don't wait."""
        self._waiting = Edit(whole)
        self._failures, self._not_before = 0, float("-inf")

    def next_job(self, now: float) -> Edit | None:
        """The edit to send, which is then in flight; None when there is nothing to do now."""
        if self._in_flight or not self._waiting or now < self._not_before:
            return None
        self._in_flight, self._waiting = self._waiting, _NOTHING
        return self._in_flight

    def succeeded(self) -> None:
        """What was in flight has arrived, and its colours are in the layer."""
        self._in_flight, self._failures = None, 0

    def failed(self, now: float) -> float:
        """It did not arrive: it is sent again, after a pause. Returns the pause in seconds."""
        if self._in_flight:
            self._waiting = Edit(self._in_flight.area.join(self._waiting.area))
        self._in_flight = None
        pause = min(2.0**self._failures, _LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._not_before = now + pause
        return pause
