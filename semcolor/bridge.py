"""The bridge: a child process of the GIMP plug-in that speaks to the worker for it.

The plug-in's Python has no numpy and no ZeroMQ, so it sends raw pixels over stdin and stdout.
A frame is ``>II`` (bytes of header, bytes of payload), a JSON header, the payload. The plug-in
sends one request at a time; the bridge answers with any number of ``progress`` frames and exactly
one ``result`` or ``error``:

    hello {protocol}                          → {protocol, version}
    connect {invitation}                      → {message}
    begin_photo {width, height, format}       then `rows` with the pixels, strip by strip
    segment {detail}                          → {classes: [{id, name, share}]}
    label_rows {first_row, rows}              → payload "R'G'B'A u8"
    begin_labels {width, height}              then `rows` with "R'G'B'A u8"; the last one
                                              → {ambiguous}
    colorize {detail, depth}                  → {}
    color_rows {first_row, rows}              → payload "R'G'B' u8" or "R'G'B' u16", by depth

Formats are babl's names. When stdin ends, the work in hand is cancelled and the bridge ends.
"""

import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import __version__, local_worker
from .classes import all_classes
from .client import Session, WorkerClient
from .errors import Code, SemcolorError
from .labels import from_rgba, to_rgba
from .messages import PIXEL_LIMIT, SIDE_LIMIT, Rectangle
from .pixels import LabelMap, Rgb, gray_from_rgb

PROTOCOL = 1
PAYLOAD_LIMIT = 64 * 1024 * 1024  # bytes
_PREFIX = struct.Struct(">II")

Header = dict[str, Any]
Connect = Callable[[threading.Event], WorkerClient]

_PHOTO_FORMATS: dict[str, tuple[np.dtype[Any], int]] = {
    "Y' u8": (np.dtype(np.uint8), 1),
    "Y' u16": (np.dtype(np.uint16), 1),
    "R'G'B' u8": (np.dtype(np.uint8), 3),
    "R'G'B' u16": (np.dtype(np.uint16), 3),
}


def main() -> None:
    """Serve the plug-in on stdin and stdout until it goes away."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break a frame
    serve(sys.stdin.buffer, output, local_worker.connect)


def serve(stdin: BinaryIO, stdout: BinaryIO, connect: Connect) -> None:
    """Answer frames from ``stdin`` on ``stdout`` until ``stdin`` ends."""
    frames: queue.Queue[tuple[Header, bytes] | None] = queue.Queue(maxsize=2)
    gone = threading.Event()
    threading.Thread(target=_read_frames, args=(stdin, frames, gone), daemon=True).start()
    bridge = Bridge(connect, gone, lambda header: _write_frame(stdout, header))
    while (frame := frames.get()) is not None:
        try:
            header, payload = bridge.answer(*frame)
            _write_frame(stdout, {"type": "result", **header}, payload)
        except SemcolorError as error:
            _write_frame(stdout, {"type": "error", "code": str(error.code), "message": str(error)})


class Bridge:
    """One plug-in's photo, label map and colours. ``gone`` is set when the plug-in ended."""

    def __init__(
        self, connect: Connect, gone: threading.Event, send: Callable[[Header], None]
    ) -> None:
        self._connect, self._gone, self._send = connect, gone, send
        self._client: WorkerClient | None = None
        self._session: Session | None = None
        self._filling: _Canvas | None = None
        self._labels: LabelMap | None = None
        self._detail = 0
        self._depth = 8
        self._answers: dict[str, Callable[..., tuple[Header, bytes | memoryview]]] = {
            "hello": self._hello,
            "connect": self._choose_worker,
            "begin_photo": self._begin_photo,
            "begin_labels": self._begin_labels,
            "rows": self._rows,
            "segment": self._segment,
            "label_rows": self._label_rows,
            "colorize": self._colorize,
            "color_rows": self._color_rows,
        }

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes | memoryview]:
        """The result of one request. Raises SemcolorError."""
        op = header.pop("op", None)
        if op not in self._answers:
            raise SemcolorError(Code.MALFORMED, f"the bridge does not know “{op}”")
        try:
            return self._answers[op](payload, **header)
        except TypeError as error:
            raise SemcolorError(Code.MALFORMED, f"“{op}” was sent wrongly: {error}") from error

    def _hello(self, _: bytes, protocol: int) -> tuple[Header, bytes]:
        if protocol != PROTOCOL:
            raise SemcolorError(
                Code.VERSION,
                "the GIMP plug-in and semcolor are of different versions: run the installer again",
            )
        return {"protocol": PROTOCOL, "version": __version__}, b""

    def _choose_worker(self, _: bytes, invitation: str) -> tuple[Header, bytes]:
        return {"message": local_worker.choose(invitation)}, b""

    def _begin_photo(self, _: bytes, width: int, height: int, format: str) -> tuple[Header, bytes]:
        if format not in _PHOTO_FORMATS:
            raise SemcolorError(Code.MALFORMED, f"a photo cannot come as “{format}”")
        dtype, channels = _PHOTO_FORMATS[format]
        self._filling = _Canvas(width, height, channels, dtype, self._take_photo)
        self._session = self._labels = None
        return {}, b""

    def _begin_labels(self, _: bytes, width: int, height: int) -> tuple[Header, bytes]:
        dtype = np.dtype(np.uint8)
        self._filling = _Canvas(width, height, 4, dtype, self._take_labels)
        return {}, b""

    def _rows(self, payload: bytes) -> tuple[Header, bytes]:
        if self._filling is None:
            raise SemcolorError(Code.MALFORMED, "rows came before the picture they belong to")
        return self._filling.add(payload), b""

    def _take_photo(self, canvas: "_Canvas") -> Header:
        self._session = Session(self._worker(), canvas.single)
        return {}

    def _take_labels(self, canvas: "_Canvas") -> Header:
        self._photo().set_labels(canvas.single)
        return {"ambiguous": canvas.ambiguous}

    def _segment(self, _: bytes, detail: int) -> tuple[Header, bytes]:
        session = self._photo()
        self._labels = session.segment(session.whole, detail, self._progress)
        ids, counts = np.unique(self._labels, return_counts=True)
        shares = sorted(zip(counts / self._labels.size, ids, strict=True), reverse=True)
        classes = [
            {"id": int(i), "name": all_classes()[i].name, "share": float(share)}
            for share, i in shares
        ]
        return {"classes": classes}, b""

    def _label_rows(self, _: bytes, first_row: int, rows: int) -> tuple[Header, memoryview]:
        if self._labels is None:
            raise SemcolorError(Code.MALFORMED, "there are no predicted labels yet")
        return {}, to_rgba(self._labels[first_row : first_row + rows]).data.cast("B")

    def _colorize(self, _: bytes, detail: int, depth: int) -> tuple[Header, bytes]:
        session = self._photo()
        session.upload(self._progress)
        self._detail, self._depth = detail, depth
        first_row = Rectangle(0, 0, session.width, 1)
        session.colorize(first_row, detail, self._progress)  # the network runs now, with progress
        return {}, b""

    def _color_rows(self, _: bytes, first_row: int, rows: int) -> tuple[Header, memoryview]:
        session = self._photo()
        region = Rectangle(0, first_row, session.width, rows)
        rgb = session.colorize(region, self._detail, lambda *_: None)
        return {}, _at_depth(rgb, self._depth).data.cast("B")

    def _worker(self) -> WorkerClient:
        if self._client is None:
            self._progress("looking for the worker", 0.0)
            self._client = self._connect(self._gone)
        return self._client

    def _photo(self) -> Session:
        if self._session is None:
            raise SemcolorError(Code.MALFORMED, "there is no photo yet")
        return self._session

    def _progress(self, text: str, fraction: float) -> None:
        self._send({"type": "progress", "text": text, "fraction": fraction})


class _Canvas:
    """A picture that arrives row by row and is kept as one channel.

    A photo becomes gray, a label layer class ids, strip by strip, so that the wide original is
    never held whole. ``take`` gets the canvas when it is full.
    """

    def __init__(
        self, width: int, height: int, channels: int, dtype: "np.dtype[Any]",
        take: Callable[["_Canvas"], Header],
    ) -> None:  # fmt: skip
        if (
            not (0 < width <= SIDE_LIMIT and 0 < height <= SIDE_LIMIT)
            or width * height > PIXEL_LIMIT
        ):
            raise SemcolorError(
                Code.TOO_LARGE,
                f"{width} × {height} pixels are more than semcolor takes "
                f"({PIXEL_LIMIT // 1_000_000} megapixels): scale the image down",
            )
        self.single: npt.NDArray[Any] = np.empty((height, width), dtype)
        self.ambiguous = 0
        self._channels, self._take = channels, take
        self._next_row = 0

    def add(self, payload: bytes) -> Header:
        height, width = self.single.shape
        dtype = self.single.dtype
        row_bytes = width * self._channels * dtype.itemsize
        rows, rest = divmod(len(payload), row_bytes)
        if rest or not 0 < rows <= height - self._next_row:
            raise SemcolorError(Code.MALFORMED, "these are not whole rows of the picture")
        pixels = np.frombuffer(payload, dtype).reshape(rows, width, self._channels)
        self.single[self._next_row : self._next_row + rows] = self._single_channel(pixels)
        self._next_row += rows
        return self._take(self) if self._next_row == height else {}

    def _single_channel(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._channels == 1:
            return pixels[..., 0]
        if self._channels == 3:
            return gray_from_rgb(pixels)
        labels, ambiguous = from_rgba(pixels)
        self.ambiguous += ambiguous
        return labels


def _at_depth(rgb: Rgb, depth: int) -> Rgb:
    if rgb.dtype.itemsize * 8 == depth:
        return rgb
    if depth == 16:
        return rgb.astype(np.uint16) * np.uint16(257)
    return ((rgb.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _read_frames(
    stdin: BinaryIO, frames: "queue.Queue[tuple[Header, bytes] | None]", gone: threading.Event
) -> None:
    """Its own thread, so that the end of the plug-in is noticed in the middle of the work."""
    while len(prefix := stdin.read(_PREFIX.size)) == _PREFIX.size:
        header_bytes, payload_bytes = _PREFIX.unpack(prefix)
        if header_bytes > PAYLOAD_LIMIT or payload_bytes > PAYLOAD_LIMIT:
            break
        header, payload = stdin.read(header_bytes), stdin.read(payload_bytes)
        if len(payload) < payload_bytes:
            break
        frames.put((json.loads(header), payload))
    gone.set()
    frames.put(None)


def _write_frame(stdout: BinaryIO, header: Header, payload: bytes | memoryview = b"") -> None:
    encoded = json.dumps(header).encode()
    try:
        stdout.write(_PREFIX.pack(len(encoded), len(payload)) + encoded)
        stdout.write(payload)
        stdout.flush()
    except BrokenPipeError:
        pass  # the plug-in ended; stdin says so too


if __name__ == "__main__":
    main()
