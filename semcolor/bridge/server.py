"""The bridge: a child process of the GIMP plug-in that speaks to the worker for it.

The plug-in's Python has no numpy and no ZeroMQ, so it sends raw pixels over stdin and stdout.
A frame is ``>II`` (bytes of header, bytes of payload), a JSON header, the payload. The plug-in
sends one request at a time; the bridge answers with any number of ``progress`` frames and exactly
one ``result`` or ``error``:

    hello {protocol}                          → {protocol, version}
    connect {invitation}                      → {message}
    begin_photo {width, height, format}       then `rows` with the pixels, strip by strip
    segment {detail}                          → {classes: [{id, name, share}], lowered}; these are
                                              the current labels from now on. `lowered`: at which
                                              detail, if memory sufficed for no more; else 0
    palette {}                                → payload: the classes' colours in the order of their
                                              ids, "R'G'B'A u8"
    begin_labels {width, height}              with the palette as the image gives it back, then
                                              `rows` with "R'G'B'A u8"; the last one
                                              → {ambiguous}: how many pixels of all labels are
    edit_labels {x, y, width, height}         then `rows` of this rectangle, as for begin_labels
    label_rows {first_row, rows, x?, width?}  → payload "R'G'B'A u8"
    label_stats {}                            → {classes: [{id, name, share}], ambiguous}
    snap_labels {x, y, width, height, class_id}
                                              → {x, y, width, height, pixels}: where, and at how
                                              many pixels, fitting the class in this rectangle to
                                              the photo's edges changed labels
    clean_labels {}                           → {x, y, width, height, pixels}: where, and how many,
                                              pixels were impure; label_rows has them pure
    encode_labels {}                          → payload: the current labels as an indexed PNG
    decode_labels {name}, payload: such a file, or any other that the command line reads
                                              → {ambiguous}; these are the current labels
    colorize {detail, depth}                  → {}
    recolor {detail, depth}                   → {x, y, width, height}: where colour visibly differs
                                              from the last colorize or recolor; width 0: nowhere
    color_rows {first_row, rows, x?, width?}  → {lowered}, payload "R'G'B' u8" or "R'G'B' u16", by
                                              depth
    begin_mask {x, y, width, height}          then `rows` with "Y u8" of this rectangle: a selection
    suggest {detail}                          → {colors: [{a, b, share, rgb: "#rrggbb"}]}, at most
                                              6, most likely first, for the selection
    tint {a, b}                               → {}; the selection's mean chroma becomes this, which
                                              colorize and recolor take into account from now on
    clear_tints {}                            → {}
    status {}                                 → {state, device, models, sentence}

Formats are babl's names. When stdin ends, the work in hand is cancelled and the bridge ends.
"""

import io
import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from semcolor import __version__
from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.client.worker_client import Frame, OnText, WorkerClient, ZmqWorkerClient
from semcolor.photos.label_colors import (
    AMBIGUOUS,
    UNKNOWN,
    Colors,
    Doubt,
    bounds,
    foreign,
    from_rgba,
    palette,
    require_classes,
    surroundings,
    to_rgba,
)
from semcolor.photos.label_files import decode_label_map, encode_label_map, statistics
from semcolor.photos.pixels import LabelMap, Mask, Rgb, gray_from_rgb
from semcolor.protocol.schema import Request, Result
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.limits import PIXEL_LIMIT, SIDE_LIMIT
from semcolor.shared.timings import timed

PROTOCOL = 4
_NEARLY_ALL = 0.9  # a label layer with more in colours of no class than this share is none any more
PAYLOAD_LIMIT = 64 * 1024 * 1024  # bytes
_PREFIX = struct.Struct(">II")
_STATUS_SECONDS = 0.4  # to connect, and as many to answer
_SENTENCES = {
    "stopped": "the worker starts as soon as it is needed",
    "starting": "the worker is starting",
    "loading": "the worker is loading its models",
    "ready": "the worker is ready",
    "busy": "the worker is working",
    "lost": "the worker's engine ended by itself: the next job starts it again",
}

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
        self._filling: _Canvas | _LabelEdit | None = None
        self._doubt: Doubt | None = None  # in which pixels the current labels are not certain
        self._colors = palette()  # what the image makes of the classes' colours
        self._mask: Mask | None = None
        self._detail = 0
        self._depth = 8
        self._answers: dict[str, Callable[..., tuple[Header, bytes | memoryview]]] = {
            "hello": self._hello,
            "connect": self._choose_worker,
            "begin_photo": self._begin_photo,
            "palette": self._palette,
            "begin_labels": self._begin_labels,
            "edit_labels": self._edit_labels,
            "rows": self._rows,
            "segment": self._segment,
            "label_rows": self._label_rows,
            "label_stats": self._label_stats,
            "snap_labels": self._snap_labels,
            "clean_labels": self._clean_labels,
            "encode_labels": self._encode_labels,
            "decode_labels": self._decode_labels,
            "colorize": self._colorize,
            "recolor": self._recolor,
            "color_rows": self._color_rows,
            "begin_mask": self._begin_mask,
            "suggest": self._suggest,
            "tint": self._tint,
            "clear_tints": self._clear_tints,
            "status": self._status,
        }

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes | memoryview]:
        """The result of one request. Raises SemcolorError."""
        op = header.pop("op", None)
        if op not in self._answers:
            raise SemcolorError(Code.MALFORMED, f"the bridge does not know “{op}”")
        try:
            with timed(f"bridge {op}"):
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
        chosen = local_worker.choose(invitation)
        if chosen is None:
            return {"message": "semcolor uses this machine's own worker again"}, b""
        device = f", device {chosen.device}" if chosen.device else ""
        return {"message": f"connected to {chosen.address}: {chosen.state}{device}"}, b""

    def _begin_photo(self, _: bytes, width: int, height: int, format: str) -> tuple[Header, bytes]:
        if format not in _PHOTO_FORMATS:
            raise SemcolorError(Code.MALFORMED, f"a photo cannot come as “{format}”")
        dtype, channels = _PHOTO_FORMATS[format]
        self._filling = _Canvas(width, height, channels, dtype, self._take_photo)
        self._session = self._doubt = self._mask = None
        return {}, b""

    def _palette(self, _: bytes) -> tuple[Header, bytes]:
        return {}, np.insert(palette(), 3, 255, axis=1).tobytes()

    def _begin_labels(self, payload: bytes, width: int, height: int) -> tuple[Header, bytes]:
        if len(payload) != 4 * NUM_LABELS:
            raise SemcolorError(Code.MALFORMED, "the labels came without the palette's colours")
        self._colors = np.frombuffer(payload, np.uint8).reshape(NUM_LABELS, 4)[:, :3]
        dtype = np.dtype(np.uint8)
        self._filling = _Canvas(width, height, 4, dtype, self._take_labels, self._colors)
        return {}, b""

    def _edit_labels(self, _: bytes, **place: int) -> tuple[Header, bytes]:
        doubt = self._labels()[1]
        region = self._inside(**place)
        self._filling = _LabelEdit(self._photo(), region, doubt, self._colors)
        return {}, b""

    def _rows(self, payload: bytes) -> tuple[Header, bytes]:
        if self._filling is None:
            raise SemcolorError(Code.MALFORMED, "rows came before the picture they belong to")
        return self._filling.add(payload), b""

    def _take_photo(self, canvas: "_Canvas") -> Header:
        self._session = Session(_WhenNeeded(self._worker), canvas.single)
        return {}

    def _take_labels(self, canvas: "_Canvas") -> Header:
        require_classes(
            canvas.foreign, canvas.opaque, _NEARLY_ALL, "the label layer",
            "if the image got another colour mode or profile, undo that; "
            "else delete the label layer and start again",
        )  # fmt: skip
        self._photo().set_labels(canvas.single)
        self._doubt = canvas.doubt
        return {"ambiguous": _count_ambiguous(canvas.doubt)}

    def _segment(self, _: bytes, detail: int) -> tuple[Header, bytes]:
        session = self._photo()
        labels = session.segment(session.whole, detail, self._progress)
        session.set_labels(labels)
        self._doubt = np.zeros(labels.shape, np.uint8)
        return {"classes": statistics(labels), "lowered": session.lowered}, b""

    def _label_rows(
        self, _: bytes, first_row: int, rows: int, x: int = 0, width: int | None = None
    ) -> tuple[Header, memoryview]:
        region = self._inside(x, first_row, self._row(x, width), rows)
        labels = self._labels()[0]
        return {}, to_rgba(labels[region.rows, region.columns]).data.cast("B")

    def _label_stats(self, _: bytes) -> tuple[Header, bytes]:
        labels, doubt = self._labels()
        return {"classes": statistics(labels), "ambiguous": _count_ambiguous(doubt)}, b""

    def _snap_labels(self, _: bytes, class_id: int, **region: int) -> tuple[Header, bytes]:
        labels, doubt = self._labels()
        before = labels.copy()
        changed = self._photo().snap(self._inside(**region), class_id, self._progress)
        part = changed.rows, changed.columns
        doubt[part] = 0  # the plug-in takes these pixels over
        return {**changed._asdict(), "pixels": int((labels[part] != before[part]).sum())}, b""

    def _clean_labels(self, _: bytes) -> tuple[Header, bytes]:
        doubt = self._labels()[1]
        answer = {**bounds(doubt)._asdict(), "pixels": int(np.count_nonzero(doubt))}
        doubt[:] = 0
        return answer, b""

    def _encode_labels(self, _: bytes) -> tuple[Header, bytes]:
        file = encode_label_map(self._labels()[0])
        if len(file) > PAYLOAD_LIMIT:
            raise SemcolorError(Code.TOO_LARGE, "this label map makes too large a file")
        return {}, file

    def _decode_labels(self, payload: bytes, name: str) -> tuple[Header, bytes]:
        session = self._photo()
        size = (session.width, session.height)
        labels, ambiguous = decode_label_map(io.BytesIO(payload), name, size)
        session.set_labels(labels)
        self._doubt = np.zeros(labels.shape, np.uint8)  # the plug-in takes these labels over
        return {"ambiguous": int(ambiguous.sum())}, b""

    def _colorize(self, _: bytes, detail: int, depth: int) -> tuple[Header, bytes]:
        session = self._photo()
        session.upload(self._progress)
        self._detail, self._depth = detail, depth
        first_row = Rectangle(0, 0, session.width, 1)
        session.colorize(first_row, detail, self._progress)  # the network runs now, with progress
        return {}, b""

    def _recolor(self, _: bytes, detail: int, depth: int) -> tuple[Header, bytes]:
        self._detail, self._depth = detail, depth
        return self._photo().recolor(detail, self._progress)._asdict(), b""

    def _color_rows(
        self, _: bytes, first_row: int, rows: int, x: int = 0, width: int | None = None
    ) -> tuple[Header, memoryview]:
        region = self._inside(x, first_row, self._row(x, width), rows)
        session = self._photo()
        rgb = session.colorize(region, self._detail, lambda *_: None)
        return {"lowered": session.lowered}, _at_depth(rgb, self._depth).data.cast("B")

    def _begin_mask(self, _: bytes, **region: int) -> tuple[Header, bytes]:
        area = self._inside(**region)
        take = partial(self._take_mask, area)
        self._filling = _Canvas(area.width, area.height, 1, np.dtype(np.uint8), take)
        return {}, b""

    def _take_mask(self, area: Rectangle, canvas: "_Canvas") -> Header:
        self._mask = np.zeros(self._photo().gray.shape, np.uint8)
        self._mask[area.rows, area.columns] = canvas.single
        return {}

    def _suggest(self, _: bytes, detail: int) -> tuple[Header, bytes]:
        colors = self._photo().suggest(self._selection(), detail, self._progress)
        return {"colors": [asdict(color) for color in colors]}, b""

    def _tint(self, _: bytes, a: float, b: float) -> tuple[Header, bytes]:
        self._photo().tint(self._selection(), float(a), float(b))
        return {}, b""

    def _clear_tints(self, _: bytes) -> tuple[Header, bytes]:
        self._photo().tints = ()
        return {}, b""

    def _selection(self) -> Mask:
        if self._mask is None:
            raise SemcolorError(Code.MALFORMED, "there is no selection yet")
        return self._mask

    def _status(self, _: bytes) -> tuple[Header, bytes]:
        """How the worker is; never starts one, and never waits for long."""
        remote = local_worker.remote_connection()
        connection = remote or local_worker.read_connection()
        answer: Header = {"state": "stopped", "device": "", "models": []}
        if connection is not None:
            client = ZmqWorkerClient(connection, patience=_STATUS_SECONDS)
            try:
                status = client.status()
                answer = {"device": status.device, "models": status.models, "state": status.state}
            except SemcolorError as error:
                if remote or error.code != Code.UNREACHABLE:  # else a killed worker left its file
                    answer |= {"state": "lost", "sentence": str(error)}
            finally:
                client.close()
        return {"sentence": _SENTENCES[answer["state"]], **answer}, b""

    def _labels(self) -> tuple[LabelMap, Doubt]:
        """The current label map, and in which pixels it is not certain."""
        labels = self._photo().labels
        if labels is None or self._doubt is None:
            raise SemcolorError(Code.MALFORMED, "there are no labels yet")
        return labels, self._doubt

    def _row(self, x: int, width: int | None) -> int:
        return self._photo().width - x if width is None else width

    def _inside(self, x: int, y: int, width: int, height: int) -> Rectangle:
        """A rectangle of the photo."""
        photo, region = self._photo(), Rectangle(x, y, width, height)
        if min(width, height) < 1 or not region.fits(photo.width, photo.height):
            raise SemcolorError(Code.MALFORMED, "this rectangle is not inside the photo")
        return region

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


class _WhenNeeded(WorkerClient):
    """A client that looks for the worker, or starts it, with its first request: files need none."""

    def __init__(self, worker: Callable[[], WorkerClient]) -> None:
        self._worker = worker

    def exchange(
        self, requests: Sequence[Request], frame: Frame = b"", on_text: OnText | None = None
    ) -> Iterator[tuple[Result, bytes]]:
        return self._worker().exchange(requests, frame, on_text)


class _Canvas:
    """A picture that arrives row by row and is kept as one channel.

    A photo becomes gray, a label layer class ids, strip by strip, so that the wide original is
    never held whole. ``take`` gets the canvas when it is full.
    """

    def __init__(
        self, width: int, height: int, channels: int, dtype: "np.dtype[Any]",
        take: Callable[["_Canvas"], Header], colors: Colors | None = None,
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
        self.doubt: Doubt = np.zeros((height, width) if channels == 4 else (0, 0), np.uint8)
        self.opaque = self.foreign = 0  # opaque pixels, and those of them of no class's colour
        self._channels, self._take, self._colors = channels, take, colors
        self._next_row = 0

    def add(self, payload: bytes) -> Header:
        height, width = self.single.shape
        pixels = _whole_rows(payload, self.single.dtype, width, self._channels)
        strip = slice(self._next_row, self._next_row + len(pixels))
        if strip.stop > height:
            raise SemcolorError(Code.MALFORMED, "these are more rows than the picture has")
        if self._channels == 1:
            self.single[strip] = pixels[..., 0]
        elif self._channels == 3:
            self.single[strip] = gray_from_rgb(pixels)
        else:
            around = np.full((len(pixels) + 2, width + 2), UNKNOWN, np.uint8)
            around[0, 1:-1] = self.single[strip.start - 1] if strip.start else UNKNOWN
            ids, doubt = from_rgba(pixels, around, self._colors)
            self.single[strip], self.doubt[strip] = ids, doubt
            self.opaque += int(np.count_nonzero(pixels[..., 3] == 255))
            self.foreign += foreign(pixels, doubt)
        self._next_row = strip.stop
        return self._take(self) if self._next_row == height else {}


class _LabelEdit:
    """A rectangle of the label layer that arrives row by row and changes the session's labels."""

    def __init__(self, session: Session, region: Rectangle, doubt: Doubt, colors: Colors) -> None:
        self._session, self._region = session, region
        self._doubt, self._colors = doubt, colors
        self._done = 0

    def add(self, payload: bytes) -> Header:
        region, labels = self._region, self._session.labels
        assert labels is not None
        pixels = _whole_rows(payload, np.dtype(np.uint8), region.width, 4)
        strip = Rectangle(region.x, region.y + self._done, region.width, len(pixels))
        if self._done + strip.height > region.height:
            raise SemcolorError(Code.MALFORMED, "these are more rows than the rectangle has")
        around = surroundings(labels, strip)
        if self._done + strip.height < region.height:
            around[-1] = UNKNOWN  # these rows are still to come
        ids, doubt = from_rgba(pixels, around, self._colors)
        self._session.edit_labels(strip, ids)
        self._doubt[strip.rows, strip.columns] = doubt
        self._done += strip.height
        if self._done < region.height:
            return {}
        return {"ambiguous": _count_ambiguous(self._doubt)}


def _count_ambiguous(doubt: Doubt) -> int:
    return int(np.count_nonzero(doubt == AMBIGUOUS))


def _whole_rows(
    payload: bytes, dtype: "np.dtype[Any]", width: int, channels: int
) -> npt.NDArray[Any]:
    rows, rest = divmod(len(payload), width * channels * dtype.itemsize)
    if rest or not rows:
        raise SemcolorError(Code.MALFORMED, "these are not whole rows of the picture")
    return np.frombuffer(payload, dtype).reshape(rows, width, channels)


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
