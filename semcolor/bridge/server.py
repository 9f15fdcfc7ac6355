"""The bridge's loop: frames in, answers out."""

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import BinaryIO

from semcolor import __version__
from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.photos.pixels import Gray
from semcolor.shared.bridge_schema import PROTOCOL
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.states import Stage
from semcolor.shared.timings import timed

from .colors import ColorAnswers
from .frames import Answers, Frames, Header, Payload, read_frames, write_frame
from .incoming import Incoming, IncomingPhoto
from .labels import LabelAnswers
from .open_photo import OpenPhoto
from .selections import SelectionAnswers
from .worker import ClientWhenNeeded, Connect, WorkerAnswers, failure


def main() -> None:
    """Serve the plug-in on stdin and stdout until it goes away."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break a frame
    serve(sys.stdin.buffer, output, local_worker.connect)


def serve(stdin: BinaryIO, stdout: BinaryIO, connect: Connect) -> None:
    """Answer frames from ``stdin`` on ``stdout`` until ``stdin`` ends."""
    frames: Frames = queue.Queue(maxsize=2)
    gone = threading.Event()
    threading.Thread(target=read_frames, args=(stdin, frames, gone), daemon=True).start()
    bridge = Bridge(connect, gone, lambda header: write_frame(stdout, header))
    try:
        while (frame := frames.get()) is not None:
            try:
                header, payload = bridge.answer(*frame)
                write_frame(stdout, {"type": "result", **header}, payload)
            except SemcolorError as error:
                write_frame(stdout, _error(error))
            except Exception as error:  # one request's fault must not leave the plug-in waiting
                traceback.print_exc()
                write_frame(stdout, _error(malformed(f"{type(error).__name__}: {error}")))
    finally:
        bridge.close()


def _error(error: SemcolorError) -> Header:
    return {"type": "error", **failure(error), "message": str(error)}


class Bridge:
    """One plug-in's photo, and the answers of all families; ``gone``: the plug-in has ended.

    ``send`` sends a header, for progress.
    """

    def __init__(
        self, connect: Connect, gone: threading.Event, send: Callable[[Header], None]
    ) -> None:
        def on_progress(stage: Stage, fraction: float) -> None:
            send({"type": "progress", "stage": stage, "fraction": fraction})

        self._photo = OpenPhoto()
        self._client = ClientWhenNeeded(connect, gone, on_progress)
        labels = LabelAnswers(self._photo, on_progress)
        selections = SelectionAnswers(self._photo, on_progress)
        self._incoming: Incoming | None = None
        self._beginnings: dict[str, Callable[..., Incoming]] = {
            "begin_photo": self._begin_photo,
            "begin_labels": labels.begin,
            "edit_labels": labels.begin_edit,
            "begin_mask": selections.begin,
        }
        self._answers: Answers = {
            "hello": self._hello,
            "rows": self._rows,
            **labels.answers,
            **ColorAnswers(self._photo, on_progress).answers,
            **selections.answers,
            **WorkerAnswers().answers,
        }

    def answer(self, header: Header, payload: bytes) -> tuple[Header, Payload]:
        """The result of one request. Raises SemcolorError."""
        op = header.pop("op", None)
        try:
            with timed(f"bridge {op}"):
                if op in self._beginnings:
                    self._incoming = self._beginnings[op](payload, **header)
                    return {}, b""
                if op in self._answers:
                    return self._answers[op](payload, **header)
        except TypeError as error:
            raise malformed(f"“{op}” was sent wrongly: {error}") from error
        raise malformed(f"the bridge does not know “{op}”")

    def close(self) -> None:
        """The plug-in has ended, and wants nothing of the worker any more."""
        self._client.close()

    def _hello(self, _: bytes, protocol: int) -> tuple[Header, bytes]:
        if protocol != PROTOCOL:
            raise SemcolorError(Code.PLUGIN_VERSION)
        return {"protocol": PROTOCOL, "version": __version__}, b""

    def _begin_photo(self, _: bytes, width: int, height: int, format: str) -> Incoming:
        self._photo.open(None)
        return IncomingPhoto(width, height, format, self._open)

    def _open(self, gray: Gray) -> None:
        self._photo.open(Session(self._client, gray))

    def _rows(self, payload: bytes) -> tuple[Header, bytes]:
        if self._incoming is None:
            raise malformed("rows came before the picture they belong to")
        return self._incoming.add(payload), b""
