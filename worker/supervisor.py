"""The supervisor: owns the sockets, the image store and the engine's life. Never imports torch.

One thread, one poll loop. Requests that need no network (hello, status, uploads) are answered at
once; the others wait in the scheduler until the engine is free. A job whose engine dies is run
again, once, by the next engine.
"""

import ipaddress
import json
import logging
import os
import signal
import time
from dataclasses import asdict, dataclass
from socket import gethostbyname
from typing import Any

import zmq
import zmq.auth.thread

import semcolor
from semcolor import keys, settings
from semcolor.errors import Code, SemcolorError
from semcolor.keys import Connection, KeyPair
from semcolor.local_worker import connection_file, log_file
from semcolor.messages import (
    FRAME_LIMIT,
    HEADER_LIMIT,
    PROTOCOL,
    Cancel,
    CancelResult,
    EditLabels,
    Hello,
    HelloResult,
    PhotoRequest,
    Progress,
    PutLabels,
    PutPhoto,
    PutResult,
    Request,
    Result,
    Status,
    StatusResult,
    Stop,
    StopResult,
    decode_request,
    encode_reply,
    encode_request,
    unpack,
)

from .child import EngineChild, EngineState
from .scheduler import Scheduler
from .store import PlaneStore

log = logging.getLogger("semcolor.worker")

_DOMAIN = b"semcolor"  # of ZAP
_TICK_MS = 200
_SIGN_OF_LIFE_SECONDS = 1.0
_ATTEMPTS = 2  # how often one job may meet an engine
_DELIVERIES = 4  # how often an engine may say that it lacks planes of one job
_START_FAILURES = 3  # engines that died before they were ready, until jobs are told
_SESSION_SECONDS = 300.0  # a session without requests no longer counts as open


@dataclass
class Job:
    """A request for the engine, and whom to answer."""

    session: bytes
    id: str
    request: PhotoRequest
    attempts: int = 0
    deliveries: int = 0
    cancelled: bool = False


class Supervisor:
    """The worker's front. ``listen``: HOST:PORT for the LAN besides the local socket."""

    def __init__(self, listen: str | None = None, store: PlaneStore | None = None) -> None:
        self.store = store or PlaneStore()
        self._scheduler: Scheduler[Job] = Scheduler()
        self._running: Job | None = None
        self._sessions: dict[bytes, float] = {}
        self._restarts = 0
        self._failed_starts = 0
        self._last_sign = 0.0
        self._stopping = False

        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._server = keys.server_keys()
        self._local = KeyPair.generate()
        self._authenticator = self._authenticate()
        self._socket = self._bind(listen)
        self._engine = EngineChild(self._context)
        self.listening = listen or ""

    def run(self) -> None:
        """Serve until stopped by a client, SIGTERM or SIGINT; leaves nothing behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        self._engine.start()
        self._write_connection_file()
        log.info("serving on %s", self.address)
        try:
            while not self._stopping:
                self._turn()
        finally:
            connection_file().unlink(missing_ok=True)
            self._engine.stop()
            self._authenticator.stop()
            self._socket.close(linger=200)
            self._context.term()
            log.info("stopped")

    # The loop

    def _turn(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        if self._engine.socket is not None:
            poller.register(self._engine.socket, zmq.POLLIN)
        ready = dict(poller.poll(_TICK_MS))
        if self._engine.socket in ready:
            self._from_engine()
        if self._socket in ready:
            self._from_client()
        if self._engine.has_died():
            self._engine_died()
        self._dispatch()
        self._signs_of_life()

    def _from_client(self) -> None:
        identity, *frames = self._socket.recv_multipart(copy=False)
        session = identity.bytes
        self._sessions[session] = time.monotonic()
        job_id = ""
        reply: Result | SemcolorError | None
        try:
            if not 1 <= len(frames) <= 2:
                raise SemcolorError(Code.MALFORMED, "a message is a header and at most one frame")
            header = frames[0].bytes
            job_id = _job_id(header)
            pixels = frames[1].buffer if len(frames) == 2 else b""
            job_id, request = decode_request(header, len(pixels))
            user = str(frames[0].get("User-Id"))
            reply = self._answer(session, user, job_id, request, pixels)
        except SemcolorError as error:
            reply = error
        if reply is not None:
            self._send(session, job_id, reply)

    def _answer(
        self, session: bytes, user: str, job_id: str, request: Request, pixels: memoryview | bytes
    ) -> Result | None:
        """The result, or None when the engine will give it."""
        match request:
            case Hello():
                return HelloResult(PROTOCOL, semcolor.__version__, os.getpid())
            case Status():
                return self._status()
            case PutPhoto() | PutLabels():
                return PutResult(self.store.put(request, pixels))
            case EditLabels():
                return PutResult(self.store.edit(request, pixels))
            case PhotoRequest():
                self._scheduler.add(session, job_id, Job(session, job_id, request))
                return None
            case Cancel():
                return CancelResult(self._cancel(session, request.job))
            case Stop():
                if user != self._local.public:
                    raise SemcolorError(Code.FORBIDDEN, "only the worker's own user may stop it")
                self._stop()
                return StopResult()
        raise SemcolorError(Code.MALFORMED, f"“{request.op}” is not answered here")

    def _from_engine(self) -> None:
        message, blob = self._engine.receive()
        match message["kind"]:
            case "state":
                self._engine.state = EngineState(message["state"])
                self._engine.device = message.get("device", self._engine.device)
                self._engine.models = message.get("models", self._engine.models)
                if self._engine.state is EngineState.READY:
                    self._failed_starts = 0
            case "failed":
                log.warning("the engine cannot start: %s", message["message"])
                self._engine.end(EngineState.LOST)
                self._refuse_all(SemcolorError(Code(message["code"]), message["message"]))
            case "missing":
                self._send_planes(message["digests"], message["bases"])
            case "reply":
                self._finish(message["header"], blob)

    # Jobs

    def _dispatch(self) -> None:
        if self._running is not None or not self._scheduler:
            return
        if self._engine.socket is None:
            if self._failed_starts >= _START_FAILURES:
                self._refuse_all(SemcolorError(
                    Code.ENGINE_FAILED,
                    f"the engine does not start: the reason is at the end of {log_file()}",
                ))  # fmt: skip
                return
            self._engine.start()
        if self._engine.state is EngineState.READY:
            self._running = self._scheduler.take()
            self._engine.state = EngineState.BUSY
            self._run()

    def _run(self) -> None:
        assert self._running is not None
        request = self._running.request
        planes = {digest: self.store.get(digest) for digest in request.planes}  # used just now
        bases = {
            digest: plane.edit.base for digest, plane in planes.items() if plane and plane.edit
        }
        header = encode_request(self._running.id, request)
        self._engine.send({"kind": "job", "header": header, "bases": bases})

    def _send_planes(self, digests: list[str], bases: list[str]) -> None:
        """The engine lacks planes of the job in hand: give them, then the job again.

        Where the engine has the plane before an edit, the edit is enough.
        """
        assert self._running is not None
        self._running.deliveries += 1
        if self._running.deliveries > _DELIVERIES:  # each one makes the engine drop another
            self._finish(SemcolorError(
                Code.TOO_LARGE, "the engine has too little memory for this photo: scale it down"
            ))  # fmt: skip
            return
        for digest in digests:
            plane = self.store.get(digest)
            if plane is None:
                photo = digest == self._running.request.photo
                code = Code.UNKNOWN_PHOTO if photo else Code.UNKNOWN_LABELS
                self._finish(SemcolorError(code, "the worker no longer has it: send it again"))
                return
            if plane.edit is not None and plane.edit.base in bases:
                header = {"kind": "edit", "digest": digest, **asdict(plane.edit)}
                self._engine.send(header, plane.cut(plane.edit.region))
            else:
                header = {"kind": "plane", "digest": digest, "width": plane.width}
                header |= {"height": plane.height, "depth": plane.depth}
                self._engine.send(header, plane.pixels)
        self._run()

    def _finish(self, reply: bytes | SemcolorError, blob: zmq.Frame | None = None) -> None:
        """Answer the job in hand; the engine's own reply goes on as it came."""
        job, self._running = self._running, None
        self._engine.state = EngineState.READY
        if job is not None and not job.cancelled:
            self._send(job.session, job.id, reply, blob)

    def _cancel(self, session: bytes, job_id: str) -> bool:
        job = self._scheduler.cancel(session, job_id)
        running = self._running
        if job is None and running and (running.session, running.id) == (session, job_id):
            job = running
        if job is None or job.cancelled:
            return False
        job.cancelled = True
        self._send(session, job_id, SemcolorError(Code.CANCELLED, "cancelled"))
        return True

    def _engine_died(self) -> None:
        self._restarts += 1
        job, self._running = self._running, None
        log.warning("the engine died%s", " in the middle of a job" if job else "")
        if job is None:
            self._failed_starts += 1
        elif not job.cancelled:
            job.attempts += 1
            if job.attempts < _ATTEMPTS:
                self._scheduler.add_first(job.session, job.id, job)
            else:
                self._send(job.session, job.id, SemcolorError(
                    Code.ENGINE_FAILED,
                    "the engine died twice on this photo, perhaps for lack of memory: try a "
                    f"smaller detail. The reason is at the end of {log_file()}",
                ))  # fmt: skip
        if self._failed_starts < _START_FAILURES:
            self._engine.start()

    def _refuse_all(self, reason: SemcolorError) -> None:
        """The engine can't be started: say so, and let the next request try anew."""
        while (job := self._scheduler.take()) is not None:
            self._send(job.session, job.id, reason)
        self._failed_starts = 0

    def _signs_of_life(self) -> None:
        now = time.monotonic()
        if now - self._last_sign < _SIGN_OF_LIFE_SECONDS:
            return
        self._last_sign = now
        loading = self._engine.state in (EngineState.STARTING, EngineState.LOADING)
        for job in self._scheduler:
            text = "the worker is starting" if loading else "waiting for the worker"
            self._send(job.session, job.id, Progress(text))
        if self._running is not None and not self._running.cancelled:
            self._send(
                self._running.session, self._running.id, Progress(self._running.request.stage)
            )
        fresh = now - _SESSION_SECONDS
        self._sessions = {key: seen for key, seen in self._sessions.items() if seen > fresh}

    def _status(self) -> StatusResult:
        return StatusResult(
            version=semcolor.__version__,
            state=str(self._engine.state),
            device=self._engine.device,
            models=self._engine.models,
            sessions=len(self._sessions),
            waiting=len(self._scheduler) + (self._running is not None),
            planes_bytes=self.store.used,
            restarts=self._restarts,
            listening=self.listening,
        )

    def _stop(self) -> None:
        self._stopping = True

    # Sockets

    def _send(
        self, session: bytes, job_id: str, reply: bytes | Result | Progress | SemcolorError,
        blob: zmq.Frame | None = None,
    ) -> None:  # fmt: skip
        header = reply if isinstance(reply, bytes) else encode_reply(job_id, reply)
        parts: list[Any] = [session, header]
        if blob is not None:
            parts.append(blob)
        try:
            self._socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=False)
        except zmq.ZMQError as error:  # the client is gone, or takes nothing any more
            log.info("a reply was dropped: %s", error)

    def _authenticate(self) -> zmq.auth.thread.ThreadAuthenticator:
        authenticator = zmq.auth.thread.ThreadAuthenticator(self._context)
        authenticator.start()
        authenticator.configure_curve_callback(_DOMAIN.decode(), credentials_provider=self)
        return authenticator

    def callback(self, domain: str, key: bytes) -> bool:
        """Pyzmq asks: may this client in? Only this machine's key and the invited ones may.

        The folder is read at each handshake, so an invitation counts at once and so does its end.
        """
        public = key.decode()
        allowed = public == self._local.public or public in keys.authorized()
        if not allowed:
            log.warning("refused a client with an unknown key")
        return allowed

    def _bind(self, listen: str | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 16
        socket.maxmsgsize = FRAME_LIMIT + HEADER_LIMIT
        socket.router_mandatory = True
        socket.curve_server = True
        socket.curve_secretkey = self._server.secret.encode()
        socket.zap_domain = _DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # no authenticator: nobody gets in
        socket.bind("tcp://127.0.0.1:*")
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if listen is not None:
            try:
                socket.bind(_endpoint(listen))
            except zmq.ZMQError as error:
                raise SemcolorError(
                    Code.UNREACHABLE,
                    f"cannot listen on {listen} ({error}): choose an address of this machine and "
                    "a free port",
                ) from error
        return socket

    def _write_connection_file(self) -> None:
        connection = Connection(self.address, self._server.public, self._local)
        fields = connection.to_dict() | {"listening": self.listening, "pid": os.getpid()}
        settings.write_private(connection_file(), json.dumps(fields))


def _endpoint(listen: str) -> str:
    """``HOST:PORT`` as a ZeroMQ endpoint; HOST may be an IPv4 address, a name or ``*``."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise SemcolorError(
            Code.MALFORMED, f"“{listen}” is not HOST:PORT: say for instance 0.0.0.0:7777"
        )
    if host != "*":
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            try:
                host = gethostbyname(host)  # ZeroMQ binds to addresses only
            except OSError as error:
                raise SemcolorError(
                    Code.MALFORMED, f"this machine has no address “{host}”: use 0.0.0.0 for all"
                ) from error
    return f"tcp://{host}:{port}"


def _job_id(header: bytes) -> str:
    """The id of a header that may be wrong otherwise, so that the error finds its request."""
    try:
        job_id = unpack(header).get("id")
    except SemcolorError:
        return ""
    return job_id if isinstance(job_id, str) else ""
