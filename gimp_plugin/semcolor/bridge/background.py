"""The thread that talks to the bridge, so that the panel never waits for an answer.

It does one job at a time. GIMP is called by the main thread only: a job hands it a call and waits.
The thread's own news (progress, results, the worker's state) reach the main thread the same way.
"""

import queue
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from gi.repository import GLib
from language import UserError, is_our_mistake
from shared.errors import SemcolorError
from shared.states import WorkerState

from .exchange import Exchange, InGimp
from .process import BridgeProcess, Progress
from .status import Status, ask_status

_STATUS_SECONDS = 2.0

Job = Callable[[Exchange, InGimp], Any]
Done = Callable[[Any, Exception | None], None]
Open = Callable[[BridgeProcess, InGimp], Exchange]


class Background:
    """A bridge that is started anew after every failure, with a thread that serves it.

    All methods are for the main thread, and all callbacks are called in it.

    Args:
        open_exchange: makes the exchange for a bridge that has just started.
        report: called with (fraction in 0..1, stage) while a job goes on.
        on_status: called every few seconds between jobs.
    """

    def __init__(
        self, open_exchange: Open, report: Progress, on_status: Callable[[Status], None]
    ) -> None:
        self.busy = False
        """Whether a job was submitted that is not done yet."""
        self._open, self._report, self._on_status = open_exchange, report, on_status
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._is_stale = False
        self._bridge: BridgeProcess | None = None
        self._exchange: Exchange | None = None
        self._asked: Future[Any] | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done) -> None:
        """Do a job in the thread; then `done(result, None)` or `done(None, error)` in the main one.

        Only when not `busy`.
        """
        self.busy = True
        self._jobs.put((job, done))

    def start_over(self) -> None:
        """Before the next job, forget what the bridge has: the photo may be another."""
        self._is_stale = True

    def close(self) -> None:
        """End bridge and thread at once. No callback comes any more."""
        self._closed.set()
        self._jobs.put(None)
        asked, bridge = self._asked, self._bridge
        if asked:
            asked.cancel()
        if bridge:
            bridge.abandon()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        self._ask_status()
        while not self._closed.is_set():
            try:
                item = self._jobs.get(timeout=_STATUS_SECONDS)
            except queue.Empty:
                self._ask_status()
                continue
            if item:
                self._do(*item)
        self._drop_bridge()

    def _do(self, job: Job, done: Done) -> None:
        result, error = None, None
        try:
            result = job(self._ready_exchange(), self._in_gimp)
        except CancelledError:
            return
        except Exception as caught:  # it is shown in the panel; a fault of ours on stderr too
            if is_our_mistake(caught):
                traceback.print_exc()
            self._drop_bridge()  # nobody knows what it has and what not
            error = caught
        self._tell(self._finish, done, result, error)

    def _finish(self, done: Done, result: Any, error: Exception | None) -> None:
        self.busy = False
        done(result, error)

    def _ask_status(self) -> None:
        try:
            status = ask_status(self._ready_bridge())
        except (UserError, SemcolorError) as error:
            self._drop_bridge()
            status = Status(WorkerState.LOST, error)
        self._tell(self._on_status, status)

    def _ready_bridge(self) -> BridgeProcess:
        if self._bridge is None:
            self._bridge = BridgeProcess(lambda *progress: self._tell(self._report, *progress))
        if self._closed.is_set():  # `close` may have been too early to see it
            self._bridge.abandon()
        return self._bridge

    def _ready_exchange(self) -> Exchange:
        bridge = self._ready_bridge()
        if self._exchange is None or self._is_stale:
            self._is_stale = False
            self._exchange = self._open(bridge, self._in_gimp)
        return self._exchange

    def _drop_bridge(self) -> None:
        if self._bridge:
            self._bridge.abandon()
            self._bridge.close()
        self._bridge = self._exchange = None

    def _in_gimp(self, call: Callable[[], Any]) -> Any:
        asked: Future[Any] = Future()
        self._asked = asked
        if self._closed.is_set():
            raise CancelledError
        GLib.idle_add(_answer, asked, call)
        return asked.result()

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        def tell() -> bool:
            if not self._closed.is_set():
                callback(*arguments)
            return False

        GLib.idle_add(tell)


def _answer(asked: "Future[Any]", call: Callable[[], Any]) -> bool:
    if asked.set_running_or_notify_cancel():
        try:
            asked.set_result(call())
        except Exception as error:
            asked.set_exception(error)
    return False
