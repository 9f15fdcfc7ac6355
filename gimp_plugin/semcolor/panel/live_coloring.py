"""Colour that follows the strokes."""

import time
from collections.abc import Callable, Collection

from actions.notes import ambiguous_note, lowered_note
from bridge.exchange import Exchange, InGimp, LabelChange
from bridge.process import BridgeError
from gi.repository import Gimp
from images.color_notes import read_notes
from images.photo import ImageChangedError, Photo
from images.preview import picture_of
from images.roles import COLORIZED, LABELS, find_layer
from images.undo import as_step
from language import error_text, tr
from live.tiles import Edit
from live.unsent import Unsent
from shared.classes import all_classes
from shared.codes import NEEDS_A_CHANGE
from shared.color_notes import ColorNote
from shared.errors import SemcolorError
from shared.geometry import Rectangle
from shared.states import WorkerState
from shared.timings import timed
from windows.panel import PanelWindow

from .jobs import Jobs
from .preferences import Remembered

_LARGE = 0.2  # share of the photo from which a change by one stroke is asked about
_STEP = tr("Label Object")  # as GIMP's undo history has it
_FULL_DETAIL = tr("The worker has memory for the full detail again.")


class LiveColoring:
    """Sends what was painted, one edit at a time, for as long as it is switched on.

    With *Smart*, the object under a stroke is labelled first.

    Args:
        go_on: called when an edit has been sent and the bridge is free again.
        painted_class: gives the id of the class that the user paints; None: of no class.
        locked: gives the classes whose pixels only what the user has painted himself changes.
        on_relabel: called before labels are written, with the layer, where, and whether the bridge
            has them.
    """

    def __init__(
        self,
        photo: Photo,
        window: PanelWindow,
        jobs: Jobs,
        remembered: Remembered,
        go_on: Callable[[], None],
        painted_class: Callable[[], int | None],
        locked: Callable[[], Collection[int]],
        on_relabel: Callable[[Gimp.Layer, Rectangle, bool], None],
    ) -> None:
        self._photo, self._window, self._go_on = photo, window, go_on
        self._painted_class, self._on_relabel = painted_class, on_relabel
        self._locked = locked
        self._jobs, self._remembered = jobs, remembered
        self._unsent = Unsent(photo.whole)
        self._was_ambiguous, self._lowered = False, 0  # as the user was told after a stroke
        self._notes: tuple[ColorNote, ...] = read_notes(photo)
        self._asked: LabelChange | None = None
        self._has_news = False  # whether there were other notes when colours were made last
        self.is_on = self._waits_for_layers = False

    def switch(self, on: bool) -> None:
        """Go on from here, or stop."""
        self.is_on, self._waits_for_layers = on, False
        self._window.state.show_live(on)

    @property
    def has_layers(self) -> bool:
        """Whether there are labels to watch, and a layer for colours."""
        return all(find_layer(self._photo, role) for role in (LABELS, COLORIZED))

    @property
    def unsent(self) -> Rectangle:
        """Where the label layer may differ from what the bridge has."""
        return self._unsent.area

    def edited(self, edit: Edit) -> None:
        """The label layer has changed here."""
        self._unsent.edited(edit)
        self._end_question()

    def answered(self, is_taken: bool) -> None:
        """Make the change that was asked about, or not. Raises LayerError when it can't be made."""
        asked = self._asked
        if not asked or not is_taken:
            self._end_question()
            return
        self._asked = None
        self._window.question.close()
        self._relabel(asked, is_known=False)
        Gimp.displays_flush()

    def notes_seen(self, notes: tuple[ColorNote, ...]) -> None:
        """The photo has these colour notes now; colours follow, to undo and redo too."""
        self._has_news |= notes != self._notes
        self._notes = notes

    def start_over(self) -> None:
        """Send everything, whatever was sent before, and don't wait."""
        self._unsent.start_over(self._photo.whole)
        self._end_question()

    def start_next(self) -> None:
        """Send what is to be sent now, if anything."""
        is_wanted = self.is_on or self._waits_for_layers or self._remembered.now.smart
        if not is_wanted or self._jobs.busy:
            return
        labels, colorized = (find_layer(self._photo, role) for role in (LABELS, COLORIZED))
        if self.is_on and not (labels and colorized):
            self._stop(tr("Live is off, because one of its layers is gone."))
            self._waits_for_layers = True
            return
        if self._waits_for_layers and labels and colorized:  # redo, or the user, has them back
            self.switch(True)
            self.start_over()
            self._window.say("")
        edit = self._unsent.next_job(time.monotonic()) if labels else None
        if edit and labels:
            self._send(edit, labels, colorized if self.is_on else None)
        elif self._has_news and self.is_on and colorized:
            self._recolor(colorized)

    def _recolor(self, colorized: Gimp.Layer) -> None:
        self._has_news, detail = False, self._remembered.now.detail

        def job(exchange: Exchange, in_gimp: InGimp) -> tuple[int, int]:
            exchange.recolor(detail, colorized)
            in_gimp(Gimp.displays_flush)
            return exchange.ambiguous, exchange.lowered

        self._jobs.submit(job, self._done)

    def _send(self, edit: Edit, labels: Gimp.Layer, colorized: Gimp.Layer | None) -> None:
        """Let labels and colours follow; None: not the colours."""
        own, self._has_news = self._remembered.now, self._has_news and colorized is None
        class_id = self._painted_class() if own.smart and edit.is_stroke else None
        locked, large = frozenset(self._locked()), _LARGE * self._photo.whole.pixels

        def job(exchange: Exchange, in_gimp: InGimp) -> tuple[int, int]:
            if class_id is not None:
                change = exchange.label_object(labels, edit, class_id, locked)
                if change.pixels > large:
                    exchange.take_back(change)
                    in_gimp(lambda: self._ask(change, class_id))
                else:
                    self._jobs.wait_for_hand(in_gimp)
                    in_gimp(lambda: self._relabel(change, is_known=True))
                if colorized:
                    exchange.recolor(own.detail, colorized)
            elif colorized:
                exchange.stroke(labels, edit, own.detail, colorized)
            else:
                exchange.send_labels(labels, edit.area, edit.is_stroke)
            in_gimp(timed("flush")(Gimp.displays_flush))
            return exchange.ambiguous, exchange.lowered

        self._jobs.submit(job, self._done)

    def _relabel(self, change: LabelChange, is_known: bool) -> None:
        if change.strips:
            self._on_relabel(change.before.layer, change.area, is_known)
            as_step(_STEP, lambda: change.write(self._photo))
        else:
            change.drop()

    def _ask(self, change: LabelChange, class_id: int) -> None:
        """Ask the user first."""
        self._end_question()
        self._asked = change
        entry, share = all_classes()[class_id], change.pixels / self._photo.whole.pixels
        picture = picture_of(self._photo, change.strips, entry)
        message = tr("This would make {share} of the photo {name}.")
        self._window.question.ask(
            picture, message.format(share=f"{share:.0%}", name=tr(entry.name))
        )

    def _end_question(self) -> None:
        if self._asked:
            self._asked.drop()
            self._asked = None
            self._window.question.close()

    def _done(self, found: tuple[int, int] | None, error: Exception | None) -> None:
        if found:
            self._unsent.succeeded()
            self._window.state.show_state(WorkerState.READY, "")
            self._tell(*found)
            if self._photo.is_open:  # the user may have painted on
                self._go_on()
            return
        pause = self._unsent.failed(time.monotonic())
        if isinstance(error, ImageChangedError):
            return  # what it is now will be seen, and sent, soon
        if error and _may_pass(error):
            message = tr("{error} Trying again in {seconds} s.")
            message = message.format(error=error_text(error), seconds=round(pause))
            self._window.state.show_state(WorkerState.LOST, message)
        elif error:
            self._stop(error_text(error))

    def _stop(self, reason: str) -> None:
        self.switch(False)
        self._window.say(reason)

    def _tell(self, ambiguous: int, lowered: int) -> None:
        """Without news, what a button has said stays until the user does something."""
        notes = ambiguous_note(ambiguous, self._photo.whole)
        if lowered != self._lowered:
            notes += lowered_note(lowered) or [_FULL_DETAIL]
        if notes or self._was_ambiguous:
            self._window.say(" ".join(notes))
        self._was_ambiguous, self._lowered = bool(ambiguous), lowered


def _may_pass(error: Exception) -> bool:
    """Whether the same may succeed later, although the user changes nothing."""
    if isinstance(error, SemcolorError):
        return error.code not in NEEDS_A_CHANGE
    return isinstance(error, BridgeError)
