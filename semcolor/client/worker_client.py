"""Talking to a worker: requests with deadlines and retries, and sessions on top of them."""

import contextlib
import math
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

import zmq
from zmq.utils.monitor import recv_monitor_message

from semcolor.protocol.codec import decode_reply, encode_request, unpack
from semcolor.protocol.results import HelloResult, Progress, Result, StatusResult
from semcolor.protocol.schema import Cancel, Hello, Leave, Request, Status
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.states import Stage
from semcolor.shared.timings import timed

from .addresses import is_known, needs_v6
from .keys import Connection

Frame = bytes | memoryview
OnStage = Callable[[Stage], None]
OnProgress = Callable[[Stage, float], None]
"""Called with what is being done and how much of it is done, 0..1."""
_CONNECT_SECONDS = 3.0
_SILENCE_SECONDS = 20.0  # the worker says every second that it lives
TRIES = 3
_BACK_OFF_SECONDS = 0.25  # doubled after each try
_SLICE_MS = 100  # how soon a cancellation is noticed
# A connection over which nothing comes any more (suspend, Wi-Fi) is found out about in time. Over a
# slow one, the worker's own pings, or an answer's next frame, come in time for that.
_PING_MS, _PONG_MS = 1000, 2000
_AHEAD = 3  # requests that the worker may have at once; its queue for us holds more
_FAREWELL_MS = 200  # for the last messages to go out
_COPY_BYTES = 65536  # larger frames are sent without a copy
_R = TypeVar("_R", bound=Result)


class WorkerClient(ABC):
    """What everybody uses to reach a worker. Not thread-safe: one client per thread."""

    @abstractmethod
    def exchange(
        self, requests: Sequence[Request], frame: Frame = b"", on_stage: OnStage | None = None
    ) -> Iterator[tuple[Result, bytes]]:
        """Send requests, a few ahead, and give their results in order. Raises SemcolorError.

        ``frame`` goes with the first of them.
        """

    def request(
        self, request: Request, frame: Frame = b"", on_stage: OnStage | None = None
    ) -> tuple[Result, bytes]:
        """Send one request, wait for its result. Raises SemcolorError."""
        return next(iter(self.exchange([request], frame, on_stage)))

    def close(self) -> None:  # noqa: B027 - a client may have nothing to close
        """Release the connection; the worker goes on."""

    def hello(self) -> HelloResult:
        """Check that worker and client speak the same protocol. Raises SemcolorError."""
        return self._expect(HelloResult, Hello())

    def status(self) -> StatusResult:
        """How the worker is."""
        return self._expect(StatusResult, Status())

    def _expect(self, kind: type[_R], request: Request, frame: Frame = b"") -> _R:
        return cast(_R, self.request(request, frame)[0])


class ZmqWorkerClient(WorkerClient):
    """A client over ZeroMQ with CURVE (Lazy Pirate: deadline, fresh socket, a few tries).

    Requests are repeated after a lost connection; they are all safe to repeat, because planes are
    named by content and everything else only reads. ``cancel``: setting it ends the request in
    flight with CANCELLED. ``timeout``: with it, a request is tried once, and the worker gets so
    many seconds to take it and as many to answer.
    """

    def __init__(
        self, connection: Connection, cancel: threading.Event | None = None,
        timeout: float = math.inf,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.cancel = cancel or threading.Event()
        self._timeout = timeout
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._is_reached = False  # something listens there, and may only be slow

    def exchange(
        self, requests: Sequence[Request], frame: Frame = b"", on_stage: OnStage | None = None
    ) -> Iterator[tuple[Result, bytes]]:
        """See :meth:`WorkerClient.exchange`."""
        answered, failures = 0, 0
        while answered < len(requests):
            try:
                left = requests[answered:]
                for result in self._pipeline(left, frame, on_stage or _ignore):
                    yield result
                    answered, failures, frame = answered + 1, 0, b""
            except _ConnectionLostError as error:
                self._close_socket()
                failures += 1
                if failures == TRIES or self._timeout < math.inf:
                    address = self.connection.address
                    code = Code.UNREACHABLE if is_known(address) else Code.NO_SUCH_HOST
                    raise SemcolorError(code, address=address) from error
                if self.cancel.wait(_BACK_OFF_SECONDS * 2**failures):
                    raise SemcolorError(Code.CANCELLED) from error

    def close(self) -> None:
        """Tell the worker that this session has ended, as far as it listens; it goes on."""
        self._say_last([Leave()])

    def _close_socket(self, linger: int = 0) -> None:
        """Close it, ``linger`` ms after its last message; the next request opens another."""
        if self._socket is not None and self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close(linger=linger)
        self._socket = self._monitor = None
        self._is_reached = False

    def _pipeline(
        self, requests: Sequence[Request], frame: Frame, on_stage: OnStage
    ) -> Iterator[tuple[Result, bytes]]:
        """Results in order. The worker has the next requests already while one is on its way."""
        socket = self._connected()
        jobs = {uuid.uuid4().hex: request for request in requests}
        unsent, waiting = iter(jobs.items()), deque(jobs)
        results: dict[str, tuple[Result, bytes]] = {}
        try:
            for job, request in islice(unsent, _AHEAD):
                self._send(socket, job, request, frame)
                frame = b""
            while waiting:
                job, reply, pixels = self._receive(socket, jobs)
                if isinstance(reply, Progress):
                    on_stage(reply.stage)
                elif isinstance(reply, SemcolorError):
                    raise reply
                else:
                    results[job] = reply, pixels
                    for following, request in islice(unsent, 1):
                        self._send(socket, following, request, b"")
                while waiting and waiting[0] in results:
                    yield results.pop(waiting.popleft())
        finally:
            if waiting:  # an error, Ctrl+C, or whoever asked has seen enough
                self._forget(waiting)

    def _send(self, socket: "zmq.Socket[bytes]", job: str, request: Request, frame: Frame) -> None:
        self._wait(socket, zmq.POLLOUT, _CONNECT_SECONDS)
        header = encode_request(job, request)
        parts = [header, frame] if len(frame) else [header]
        socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=len(frame) < _COPY_BYTES)

    def _receive(
        self, socket: "zmq.Socket[bytes]", jobs: dict[str, Request]
    ) -> tuple[str, Result | Progress | SemcolorError, bytes]:
        while True:
            with timed("wire"):
                self._wait(socket, zmq.POLLIN, _SILENCE_SECONDS)
                first, *frames = socket.recv_multipart(copy=False)
            header = first.bytes
            job = str(unpack(header).get("id"))
            if job in jobs:  # otherwise an answer to something given up earlier
                _, reply = decode_reply(header, jobs[job])
                return job, reply, b"".join(frame.buffer for frame in frames)

    def _forget(self, jobs: Iterable[str]) -> None:
        """Tell the worker that nobody waits any more; then start afresh."""
        self._say_last([Cancel(job) for job in islice(jobs, _AHEAD)])

    def _say_last(self, requests: Iterable[Request]) -> None:
        """Send what needs no answer, as far as the worker listens, and close the socket."""
        if self._socket is not None and self._socket.poll(0, zmq.POLLOUT):
            with contextlib.suppress(zmq.Again):  # its queue is full: it will see the end anyway
                for request in requests:
                    self._socket.send(encode_request(uuid.uuid4().hex, request), zmq.DONTWAIT)
        self._close_socket(linger=_FAREWELL_MS)

    def _connected(self) -> zmq.Socket[bytes]:
        """The socket; a fresh one if its connection has ended while nobody looked."""
        try:
            self._check_monitor()
        except _ConnectionLostError:
            self._close_socket()
        return self._socket or self._open()

    def _open(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        # One connection for each socket. Else ZeroMQ would try again and again behind a client that
        # rests, until the events that nobody reads have filled the monitor and block everything.
        socket.reconnect_ivl = -1
        socket.heartbeat_ivl, socket.heartbeat_timeout = _PING_MS, _PONG_MS
        socket.tcp_keepalive = 1  # so that what lies between does not forget a client that rests
        socket.ipv6 = needs_v6(self.connection.address)
        socket.immediate = True  # never queue for a worker that is not there
        socket.sndhwm = socket.rcvhwm = 4
        socket.curve_serverkey = self.connection.server_key.encode()
        socket.curve_publickey = self.connection.client.public.encode()
        socket.curve_secretkey = self.connection.client.secret.encode()
        self._monitor = socket.get_monitor_socket(
            zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )  # fmt: skip
        socket.connect(self.connection.address)
        self._socket = socket
        return socket

    def _wait(self, socket: zmq.Socket[bytes], event: int, seconds: float) -> None:
        """Return when ``event`` can be had. Raises when it can't."""
        begin = time.monotonic()
        while not socket.poll(_SLICE_MS, event):
            if self.cancel.is_set():
                raise SemcolorError(Code.CANCELLED)
            self._check_monitor()
            limit = _SILENCE_SECONDS if self._is_reached else seconds
            if time.monotonic() - begin > min(limit, self._timeout):
                raise _ConnectionLostError

    def _check_monitor(self) -> None:
        while self._monitor is not None and self._monitor.poll(0):
            match recv_monitor_message(self._monitor)["event"]:
                case zmq.EVENT_CONNECTED:
                    self._is_reached = True
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    self._close_socket()
                    raise SemcolorError(Code.KEY_REFUSED, address=self.connection.address)
                case _:
                    raise _ConnectionLostError


class _ConnectionLostError(Exception):
    """The worker went silent or away; worth another try."""


def _ignore(_: Any) -> None:
    pass
