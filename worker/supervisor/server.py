"""The supervisor: owns the sockets, the image store and the engines. Never imports torch.

One thread, one poll loop. Requests that need no network (hello, status, uploads) are answered at
once; the others are for the pool of engines.
"""

import contextlib
import json
import logging
import os
import signal
import time
from functools import partial
from typing import Any

import zmq

import semcolor
from semcolor.client import settings
from semcolor.client.addresses import to_listen_on
from semcolor.client.discovery import announced
from semcolor.client.local_worker import connection_file, log_file
from semcolor.protocol.checks import ANSWER_FRAME, FRAME_LIMIT
from semcolor.protocol.codec import HEADER_LIMIT, encode_reply, job_of, request_of, unpack
from semcolor.protocol.results import (
    CancelResult,
    HelloResult,
    LeaveResult,
    PairResult,
    Progress,
    PutResult,
    Result,
    StatusResult,
    StopResult,
)
from semcolor.protocol.schema import (
    PROTOCOL,
    Cancel,
    Hello,
    LabelsRequest,
    Leave,
    Pair,
    PhotoRequest,
    PutLabels,
    PutPhoto,
    Request,
    Status,
    Stop,
)
from semcolor.shared.atomic_files import patiently
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor_worker import resources

from .access import Access
from .engine_endpoint import remove_leftovers
from .engine_process import EngineChild
from .log_limit import limit_log
from .metrics import Figures, Metrics
from .notify import ALIVE, READY, STOPPING, notify
from .plane_store import PlaneStore
from .pool import EnginePool
from .scheduler import Job
from .sessions import Sessions
from .usage_log import UsageLog

log = logging.getLogger("semcolor.worker")

_TICK_MS = 200
_HEARTBEAT_SECONDS = 1.0
_FINISH_SECONDS = 5.0  # for the jobs in hand, when the worker stops
_PING_MS, _PONG_MS = 1000, 20_000


class Supervisor:
    """The worker's front.

    ``listen``: HOST:PORT for the LAN besides the local socket. ``metrics``: port for Prometheus.
    ``announce``: whether to tell the local network.
    """

    def __init__(
        self, listen: str | None = None, metrics: int | None = None, announce: bool = False
    ) -> None:
        devices = settings.devices()
        self.store = PlaneStore(resources.plane_budget(len(devices) or 1))
        self._sessions = Sessions()
        self._last_heartbeat = 0.0
        self._stopping = False

        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._access = Access(self._context)
        self._usage = UsageLog()
        self._socket = self._bind(listen)
        engine = partial(EngineChild, self._context)
        self._pool = EnginePool(engine, devices, self.store, self._answer_job)
        self.listening = listen or ""
        self._announces = announce and listen is not None
        self._metrics = Metrics(metrics) if metrics is not None else None

    def run(self) -> None:
        """Serve until stopped by a client, SIGTERM or SIGINT; leaves nothing behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        remove_leftovers()
        self._pool.devices.start()
        self._write_connection_file()
        log.info("serving on %s", self.address)
        notify(READY)
        announcement = announced(self.listening) if self._announces else contextlib.nullcontext()
        try:
            with announcement:
                while not self._stopping:
                    self._turn()
            self._finish()
        finally:
            patiently(lambda: connection_file().unlink(missing_ok=True))
            self._pool.devices.stop()
            if self._metrics:
                self._metrics.stop()
            self._usage.save(self._access.known)
            self._access.stop()
            self._socket.close(linger=200)
            self._context.term()
            log.info("stopped")

    # The loop

    def _turn(self) -> None:
        ready = _readable(self._access.socket, self._socket, *self._pool.devices.sockets)
        if self._access.socket in ready:
            self._access.answer()
        if self._socket in ready:
            self._from_client()
        self._pool.turn(ready)
        self._heartbeat()

    def _from_client(self) -> None:
        identity, *frames = self._socket.recv_multipart(copy=False)
        session = identity.bytes
        job_id = ""
        reply: Result | SemcolorError | None
        try:
            if not 1 <= len(frames) <= 2:
                raise malformed("a message is a header and at most one frame")
            header = frames[0].bytes
            fields = unpack(header)
            job_id = job_of(fields)  # so that an error finds its request
            request = request_of(fields)
            pixels = frames[1].buffer if len(frames) == 2 else b""
            request.check(len(pixels))
            user = str(frames[0].get("User-Id"))
            if not self._access.may_stay(user):
                raise SemcolorError(Code.KEY_REFUSED, address=self.listening or self.address)
            is_guest = not self._access.is_own(user)
            if is_guest:
                self._check_guest(user, request, len(header) + len(pixels))
            self._sessions.heard(session, user, is_guest)
            if isinstance(request, PhotoRequest):
                self._submit(Job(session, job_id, request, header, user), pixels)
                reply = None  # an engine will give it
            else:
                reply = self._answer(session, user, request, pixels)
        except SemcolorError as error:
            reply = error
        except Exception as error:  # one request's fault must not be everybody's
            log.exception("a request failed")
            reply = SemcolorError(Code.ENGINE_FAILED, detail=str(error), log=str(log_file()))
        if reply is not None:
            self._send(session, job_id, reply)

    def _check_guest(self, user: str, request: Request, received: int) -> None:
        self._usage.note(user, received)
        if self._access.is_invited_only(user) and not isinstance(request, Hello | Pair):
            raise SemcolorError(Code.NOT_PAIRED)

    def _submit(self, job: Job, pixels: memoryview | bytes) -> None:
        """Give a job to the engines, after making its label map."""
        request = job.request
        if isinstance(request, LabelsRequest) and request.edit:
            self.store.edit(request.labels, request.edit, pixels, job.owner)
        self._pool.submit(job)

    def _answer(
        self, session: bytes, user: str, request: Request, pixels: memoryview | bytes
    ) -> Result:
        match request:
            case Hello():
                if request.protocol != PROTOCOL:
                    raise SemcolorError(
                        Code.PROTOCOL_VERSION, theirs=PROTOCOL, ours=request.protocol
                    )
                return HelloResult(PROTOCOL, os.getpid())
            case Pair():
                self._access.pair(user, request.public)
                return PairResult()
            case Status():
                return self._status()
            case PutPhoto() | PutLabels():
                return PutResult(self.store.put(request, pixels, user))
            case Cancel():
                return CancelResult(self._pool.cancel(session, request.job))
            case Leave():
                self._has_left(session)
                return LeaveResult()
            case Stop():
                if not self._access.is_own(user):
                    raise SemcolorError(Code.FORBIDDEN)
                self._stop()
                return StopResult()
        raise malformed(f"“{request.op}” is not answered here")

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if now - self._last_heartbeat < _HEARTBEAT_SECONDS:
            return
        self._last_heartbeat = now
        notify(ALIVE)
        self._pool.heartbeat()
        if self._metrics:
            self._metrics.now = self._figures()
        self._access.refresh()
        self._usage.save_if_due(self._access.known)
        limit_log(log_file())
        if not connection_file().exists():  # somebody has tidied up
            self._write_connection_file()
        for user in self._sessions.gone():
            self._let_go(user)

    def _status(self) -> StatusResult:
        engines = self._pool.devices.engines
        return StatusResult(
            version=semcolor.__version__,
            state=max((engine.state for engine in engines), key=lambda state: state.progress),
            device=", ".join(engine.device for engine in engines if engine.is_used),
            engines=engines,
            models=self._pool.devices.models,
            sessions=len(self._sessions),
            waiting=len(self._pool),
            planes_bytes=self.store.used,
            restarts=self._pool.restarts,
            listening=self.listening,
        )

    def _figures(self) -> Figures:
        engines = sum(slot.engine.resident_memory for slot in self._pool.devices)
        return Figures(
            waiting=len(self._pool),
            sessions=len(self._sessions),
            planes_bytes=self.store.used,
            resident_bytes=engines + resources.resident_memory(os.getpid()),
            jobs=self._pool.answered,
            waited_seconds=self._pool.waited_seconds,
            restarts=self._pool.restarts,
            refused_keys=self._access.refused,
        )

    def _stop(self) -> None:
        self._stopping = True

    def _finish(self) -> None:
        """Let the jobs in hand end; whoever waits finds the connection closed, and asks again."""
        notify(STOPPING)
        end = time.monotonic() + _FINISH_SECONDS
        while self._pool.is_running and time.monotonic() < end:
            self._pool.hear(_readable(*self._pool.devices.sockets))

    def _has_left(self, session: bytes) -> None:
        self._pool.forget(session)
        user = self._sessions.left(session)
        if user is not None:
            self._let_go(user)

    def _let_go(self, user: str) -> None:
        """A client is gone, and so is all that it has put here."""
        self._pool.let_go(self.store.forget(user))
        resources.give_back_memory()

    # Sockets

    def _answer_job(
        self, job: Job, reply: zmq.Frame | Progress | SemcolorError, blob: zmq.Frame | None
    ) -> None:
        self._send(job.session, job.id, reply, blob)

    def _send(
        self, session: bytes, job_id: str, reply: zmq.Frame | Result | Progress | SemcolorError,
        blob: zmq.Frame | None = None,
    ) -> None:  # fmt: skip
        header = reply if isinstance(reply, zmq.Frame) else encode_reply(job_id, reply)
        parts: list[Any] = [session, header]
        if blob is not None:
            pixels = blob.buffer
            parts += [pixels[at : at + ANSWER_FRAME] for at in range(0, len(pixels), ANSWER_FRAME)]
        try:
            self._socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=False)
        except zmq.ZMQError as error:  # the client takes nothing any more, or …
            log.info("a reply was dropped: %s", error)
            if error.errno == zmq.EHOSTUNREACH:  # … is gone for good
                self._has_left(session)

    def _bind(self, listen: str | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 16
        socket.maxmsgsize = FRAME_LIMIT + HEADER_LIMIT
        socket.router_mandatory = True
        # A client that sends much over a slow network hears these all the same; one that does not
        # answer them is gone, though nobody has said so.
        socket.heartbeat_ivl, socket.heartbeat_timeout = _PING_MS, _PONG_MS
        self._access.guard(socket)
        socket.bind("tcp://127.0.0.1:*")
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if listen is not None:
            address = to_listen_on(listen)
            socket.ipv6 = address.is_v6
            socket.tcp_keepalive = 1  # a laptop that vanished gives its descriptor back
            try:
                socket.bind(address.endpoint)
            except zmq.ZMQError as error:
                raise SemcolorError(
                    Code.CANNOT_LISTEN, address=listen, reason=str(error)
                ) from error
        return socket

    def _write_connection_file(self) -> None:
        connection = self._access.local_connection(self.address)
        settings.write_private(connection_file(), json.dumps(connection.to_dict()))


def _readable(*sockets: zmq.Socket[bytes]) -> set[zmq.Socket[bytes]]:
    """Those that have something to say, after a tick at most."""
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    return {socket for socket, _ in poller.poll(_TICK_MS)}
