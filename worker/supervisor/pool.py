"""The engines of a worker, one for each device: who gets a job, and what happens when one dies.

A photo stays with the engine that holds it. When that dies, what waits for it goes to another
engine, if there is one, and its job in hand runs once more: at a smaller detail where it died for
lack of memory. A device whose engine keeps dying is taken out, as long as another is left.
"""

import logging
import time
from collections.abc import Callable, Sequence

import zmq

from semcolor.client.local_worker import log_file
from semcolor.protocol.results import Progress
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.states import Stage, WorkerState
from semcolor_worker.engine_link import CannotStart, Loading, Missing, Ready, Reply

from .device_slot import DeviceSlot
from .devices import Devices
from .engine_process import EngineChild
from .plane_store import PlaneStore
from .quarantine import Quarantine
from .scheduler import Job

log = logging.getLogger("semcolor.worker")

_ATTEMPTS = 2  # how often one job may meet an engine
_DELIVERIES = 4  # how often an engine may say that it lacks planes of one job
_WAITING = 256  # jobs of one owner
_DEATHS = 3  # of one engine without a job done in between, until its device counts as broken

Answer = Callable[[Job, zmq.Frame | Progress | SemcolorError, zmq.Frame | None], None]
"""Whom to answer; the header, as the engine wrote it or to be written; pixels."""


class EnginePool:
    """Jobs in, answers out, whatever happens to the engines.

    Each job is answered once with a result or an error, through ``answer``. ``engine`` and
    ``devices``: see :class:`Devices`.
    """

    def __init__(
        self, engine: Callable[[str], EngineChild], devices: Sequence[str], store: PlaneStore,
        answer: Answer,
    ) -> None:  # fmt: skip
        self.restarts = self.answered = 0
        self.waited_seconds = 0.0  # of all jobs, until an engine took them
        self.devices = Devices(engine, devices)
        self._store, self._answer = store, answer
        self._quarantine = Quarantine()

    def __len__(self) -> int:
        """Jobs that wait or run."""
        return sum(len(slot.waiting) + bool(slot.running) for slot in self.devices)

    def submit(self, job: Job) -> None:
        """Take a job; older ones that it supersedes are answered at once."""
        job.since = time.monotonic()
        waiting = sum(other.owner == job.owner for slot in self.devices for other in slot.waiting)
        if job.request in self._quarantine:
            self._answer(job, _quarantined(), None)
        elif waiting >= _WAITING:
            self._answer(job, SemcolorError(Code.TOO_MANY_JOBS, limit=_WAITING), None)
        else:
            for old in self.devices.slot_of(job.request.photo).waiting.add(job):
                self._answer(old, SemcolorError(Code.SUPERSEDED), None)

    def cancel(self, session: bytes, job_id: str) -> bool:
        """Forget a job, and answer it; it ends before the next tile. False: there is none."""
        for slot in self.devices:
            job = slot.cancel(session, job_id)
            if job is not None:
                self._answer(job, SemcolorError(Code.CANCELLED), None)
                return True
        return False

    def forget(self, session: bytes) -> None:
        """Drop the jobs of a client that is gone."""
        for slot in self.devices:
            slot.forget(session)

    def let_go(self, digests: Sequence[str]) -> None:
        """Nothing of these planes is to stay with any engine."""
        for slot in self.devices:
            slot.let_go(digests)

    @property
    def is_running(self) -> bool:
        """Whether a job is in hand that somebody wants."""
        return any(slot.running and not slot.running.cancelled for slot in self.devices)

    def turn(self, readable: set[zmq.Socket[bytes]]) -> None:
        """Hear the engines that have something to say, notice those that died, hand out jobs."""
        self.hear(readable)
        for slot in self.devices:
            if slot.engine.has_died():
                self._died(slot)
        for slot in self.devices:
            self._dispatch(slot)
            slot.tidy()

    def hear(self, readable: set[zmq.Socket[bytes]]) -> None:
        """Hear the engines that have something to say."""
        for slot in self.devices:
            if slot.engine.socket in readable:
                self._hear(slot)

    def heartbeat(self) -> None:
        """Tell everybody who waits how it stands; and see that it goes on."""
        for slot in self.devices:
            slot.engine.watch()
            if slot.may_try_device:
                slot.engine.end(WorkerState.STOPPED)
                self.devices.lost(slot)
                self._start(slot)
            stage = Stage.WORKER_STARTING if slot.is_loading else Stage.WAITING
            for job in tuple(slot.waiting):
                self._answer(job, Progress(stage), None)
            running = slot.running
            if running is not None and not running.cancelled:
                self._answer(running, Progress(running.request.stage), None)

    # Jobs

    def _dispatch(self, slot: DeviceSlot) -> None:
        if slot.running is not None or not slot.waiting:
            return
        if slot.engine.socket is None:
            self._start(slot)
        if slot.engine.state is WorkerState.READY:
            self.waited_seconds += time.monotonic() - slot.begin().since
            try:
                slot.deliver(self._store)
            except SemcolorError as error:
                self._end_job(slot, error)

    def _deliver_again(self, slot: DeviceSlot, missing: Sequence[str]) -> None:
        """The engine lacks planes of the job in hand."""
        job = slot.running
        assert job is not None
        job.deliveries += 1
        try:
            if job.cancelled:
                raise SemcolorError(Code.CANCELLED)
            if job.deliveries > _DELIVERIES:  # each one makes the engine drop another
                raise SemcolorError(Code.ENGINE_TOO_SMALL)
            slot.deliver(self._store, missing)
        except SemcolorError as error:
            self._end_job(slot, error)

    def _end_job(
        self, slot: DeviceSlot, reply: zmq.Frame | SemcolorError, pixels: zmq.Frame | None = None
    ) -> None:
        """Answer the job in hand; the engine's own reply goes on as it came."""
        job = slot.end_job()
        self.answered += 1
        if job is not None:
            self._answer(job, reply, pixels)

    # Engines

    def _hear(self, slot: DeviceSlot) -> None:
        message, frames = slot.engine.receive()
        match message:
            case Loading():
                slot.engine.state = WorkerState.LOADING
            case Ready():
                self._is_ready(slot, message)
            case CannotStart():
                self._cannot_start(slot, message.failure.error)
            case Missing():
                slot.drop(message.dropped)
                self._deliver_again(slot, message.digests)
            case Reply():
                slot.engine.device = message.device
                slot.drop(message.dropped)
                self._end_job(slot, frames[0], frames[1] if len(frames) > 1 else None)

    def _start(self, slot: DeviceSlot) -> None:
        """Another engine; where that can't be had now, what waits is refused."""
        try:
            self.devices.start_engine(slot)
        except OSError as error:
            log.warning("%s", error)
            log_path = str(log_file())
            self._refuse(slot, SemcolorError(Code.ENGINE_FAILED, detail=str(error), log=log_path))

    def _is_ready(self, slot: DeviceSlot, message: Ready) -> None:
        slot.engine.device, slot.engine.models = message.device, message.models
        fault = message.fault.error if message.fault else None
        slot.is_ready(fault)
        if fault:
            log.warning("%s", fault)
        if fault and message.device == "cpu" and self.devices.others_up(slot):
            slot.engine.end(WorkerState.LOST)
            self.devices.lost(slot)
            self._take_out(slot, fault)
        else:
            self.devices.found(message.devices)

    def _cannot_start(self, slot: DeviceSlot, error: SemcolorError) -> None:
        log.warning("the engine cannot start: %s", error)
        slot.engine.end(WorkerState.LOST)
        self.devices.lost(slot)
        if error.code == Code.NO_DEVICE:
            self._take_out(slot, error)
        else:
            self._refuse(slot, error)

    def _died(self, slot: DeviceSlot) -> None:
        job, slot.running = slot.running, None
        name = f"the engine on {slot.engine.device}" if slot.engine.device else "the engine"
        log.warning("%s died%s", name, " in the middle of a job" if job else "")
        self.restarts += 1
        slot.deaths += 1
        self.devices.lost(slot)
        if job is not None and not job.cancelled:
            job.low_memory = slot.engine.ran_out
            self._repeat(slot, job)
        if slot.deaths < _DEATHS:
            if self.devices.is_one_up:
                self._move(slot)
            self._start(slot)
        else:
            self._take_out(slot, SemcolorError(
                Code.ENGINE_DIED, device=slot.engine.device or "?", times=slot.deaths,
                log=str(log_file()),
            ))  # fmt: skip

    def _repeat(self, slot: DeviceSlot, job: Job) -> None:
        job.attempts += 1
        if job.attempts == _ATTEMPTS:
            self._quarantine.add(job.request)
            self._answer(job, _quarantined(), None)
        elif not slot.waiting.put_back(job):
            self._answer(job, SemcolorError(Code.SUPERSEDED), None)

    def _take_out(self, slot: DeviceSlot, reason: SemcolorError) -> None:
        """Do without a device until the worker is restarted, as long as there is another."""
        if self.devices.is_one_up:
            slot.fault = reason
            self._move(slot)
        else:
            self._refuse(slot, reason)

    def _move(self, slot: DeviceSlot) -> None:
        """Give to others what waits for an engine that is gone."""
        for job in slot.waiting.clear():
            self.submit(job)

    def _refuse(self, slot: DeviceSlot, reason: SemcolorError) -> None:
        """An engine can't be started: say so, and let the next job try anew."""
        slot.deaths = 0
        for job in slot.waiting.clear():
            self._answer(job, reason, None)


def _quarantined() -> SemcolorError:
    return SemcolorError(Code.QUARANTINED, log=str(log_file()))
