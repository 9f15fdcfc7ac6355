"""One device of a worker: its engine, and what it is known to hold."""

import time
from collections.abc import Sequence

from semcolor.protocol.results import EngineStatus, Failure
from semcolor.protocol.schema import PhotoRequest, named
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.states import WorkerState
from semcolor_worker.engine_link import Cancel, EditedPlane, Forget
from semcolor_worker.engine_link import Job as JobMessage
from semcolor_worker.engine_link import Plane as PlaneMessage

from .engine_process import EngineChild
from .plane_store import Plane, PlaneStore
from .scheduler import Job, Scheduler

_NAMED = 1000  # planes in one message
_RETRY_SECONDS = 300.0  # without a job, until a device that could not be used is tried again
_LONGEST_RETRY_SECONDS = 3600.0


class DeviceSlot:
    """One device: its engine, the job in hand, and what waits.

    ``deaths``: of its engine without a job done in between. ``fault``: why it was taken out.
    ``stands_in``: why its engine computes on the CPU, if it was to compute on a device.
    """

    def __init__(self, engine: EngineChild) -> None:
        self.engine = engine
        self.waiting = Scheduler()
        self.running: Job | None = None
        self.deaths = 0
        self.fault: SemcolorError | None = None
        self.stands_in: SemcolorError | None = None
        self._idle_since = 0.0  # monotonic seconds
        self._patience = _RETRY_SECONDS
        self._held: set[str] = set()  # digests of the planes that the engine has, and …
        self._unwanted: set[str] = set()  # … of those that it is to forget

    @property
    def is_up(self) -> bool:
        """Whether its engine can take a job now, or soon."""
        return not self.fault and self.engine.state is not WorkerState.LOST

    @property
    def is_loading(self) -> bool:
        """Whether its engine is on its way up."""
        return self.engine.state in (WorkerState.STARTING, WorkerState.LOADING)

    @property
    def status(self) -> EngineStatus:
        """For clients."""
        fault = self.fault or self.stands_in
        failure = Failure.of(fault) if fault else None
        return EngineStatus(self.engine.device, self.engine.state, failure)

    def is_ready(self, stands_in: SemcolorError | None) -> None:
        """Its engine takes jobs now."""
        self.engine.state = WorkerState.READY
        self._patience = 2 * self._patience if self.stands_in and stands_in else _RETRY_SECONDS
        self._patience = min(self._patience, _LONGEST_RETRY_SECONDS)
        self.stands_in = stands_in
        self._idle_since = time.monotonic()

    @property
    def may_try_device(self) -> bool:
        """Whether it is time to see if its own device can be used again: nobody would notice."""
        is_idle = self.engine.state is WorkerState.READY and self.running is None
        idle = time.monotonic() - self._idle_since
        return bool(self.stands_in) and is_idle and not self.waiting and idle > self._patience

    def start(self, engines: int) -> None:
        """Start its engine, one of so many."""
        self._held.clear()
        self._unwanted.clear()
        self.engine.start(engines)

    def begin(self) -> Job:
        """Take the next job in hand; there must be one."""
        job = self.waiting.take()
        assert job is not None
        self.running, self.engine.state = job, WorkerState.BUSY
        return job

    def deliver(self, store: PlaneStore, missing: Sequence[str] = ()) -> None:
        """Send the job in hand to the engine, with the planes that it lacks.

        ``missing``: what the engine asked for, because it had forgotten it or its results. Raises
        SemcolorError (UNKNOWN_PHOTO, UNKNOWN_LABELS) where the store has not that either.
        """
        job, edits, pixels = self.running, list[EditedPlane](), list[bytes]()
        assert job is not None
        self.drop(missing)
        self._unwanted.difference_update(job.request.planes)
        for digest in named(*job.request.planes, *missing):
            plane = store.get(digest, job.owner)  # it is used now, even if the engine has it
            is_theirs = plane is not None or store.was_put(digest, job.owner)
            if digest in self._held and is_theirs:
                continue
            if plane is None:
                if digest in missing or not is_theirs:
                    raise _unknown(digest, job.request)
            elif plane.edit is not None and plane.edit.base in self._held:
                edits.append(EditedPlane(digest, plane.edit.base, plane.edit.region))
                pixels.append(plane.cut(plane.edit.region))
                self._held.add(digest)
            else:
                self._send_plane(digest, plane)
        self.engine.send(JobMessage(job.low_memory, edits), job.header, *pixels)

    def drop(self, digests: Sequence[str]) -> None:
        """The engine has these planes no more."""
        self._held.difference_update(digests)

    def let_go(self, digests: Sequence[str]) -> None:
        """The engine is to forget these planes, as soon as it has no job."""
        self._unwanted.update(digests)

    def tidy(self) -> None:
        """Tell the engine what it is to forget, if it can hear that now."""
        if self._unwanted and self.running is None and self.engine.state is WorkerState.READY:
            unwanted = sorted(self._unwanted)
            self.drop(unwanted)
            self._unwanted.clear()
            for first in range(0, len(unwanted), _NAMED):
                self.engine.send(Forget(unwanted[first : first + _NAMED]))

    def end_job(self) -> Job | None:
        """The job in hand has ended; it, if somebody still wants its answer."""
        job, self.running = self.running, None
        self.engine.state = WorkerState.READY
        self.deaths = 0
        self._idle_since = time.monotonic()
        return None if job is None or job.cancelled else job

    def cancel(self, session: bytes, job_id: str) -> Job | None:
        """Forget a job that waits or runs; None: there is none."""
        job, running = self.waiting.cancel(session, job_id), self.running
        if job is None and running and (running.session, running.id) == (session, job_id):
            return self._abandon()
        return job

    def forget(self, session: bytes) -> None:
        """Drop the jobs of a client that is gone."""
        self.waiting.clear(session)
        if self.running and self.running.session == session:
            self._abandon()

    def _abandon(self) -> Job | None:
        """Tell the engine that nobody wants its job any more; the job, unless that was known."""
        job = self.running
        if job is None or job.cancelled:
            return None
        job.cancelled = True
        self.engine.send(Cancel())
        return job

    def _send_plane(self, digest: str, plane: Plane) -> None:
        self.engine.send(PlaneMessage(digest, plane.width, plane.height, plane.depth))
        self.engine.send_blocks(plane.blocks)
        self._held.add(digest)


def _unknown(digest: str, request: PhotoRequest) -> SemcolorError:
    is_photo = digest == request.photo
    return SemcolorError(Code.UNKNOWN_PHOTO if is_photo else Code.UNKNOWN_LABELS)
