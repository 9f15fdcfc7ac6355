"""Talking to a worker: requests with deadlines and retries, and sessions on top of them."""

import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numpy as np
import zmq
from zmq.utils.monitor import recv_monitor_message

from .errors import Code, SemcolorError
from .keys import Connection
from .messages import (
    FRAME_LIMIT,
    Cancel,
    Colorize,
    Hello,
    HelloResult,
    Progress,
    PutLabels,
    PutPhoto,
    PutResult,
    Rectangle,
    Request,
    Result,
    Segment,
    Status,
    StatusResult,
    decode_reply,
    encode_request,
    pack_labels,
    plane_digest,
    unpack_labels,
)
from .pixels import Gray, LabelMap, Rgb

Frame = bytes | memoryview
OnText = Callable[[str], None]
OnProgress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done, 0..1."""

_CONNECT_SECONDS = 3.0
_SILENCE_SECONDS = 20.0  # the worker sends a sign of life every second
_TRIES = 3
_BACK_OFF_SECONDS = 0.25  # doubled after each try
_SLICE_MS = 100  # how soon a cancellation is noticed
_UPLOAD_BYTES = FRAME_LIMIT // 4  # small enough for progress over a slow network

_R = TypeVar("_R", bound=Result)


class WorkerClient(ABC):
    """What everybody uses to reach a worker. Not thread-safe: one client per thread."""

    @abstractmethod
    def request(
        self, request: Request, frame: Frame = b"", on_text: OnText | None = None
    ) -> tuple[Result, bytes]:
        """Send one request, wait for its result. Raises SemcolorError."""

    def close(self) -> None:  # noqa: B027 - a client may have nothing to close
        """Release the connection; the worker goes on."""

    def hello(self) -> HelloResult:
        """Check that worker and client speak the same protocol."""
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
    flight with CANCELLED.
    """

    def __init__(self, connection: Connection, cancel: threading.Event | None = None) -> None:
        self.connection = connection
        self.cancel = cancel or threading.Event()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None

    def request(
        self, request: Request, frame: Frame = b"", on_text: OnText | None = None
    ) -> tuple[Result, bytes]:
        """See :meth:`WorkerClient.request`."""
        for attempt in range(_TRIES):
            try:
                return self._try(request, frame, on_text or _ignore)
            except _ConnectionLostError:
                self.close()
                time.sleep(_BACK_OFF_SECONDS * 2**attempt)
        raise SemcolorError(
            Code.UNREACHABLE,
            f"the worker at {self.connection.address} does not answer: is it running? "
            "`semcolor worker status` tells, `semcolor worker start` starts one here",
        )

    def close(self) -> None:
        """Close the socket; the next request opens a new one."""
        if self._socket is not None and self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close(linger=0)
        self._socket = self._monitor = None

    def _try(self, request: Request, frame: Frame, on_text: OnText) -> tuple[Result, bytes]:
        socket = self._socket or self._open()
        job = uuid.uuid4().hex
        self._wait(socket, zmq.POLLOUT, _CONNECT_SECONDS)
        parts = (
            [encode_request(job, request), frame] if len(frame) else [encode_request(job, request)]
        )
        socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=len(frame) < 65536)
        try:
            while True:
                self._wait(socket, zmq.POLLIN, _SILENCE_SECONDS)
                header, *frames = socket.recv_multipart()
                answered, reply = decode_reply(header, request)
                if answered != job:
                    continue  # an answer to something given up earlier
                if isinstance(reply, Progress):
                    on_text(reply.text)
                elif isinstance(reply, SemcolorError):
                    raise reply
                else:
                    return reply, frames[0] if frames else b""
        except KeyboardInterrupt:
            self._forget(job)
            raise
        except SemcolorError as error:
            if error.code == Code.CANCELLED:
                self._forget(job)
            raise

    def _forget(self, job: str) -> None:
        if self._socket is not None and self._socket.poll(0, zmq.POLLOUT):
            self._socket.send(encode_request(uuid.uuid4().hex, Cancel(job)), flags=zmq.DONTWAIT)
            self._socket.close(linger=200)  # milliseconds, enough to get it out
            self._socket = None

    def _open(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        socket.immediate = True  # never queue for a worker that is not there
        socket.sndhwm = socket.rcvhwm = 4
        socket.curve_serverkey = self.connection.server_key.encode()
        socket.curve_publickey = self.connection.client.public.encode()
        socket.curve_secretkey = self.connection.client.secret.encode()
        self._monitor = socket.get_monitor_socket(
            zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )
        socket.connect(self.connection.address)
        self._socket = socket
        return socket

    def _wait(self, socket: zmq.Socket[bytes], event: int, seconds: float) -> None:
        """Return when ``event`` can be had. Raises when it can't."""
        deadline = time.monotonic() + seconds
        while not socket.poll(_SLICE_MS, event):
            if self.cancel.is_set():
                raise SemcolorError(Code.CANCELLED, "cancelled")
            self._check_monitor()
            if time.monotonic() > deadline:
                raise _ConnectionLostError

    def _check_monitor(self) -> None:
        while self._monitor is not None and self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.close()
                raise SemcolorError(
                    Code.KEY_REFUSED,
                    f"the worker at {self.connection.address} does not know this client's key: "
                    "ask for a new invitation (`semcolor worker invite NAME` there, "
                    "`semcolor connect LINE` here)",
                )
            raise _ConnectionLostError


class Session:
    """One open photo of one client: uploads what the worker lacks, then pulls results.

    ``gray``: H×W uint8 or uint16, sRGB curve. The arrays are kept, so that a worker which was
    restarted, or forgot them, gets them again.
    """

    def __init__(self, client: WorkerClient, gray: Gray) -> None:
        self.client = client
        self.gray = np.ascontiguousarray(gray)
        self.height, self.width = gray.shape
        self.depth = gray.dtype.itemsize * 8
        self.photo = plane_digest(self.width, self.height, self.depth, self.gray.data.cast("B"))
        self._labels: LabelMap | None = None
        self._labels_digest = ""
        self._uploaded: set[str] = set()

    def set_labels(self, label_map: LabelMap | None) -> None:
        """The label map to colour by, H×W class ids; None: nothing is labelled.

        Raises SemcolorError (SIZE_MISMATCH) when it is not the photo's size.
        """
        if label_map is None:
            self._labels, self._labels_digest = None, ""
            return
        if label_map.shape != self.gray.shape:
            height, width = label_map.shape
            raise SemcolorError(
                Code.SIZE_MISMATCH,
                f"the label map has {width} × {height} pixels, the photo {self.width} × "
                f"{self.height}: they must be the same",
            )
        self._labels = np.ascontiguousarray(label_map)
        self._labels_digest = plane_digest(self.width, self.height, 8, self._labels.data.cast("B"))

    def upload(self, on_progress: OnProgress) -> None:
        """Bring photo and label map to the worker, as far as it lacks them."""
        self._put_photo(on_progress)
        if self._labels is not None:
            self._put_labels(on_progress)
        self._uploaded = {self.photo, self._labels_digest}

    def segment(self, region: Rectangle, detail: int, on_progress: OnProgress) -> LabelMap:
        """Predicted label map of a rectangle, height×width class ids."""
        label_map = np.empty((region.height, region.width), np.uint8)
        for part, rows in _parts(region, Segment.bytes_per_pixel):
            request = Segment(self.photo, part, detail)
            labels = unpack_labels(self._pull(request, region, on_progress), part.pixels)
            label_map[rows] = np.frombuffer(labels, np.uint8).reshape(part.height, part.width)
            on_progress(request.stage, rows.stop / region.height)
        return label_map

    def colorize(self, region: Rectangle, detail: int, on_progress: OnProgress) -> Rgb:
        """Colour of a rectangle, height×width×3 sRGB of the photo's depth."""
        rgb = np.empty((region.height, region.width, 3), self.gray.dtype)
        for part, rows in _parts(region, Colorize.bytes_per_pixel):
            request = Colorize(self.photo, self._labels_digest, part, detail)
            frame = self._pull(request, region, on_progress)
            rgb[rows] = np.frombuffer(frame, rgb.dtype).reshape(part.height, part.width, 3)
            on_progress(request.stage, rows.stop / region.height)
        return rgb

    @property
    def whole(self) -> Rectangle:
        """The whole photo."""
        return Rectangle(0, 0, self.width, self.height)

    def _pull(
        self, request: Segment | Colorize, region: Rectangle, on_progress: OnProgress
    ) -> bytes:
        """The frame of a result; uploads what the worker says it does not know."""
        done = (request.region.y - region.y) / region.height
        if not {self.photo, self._labels_digest} <= self._uploaded:
            self.upload(on_progress)
        for _ in range(_TRIES):
            try:
                _, frame = self.client.request(
                    request, on_text=lambda text: on_progress(text, done)
                )
                return frame
            except SemcolorError as error:
                if error.code not in (Code.UNKNOWN_PHOTO, Code.UNKNOWN_LABELS):
                    raise
            self.upload(on_progress)
        raise SemcolorError(
            Code.TOO_LARGE, "the worker cannot keep this photo: it has too little memory for it"
        )

    def _put_photo(self, on_progress: OnProgress) -> None:
        row = self._next_row(PutPhoto(self.photo, self.width, self.height, self.depth))
        step = _rows(self.width * self.depth // 8, _UPLOAD_BYTES)
        while row < self.height:
            on_progress("sending the photo", row / self.height)
            rows = min(step, self.height - row)
            strip = self.gray[row : row + rows].data.cast("B")
            put = PutPhoto(self.photo, self.width, self.height, self.depth, row, rows)
            row = self._next_row(put, strip)

    def _put_labels(self, on_progress: OnProgress) -> None:
        assert self._labels is not None
        digest = self._labels_digest
        row = self._next_row(PutLabels(digest, self.width, self.height))
        step = _rows(self.width, FRAME_LIMIT // 2)
        while row < self.height:
            on_progress("sending the labels", row / self.height)
            rows = min(step, self.height - row)
            strip = pack_labels(self._labels[row : row + rows].data.cast("B"))
            row = self._next_row(PutLabels(digest, self.width, self.height, row, rows), strip)

    def _next_row(self, put: Request, frame: Frame = b"") -> int:
        result, _ = self.client.request(put, frame)
        return cast(PutResult, result).next_row


class _ConnectionLostError(Exception):
    """The worker went silent or away; worth another try."""


def _parts(region: Rectangle, bytes_per_pixel: int) -> Iterator[tuple[Rectangle, slice]]:
    """The rectangle in pieces of full rows that each fit a frame; and their rows within it."""
    step = _rows(region.width * bytes_per_pixel, FRAME_LIMIT)
    for top in range(0, region.height, step):
        rows = min(step, region.height - top)
        part = Rectangle(region.x, region.y + top, region.width, rows)
        yield part, slice(top, top + rows)


def _rows(bytes_per_row: int, limit: int) -> int:
    return max(1, limit // bytes_per_row)


def _ignore(_: Any) -> None:
    pass
