"""The engines of a worker, one for each device: who gets a job, and what happens when one dies.

A photo stays with the engine that holds it. When that dies, what waits for it goes to another
engine, if there is one, and its job in hand runs once more: at a smaller detail where it died for
lack of memory. A device whose engine keeps dying is taken out, as long as another is left.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import zmq

from semcolor.client.local_worker import log_file
from semcolor.protocol.codec import encode_request
from semcolor.protocol.schema import EngineStatus, PhotoRequest, Progress
from semcolor.shared.errors import Code, SemcolorError

from .engine_process import EngineChild, EngineState
from .plane_store import PlaneStore
from .scheduler import Job, Places, Scheduler

log = logging.getLogger("semcolor.worker")

_ATTEMPTS = 2  # how often one job may meet an engine
_DELIVERIES = 4  # how often an engine may say that it lacks planes of one job
_DEATHS = 3  # of one engine without a job done in between, until its device counts as broken
_DEADLY_SECONDS = 120.0  # for so long no engine gets what killed two

Answer = Callable[[Job, bytes | Progress | SemcolorError, zmq.Frame | None], None]


@dataclass
class _Station:
    """One device: its engine, what that does, and what waits for it. ``fault``: why it is out."""

    engine: EngineChild
    waiting: Scheduler = field(default_factory=Scheduler)
    running: Job | None = None
    deaths: int = 0
    fault: str = ""

    @property
    def is_up(self) -> bool:
        """Whether its engine can take a job now, or soon."""
        return not self.fault and self.engine.state is not EngineState.LOST


class EnginePool:
    """Jobs in, answers out, whatever happens to the engines.

    Each job is answered once with a result or an error, through ``answer``. ``engine`` makes the
    engine of a device; without ``devices`` the first engine says which there are.
    """

    def __init__(
        self, engine: Callable[[str], EngineChild], devices: Sequence[str], store: PlaneStore,
        answer: Answer,
    ) -> None:  # fmt: skip
        self.restarts = 0
        self._engine, self._store, self._answer = engine, store, answer
        self._finds_devices = not devices
        self._stations = [_Station(engine(device)) for device in devices or [""]]
        self._places = Places()
        self._deadly: dict[tuple[str, str, int], float] = {}

    def start(self) -> None:
        """Start the engines; they are ready some seconds later."""
        for station in self._stations:
            self._start(station)

    def stop(self) -> None:
        """End the engines."""
        for station in self._stations:
            station.engine.stop()

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Where engines are heard."""
        sockets = (station.engine.socket for station in self._stations)
        return [socket for socket in sockets if socket is not None]

    @property
    def engines(self) -> list[EngineStatus]:
        """How each engine is."""
        return [
            EngineStatus(station.engine.device, str(station.engine.state), station.fault)
            for station in self._stations
        ]

    @property
    def models(self) -> list[str]:
        """What the engines have loaded."""
        return next(filter(None, (station.engine.models for station in self._stations)), [])

    def __len__(self) -> int:
        """Jobs that wait or run."""
        return sum(len(station.waiting) + bool(station.running) for station in self._stations)

    def submit(self, job: Job) -> None:
        """Take a job; older ones that it supersedes are answered at once."""
        if time.monotonic() < self._deadly.get(_work(job.request), 0.0):
            self._answer(job, _deadly(), None)
        else:
            self._queue(job)

    def cancel(self, session: bytes, job_id: str) -> bool:
        """Forget a job, and answer it; it ends before the next tile. False: there is none."""
        for station in self._stations:
            job = station.waiting.cancel(session, job_id)
            running = station.running
            if job is None and running and (running.session, running.id) == (session, job_id):
                job = self._abandon(station)
            if job is not None:
                self._answer(job, SemcolorError(Code.CANCELLED, "cancelled"), None)
                return True
        return False

    def forget(self, session: bytes) -> None:
        """Drop the jobs of a client that is gone."""
        for station in self._stations:
            station.waiting.clear(session)
            if station.running and station.running.session == session:
                self._abandon(station)

    def turn(self, readable: set[zmq.Socket[bytes]]) -> None:
        """Hear the engines that have something to say, notice those that died, hand out jobs."""
        for station in list(self._stations):
            if station.engine.socket in readable:
                self._hear(station)
            if station.engine.has_died():
                self._died(station)
        for station in self._stations:
            self._dispatch(station)

    def signs_of_life(self) -> None:
        """Tell everybody who waits how it stands."""
        for station in self._stations:
            loading = station.engine.state in (EngineState.STARTING, EngineState.LOADING)
            text = "the worker is starting" if loading else "waiting for the worker"
            for job in tuple(station.waiting):
                self._answer(job, Progress(text), None)
            running = station.running
            if running is not None and not running.cancelled:
                self._answer(running, Progress(running.request.stage), None)

    # Jobs

    def _queue(self, job: Job) -> None:
        station = self._station(job.request.photo)
        for old in station.waiting.add(job):
            self._answer(old, _superseded(), None)

    def _station(self, photo: str) -> _Station:
        """The one that holds a photo; for a new photo, one that can begin at once if possible."""
        able = [i for i, station in enumerate(self._stations) if not station.fault]
        up = [i for i in able if self._stations[i].is_up]
        loaded = [i for i in up if self._stations[i].engine.models]
        return self._stations[self._places.find(photo, loaded or up or able)]

    def _dispatch(self, station: _Station) -> None:
        if station.running is not None or not station.waiting:
            return
        if station.engine.socket is None:
            self._start(station)
        if station.engine.state is EngineState.READY:
            station.running = station.waiting.take()
            station.engine.state = EngineState.BUSY
            self._run(station)

    def _run(self, station: _Station) -> None:
        job = station.running
        assert job is not None
        planes = {digest: self._store.get(digest) for digest in job.request.planes}  # used just now
        bases = {
            digest: plane.edit.base for digest, plane in planes.items() if plane and plane.edit
        }
        header = encode_request(job.id, job.request)
        station.engine.send({"kind": "job", "header": header, "bases": bases, "scarce": job.scarce})

    def _send_planes(self, station: _Station, digests: list[str], bases: list[str]) -> None:
        """The engine lacks planes of the job in hand: give them, then the job again.

        Where the engine has the plane before an edit, the edit is enough.
        """
        job = station.running
        assert job is not None
        job.deliveries += 1
        if job.cancelled:
            self._finish(station, SemcolorError(Code.CANCELLED, "cancelled"))
            return
        if job.deliveries > _DELIVERIES:  # each one makes the engine drop another
            self._finish(station, SemcolorError(
                Code.TOO_LARGE, "the engine has too little memory for this photo: scale it down"
            ))  # fmt: skip
            return
        for digest in digests:
            plane = self._store.get(digest)
            if plane is None:
                photo = digest == job.request.photo
                code = Code.UNKNOWN_PHOTO if photo else Code.UNKNOWN_LABELS
                error = SemcolorError(code, "the worker no longer has it: send it again")
                self._finish(station, error)
                return
            if plane.edit is not None and plane.edit.base in bases:
                header: dict[str, Any] = {
                    "kind": "edit",
                    "digest": digest,
                    "base": plane.edit.base,
                    "region": plane.edit.region,
                }
                station.engine.send(header, plane.cut(plane.edit.region))
            else:
                header = {"kind": "plane", "digest": digest, "width": plane.width}
                header |= {"height": plane.height, "depth": plane.depth}
                station.engine.send(header)
                station.engine.send_blocks(plane.blocks)
        self._run(station)

    def _finish(
        self, station: _Station, reply: bytes | SemcolorError, blob: zmq.Frame | None = None
    ) -> None:
        """Answer the job in hand; the engine's own reply goes on as it came."""
        job, station.running = station.running, None
        station.engine.state = EngineState.READY
        station.deaths = 0
        if job is not None and not job.cancelled:
            self._answer(job, reply, blob)

    def _abandon(self, station: _Station) -> Job | None:
        """Tell an engine that nobody wants its job any more; the job, unless that was known."""
        job = station.running
        if job is None or job.cancelled:
            return None
        job.cancelled = True
        station.engine.send({"kind": "cancel"})
        return job

    # Engines

    def _start(self, station: _Station) -> None:
        station.engine.start(sum(not other.fault for other in self._stations))

    def _hear(self, station: _Station) -> None:
        message, blob = station.engine.receive()
        match message["kind"]:
            case "state":
                station.engine.state = EngineState(message["state"])
                station.engine.device = message.get("device", station.engine.device)
                station.engine.models = message.get("models", station.engine.models)
                self._add_devices(message.get("devices", []))
            case "failed":
                log.warning("the engine cannot start: %s", message["message"])
                station.engine.end(EngineState.LOST)
                self._places.lose(self._stations.index(station))
                error = SemcolorError(Code(message["code"]), message["message"])
                if error.code == Code.NO_DEVICE:
                    self._take_out(station, error)
                else:
                    self._refuse(station, error)
            case "missing":
                self._send_planes(station, message["digests"], message["bases"])
            case "reply":
                station.engine.device = message["device"]  # lack of memory may have moved it
                self._finish(station, message["header"], blob)

    def _add_devices(self, devices: list[str]) -> None:
        """The first engine says what there is; it took the first of them itself."""
        if not self._finds_devices or not devices:
            return
        self._finds_devices = False
        for device in devices[1:]:
            self._stations.append(_Station(self._engine(device)))
            self._start(self._stations[-1])

    def _died(self, station: _Station) -> None:
        job, station.running = station.running, None
        name = f"the engine on {station.engine.device}" if station.engine.device else "the engine"
        log.warning("%s died%s", name, " in the middle of a job" if job else "")
        self.restarts += 1
        station.deaths += 1
        self._places.lose(self._stations.index(station))
        if job is not None and not job.cancelled:
            job.scarce = station.engine.starved
            self._repeat(station, job)
        if station.deaths < _DEATHS:
            if self._is_one_up():
                self._move(station)
            self._start(station)
        else:
            self._take_out(station, SemcolorError(
                Code.ENGINE_FAILED,
                f"{name} died {station.deaths} times in a row: the reason is at the end of "
                f"{log_file()}",
            ))  # fmt: skip

    def _take_out(self, station: _Station, reason: SemcolorError) -> None:
        """Do without a device, as long as there is another."""
        if self._is_one_up():
            station.fault = f"{reason} (it is tried again when the worker is restarted)"
            self._move(station)
        else:
            self._refuse(station, reason)

    def _is_one_up(self) -> bool:
        return any(station.is_up for station in self._stations)

    def _repeat(self, station: _Station, job: Job) -> None:
        job.attempts += 1
        if job.attempts == _ATTEMPTS:
            self._deadly[_work(job.request)] = time.monotonic() + _DEADLY_SECONDS
            self._answer(job, _deadly(), None)
        elif not station.waiting.put_back(job):
            self._answer(job, _superseded(), None)

    def _move(self, station: _Station) -> None:
        """Give to others what waits for an engine that is gone."""
        for job in station.waiting.clear():
            self._queue(job)

    def _refuse(self, station: _Station, reason: SemcolorError) -> None:
        """An engine can't be started: say so, and let the next job try anew."""
        station.deaths = 0
        for job in station.waiting.clear():
            self._answer(job, reason, None)


def _work(request: PhotoRequest) -> tuple[str, str, int]:
    """What an engine does for a request, whatever the labels are."""
    return request.photo, request.stage, getattr(request, "detail", 0)


def _superseded() -> SemcolorError:
    return SemcolorError(Code.SUPERSEDED, "a newer edit took the place of this one")


def _deadly() -> SemcolorError:
    return SemcolorError(
        Code.ENGINE_FAILED,
        "the engine died twice on this photo, perhaps for lack of memory: try a smaller detail, "
        f"or again in some minutes. The reason is at the end of {log_file()}",
    )
