"""The plug-in's end of the bridge: a child process that talks to the worker.

GIMP's Python has no packages of ours, so everything that needs them lives in the bridge, which runs
in semcolor's own virtual environment. The two exchange frames over the child's stdin and stdout:

    ">II" (length of the header, length of the payload) · header: a JSON object in UTF-8 · payload

One request at a time. The bridge answers a request with any number of progress frames and then
exactly one result or error frame. It ends when its stdin closes, also when GIMP kills this process.
"""

import contextlib
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from shared.timings import timed
from translation import tr

PROTOCOL = 4
INSTALL_FILE = Path(__file__).with_name("install.json")
SET_UP_AGAIN = tr("Run semcolor's set-up again, then restart GIMP.")

Progress = Callable[[float, str], None]
Header = dict[str, Any]
_LENGTHS = struct.Struct(">II")
_REFUSALS = {"unknown_class", "size_mismatch", "too_large", "not_an_image"}
_LIMIT = 64 * 2**20  # bytes of a header or payload, both ways


class BridgeError(Exception):
    """The bridge could not do it. The message is one sentence or two that say what to do."""


class RefusedError(BridgeError):
    """Nor could it later, unless the user changes something."""


class Bridge:
    """A running bridge; use it as a context manager, which ends the child.

    Args:
        report: called with (fraction in 0..1, text) for each progress frame.

    Raises:
        BridgeError: semcolor isn't set up, or its bridge doesn't start or is of another version.
    """

    def __init__(self, report: Progress) -> None:
        self._report = report
        self._child = _start(_command())
        self._to_child = _pipe(self._child.stdin)
        self._from_child = _pipe(self._child.stdout)
        try:
            self.request("hello", protocol=PROTOCOL)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the bridge and wait until it is gone. May be called again."""
        for pipe in (self._to_child, self._from_child):
            # Closing flushes, and a bridge that died can't take what is left.
            with contextlib.suppress(OSError):
                pipe.close()
        self._child.wait()

    def abandon(self) -> None:
        """End the bridge at once, from any thread; a request that waits fails."""
        self._child.kill()

    def request(
        self, op: str, payload: bytes = b"", /, **fields: str | int
    ) -> tuple[Header, bytes]:
        """Send one request and wait for its result.

        Returns:
            The result's header and payload.

        Raises:
            BridgeError: the bridge answered with an error, or ended.
            RefusedError: what it was asked for can't be done with this image.
        """
        try:
            with timed(f"request {op}"):
                return self._exchange({"op": op, **fields}, payload)
        except (OSError, EOFError, ValueError, KeyError) as error:
            message = tr(
                "semcolor's bridge ended or sent something that is not an answer. {advice} "
                "(Details: {details})"
            )
            details = error or type(error).__name__
            raise BridgeError(message.format(advice=SET_UP_AGAIN, details=details)) from error

    def _exchange(self, request: Header, payload: bytes) -> tuple[Header, bytes]:
        self._send(request, payload)
        while True:
            header, answer = self._receive()
            if header["type"] == "progress":
                self._report(header["fraction"], header["text"])
            elif header["type"] == "error":
                kind = RefusedError if header["code"] in _REFUSALS else BridgeError
                raise kind(sentence(header["message"]))
            else:
                return header, answer

    def _send(self, header: Header, payload: bytes) -> None:
        text = json.dumps(header).encode()
        self._to_child.write(_LENGTHS.pack(len(text), len(payload)) + text)
        self._to_child.write(payload)
        self._to_child.flush()

    def _receive(self) -> tuple[Header, bytes]:
        header_length, payload_length = _LENGTHS.unpack(self._read(_LENGTHS.size))
        if max(header_length, payload_length) > _LIMIT:
            raise ValueError("its answer is too large")
        header = json.loads(self._read(header_length))
        return header, self._read(payload_length)

    def _read(self, length: int) -> bytes:
        data: bytes = self._from_child.read(length)
        if len(data) < length:
            raise EOFError("its output ended")
        return data


def _command() -> list[str]:
    """The bridge's argument list, as the set-up wrote it down."""
    try:
        return list(json.loads(INSTALL_FILE.read_text("utf-8"))["bridge"])
    except (OSError, ValueError, KeyError) as error:
        message = tr("semcolor is not set up for this GIMP.")
        raise BridgeError(f"{message} {SET_UP_AGAIN}") from error


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # Without a console window of its own on Windows; the flag is 0 elsewhere.
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=flags
        )
    except OSError as error:
        message = tr("semcolor's bridge ({program}) can't be started: {reason}.")
        message = message.format(program=command[0], reason=error.strerror)
        raise BridgeError(f"{message} {SET_UP_AGAIN}") from error


def sentence(message: str) -> str:
    """The command line prints messages after a colon; in a window they stand alone."""
    alone = f"{message[:1].upper()}{message[1:].rstrip('.')}."
    return tr(alone)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both were asked for
    return stream
