"""The supervisor: owns the sockets, the image store and the engines. Never imports torch.

One thread, one poll loop. Requests that need no network (hello, status, uploads) are answered at
once; the others are for the pool of engines.
"""

import ipaddress
import json
import logging
import os
import signal
import time
from functools import partial
from socket import gethostbyname
from typing import Any

import zmq
import zmq.auth.thread

import semcolor
from semcolor.client import keys, settings
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.local_worker import connection_file
from semcolor.protocol.codec import HEADER_LIMIT, decode_request, encode_reply, unpack
from semcolor.protocol.schema import (
    FRAME_LIMIT,
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
)
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import resources

from .engine_process import EngineChild
from .plane_store import PlaneStore
from .pool import EnginePool
from .scheduler import Job

log = logging.getLogger("semcolor.worker")

_DOMAIN = b"semcolor"  # of ZAP
_TICK_MS = 200
_SIGN_OF_LIFE_SECONDS = 1.0
_SESSION_SECONDS = 300.0  # a session without requests no longer counts as open
_STATES = ("busy", "ready", "loading", "starting", "lost", "stopped")  # the furthest first


class Supervisor:
    """The worker's front. ``listen``: HOST:PORT for the LAN besides the local socket."""

    def __init__(self, listen: str | None = None) -> None:
        devices = settings.devices()
        self.store = PlaneStore(resources.plane_budget(len(devices) or 1))
        self._sessions: dict[bytes, float] = {}
        self._last_sign = 0.0
        self._stopping = False

        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._server = keys.server_keys()
        self._local = KeyPair.generate()
        self._authenticator = self._authenticate()
        self._socket = self._bind(listen)
        engine = partial(EngineChild, self._context)
        self._pool = EnginePool(engine, devices, self.store, self._answer_job)
        self.listening = listen or ""

    def run(self) -> None:
        """Serve until stopped by a client, SIGTERM or SIGINT; leaves nothing behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        self._pool.start()
        self._write_connection_file()
        log.info("serving on %s", self.address)
        try:
            while not self._stopping:
                self._turn()
        finally:
            connection_file().unlink(missing_ok=True)
            self._pool.stop()
            self._authenticator.stop()
            self._socket.close(linger=200)
            self._context.term()
            log.info("stopped")

    # The loop

    def _turn(self) -> None:
        poller = zmq.Poller()
        for socket in (self._socket, *self._pool.sockets):
            poller.register(socket, zmq.POLLIN)
        ready = {socket for socket, _ in poller.poll(_TICK_MS)}
        if self._socket in ready:
            self._from_client()
        self._pool.turn(ready)
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
                self._pool.submit(Job(session, job_id, request))
                return None
            case Cancel():
                return CancelResult(self._pool.cancel(session, request.job))
            case Stop():
                if user != self._local.public:
                    raise SemcolorError(Code.FORBIDDEN, "only the worker's own user may stop it")
                self._stop()
                return StopResult()
        raise SemcolorError(Code.MALFORMED, f"“{request.op}” is not answered here")

    def _signs_of_life(self) -> None:
        now = time.monotonic()
        if now - self._last_sign < _SIGN_OF_LIFE_SECONDS:
            return
        self._last_sign = now
        self._pool.signs_of_life()
        fresh = now - _SESSION_SECONDS
        self._sessions = {key: seen for key, seen in self._sessions.items() if seen > fresh}

    def _status(self) -> StatusResult:
        engines = self._pool.engines
        return StatusResult(
            version=semcolor.__version__,
            state=min((engine.state for engine in engines), key=_STATES.index),
            device=", ".join(engine.device for engine in engines if not engine.fault),
            engines=engines,
            models=self._pool.models,
            sessions=len(self._sessions),
            waiting=len(self._pool),
            planes_bytes=self.store.used,
            restarts=self._pool.restarts,
            listening=self.listening,
        )

    def _stop(self) -> None:
        self._stopping = True

    # Sockets

    def _answer_job(
        self, job: Job, reply: bytes | Progress | SemcolorError, blob: zmq.Frame | None
    ) -> None:
        self._send(job.session, job.id, reply, blob)

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
        except zmq.ZMQError as error:  # the client takes nothing any more, or …
            log.info("a reply was dropped: %s", error)
            if error.errno == zmq.EHOSTUNREACH:  # … is gone for good
                self._sessions.pop(session, None)
                self._pool.forget(session)

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
