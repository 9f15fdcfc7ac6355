"""The panel's jobs: one at a time, and of what buttons ask for, the newest."""

import time
from collections.abc import Callable
from typing import Any

from actions.action import Action, Outcome
from bridge.background import Background, Done, Job
from bridge.exchange import Exchange, InGimp
from bridge.process import BridgeProcess
from bridge.status import Status
from gi.repository import Gimp
from images.label_colors import LabelColors
from images.photo import LayerError, Photo
from images.undo import as_step
from language import UserError, error_text, stage_text, tr
from shared.errors import SemcolorError
from shared.states import Stage, WorkerState
from windows.panel import PanelWindow

_HAND_SECONDS = 0.05  # between two looks at it


class Jobs:
    """What the bridge does for one photo's panel, whose state the window shows meanwhile.

    Args:
        label_colors: of the photo's image.
        on_failure: called when an action failed, after which the bridge knows nothing.
    """

    def __init__(
        self,
        photo: Photo,
        window: PanelWindow,
        label_colors: LabelColors,
        on_failure: Callable[[], None],
    ) -> None:
        self._photo, self._window = photo, window
        self._label_colors, self._on_failure = label_colors, on_failure
        self._wanted: Callable[[], None] | None = None
        self._background = Background(self._open_exchange, self._show_progress, self._show_status)

    @property
    def busy(self) -> bool:
        """Whether a job goes on."""
        return self._background.busy

    def close(self) -> None:
        """End the one that goes on."""
        self._background.close()

    def start_over(self) -> None:
        """Before the next job, forget what the bridge has: the photo may be another."""
        self._background.start_over()

    def submit(self, job: Job, done: Done) -> None:
        """See `Background.submit`; only when not `busy`."""
        self._background.submit(job, done)

    def want(self, start: Callable[[], None]) -> None:
        """Start something now, or as soon as no job goes on."""
        self._wanted = start
        self.start_wanted()

    def start_wanted(self) -> None:
        """Start what is wanted, if anything, unless a job goes on."""
        if self._wanted and not self.busy:
            wanted, self._wanted = self._wanted, None
            self.guarded(wanted)

    def do(self, action: Action[Any], show: Callable[[Outcome], None] | None = None) -> None:
        """Let the bridge do its part; then change the image, and show what came out."""

        def done(answer: Any, error: Exception | None) -> None:
            if not self._photo.is_open:
                return
            if error:
                self._on_failure()
                self._window.say(error_text(error))
                return
            self._window.state.show_state(WorkerState.READY, "")
            self.guarded(lambda: (show or self._show_notes)(self._apply(action, answer)))
            Gimp.displays_flush()

        def job(exchange: Exchange, in_gimp: InGimp) -> Any:
            answer = action.ask(exchange)
            self.wait_for_hand(in_gimp)
            return answer

        self._background.submit(job, done)

    def wait_for_hand(self, in_gimp: InGimp) -> None:
        """In a job: wait while a button is down. What is written into a stroke its undo spoils."""
        while in_gimp(self._window.pointer).is_down:
            time.sleep(_HAND_SECONDS)

    def guarded(self, action: Callable[[], object]) -> None:
        """Do something at once; what it says against that is shown."""
        try:
            action()
        except (UserError, SemcolorError) as error:
            self._window.say(error_text(error))

    def _apply(self, action: Action[Any], answer: Any) -> Outcome:
        if not action.step:
            return action.apply(answer)
        return as_step(action.step, lambda: action.apply(answer))

    def _show_notes(self, outcome: Outcome) -> None:
        self._window.say(" ".join(outcome.notes))

    def _open_exchange(self, bridge: BridgeProcess, in_gimp: InGimp) -> Exchange:
        def while_open(call: Callable[[], Any]) -> Any:
            def checked() -> Any:
                if not self._photo.is_open:
                    raise LayerError(tr("The image was closed."))
                return call()

            return in_gimp(checked)

        return Exchange(bridge, self._photo, while_open, self._label_colors)

    def _show_progress(self, _fraction: float, stage: Stage) -> None:
        self._window.state.show_state(WorkerState.BUSY, stage_text(stage))

    def _show_status(self, status: Status) -> None:
        if not self.busy:
            self._window.state.show_state(status.state, status.sentence)
