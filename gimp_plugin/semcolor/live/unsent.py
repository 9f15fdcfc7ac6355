"""Which edit to send now."""

from shared.geometry import NOWHERE, Rectangle

from .tiles import Edit

_LONGEST_PAUSE_SECONDS = 15.0
_NOTHING = Edit(NOWHERE)


class Unsent:
    """One job in flight, and after it all that has come meanwhile; what failed is sent again.

    Strokes go first and apart from what else has changed, so that it is known what was painted.

    Args:
        whole: the photo's rectangle.
    """

    def __init__(self, whole: Rectangle) -> None:
        self._strokes, self._others = _NOTHING, Edit(whole)
        self._undone = whole  # where others are more than what the bridge has already
        self._in_flight: Edit | None = None
        self._failures = 0
        self._not_before = float("-inf")

    @property
    def area(self) -> Rectangle:
        """Where the label map may differ from what was sent."""
        return self._strokes.area.join(self._others.area)

    def edited(self, edit: Edit) -> None:
        """The label map has changed here."""
        if edit.is_stroke and not edit.area.clip(self._undone):
            self._strokes = self._strokes.then(edit)
            return
        if not edit.is_known:
            self._undone = self._undone.join(edit.area)
        self._strokes = self._strokes._replace(pixels=None)  # those may have changed
        self._others = self._others.then(edit)

    def start_over(self, whole: Rectangle) -> None:
        """Send everything of this photo, whatever was sent before, and don't wait."""
        self._strokes, self._others, self._undone = _NOTHING, Edit(whole), whole
        self._failures, self._not_before = 0, float("-inf")

    def next_job(self, now: float) -> Edit | None:
        """The edit to send, which is then in flight; None when there is nothing to do now."""
        if self._in_flight or now < self._not_before:
            return None
        if self._strokes:
            self._in_flight, self._strokes = self._strokes, _NOTHING
        elif self._others:
            self._in_flight, self._others, self._undone = self._others, _NOTHING, NOWHERE
        return self._in_flight

    def succeeded(self) -> None:
        """What was in flight has arrived, and its colours are in the layer."""
        self._in_flight, self._failures = None, 0

    def failed(self, now: float) -> float:
        """It did not arrive: it is sent again, after a pause. Returns the pause in seconds."""
        if self._in_flight:
            self.edited(Edit(self._in_flight.area))
        self._in_flight = None
        pause = min(2.0**self._failures, _LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._not_before = now + pause
        return pause
