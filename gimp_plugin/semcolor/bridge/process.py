"""The bridge as the plug-in sees it: a child process that talks to the worker.

GIMP's Python has no packages of ours, so everything that needs them lives in the bridge, which runs
in semcolor's own virtual environment. The two exchange frames over the child's stdin and stdout
(`shared.bridge_schema`): a header, which is a JSON object, and a payload.

One request at a time. The bridge answers a request with any number of progress frames and then
exactly one result or error frame. It ends when its stdin closes, also when GIMP kills this process.
"""

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from language import UserError, tr
from shared.bridge_schema import PREFIX_BYTES, PROTOCOL, pack_prefix, unpack_prefix
from shared.errors import Code, Parameter, SemcolorError
from shared.states import Stage
from shared.timings import timed

INSTALL_FILE = Path(__file__).resolve().parent.parent / "install.json"
_FLATPAK_INFO = Path("/.flatpak-info")  # in every Flatpak's sandbox
SET_UP_AGAIN = tr("Run semcolor's set-up again, then restart GIMP.")

_LAST_WORDS_SECONDS = 10.0

Progress = Callable[[float, Stage], None]
Header = dict[str, Any]


class BridgeError(UserError):
    """There is no bridge, or it ended."""


class BridgeProcess:
    """A running bridge; use it as a context manager, which ends the child.

    Args:
        report: called with (fraction in 0..1, stage) for each progress frame.

    Raises:
        BridgeError: semcolor isn't set up, or its bridge doesn't start.
        SemcolorError: it is of another version.
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

    def __enter__(self) -> "BridgeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def close(self) -> None:
        """End the bridge and wait until it is gone. May be called again."""
        for pipe in (self._to_child, self._from_child):
            # Closing flushes, and a bridge that died can't take what is left.
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._child.wait(_LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:  # it hangs, and nothing of it is needed any more
            self._child.kill()
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
            SemcolorError: the bridge answered with an error.
            BridgeError: it ended.
        """
        try:
            with timed(f"request {op}"):
                return self._answer({"op": op, **fields}, payload)
        except (OSError, EOFError, ValueError, KeyError) as error:
            message = tr(
                "semcolor's bridge ended or sent something that is not an answer. {advice} "
                "(Details: {details})"
            )
            details = error or type(error).__name__
            raise BridgeError(message.format(advice=SET_UP_AGAIN, details=details)) from error

    def _answer(self, request: Header, payload: bytes) -> tuple[Header, bytes]:
        self._send(request, payload)
        while True:
            header, answer = self._receive()
            if header["type"] == "progress":
                self._report(header["fraction"], Stage(header["stage"]))
            elif header["type"] == "error":
                raise failure(header)
            else:
                return header, answer

    def _send(self, header: Header, payload: bytes) -> None:
        text = json.dumps(header).encode()
        self._to_child.write(pack_prefix(len(text), len(payload)) + text)
        self._to_child.write(payload)
        self._to_child.flush()

    def _receive(self) -> tuple[Header, bytes]:
        header_bytes, payload_bytes = unpack_prefix(self._read(PREFIX_BYTES))
        header = json.loads(self._read(header_bytes))
        return header, self._read(payload_bytes)

    def _read(self, length: int) -> bytes:
        data: bytes = self._from_child.read(length)
        if len(data) < length:
            raise EOFError("its output ended")
        return data


def failure(error: Header) -> SemcolorError:
    """The error of an answer: {code, parameters}. A code of a later worker may be none of ours."""
    code, parameters = str(error["code"]), dict[str, Parameter](error["parameters"])
    if code not in list(Code):
        return SemcolorError(Code.UNKNOWN, code=code)
    return SemcolorError(Code(code), **parameters)


def _command() -> list[str]:
    """The bridge's argument list, as the set-up wrote it down."""
    try:
        commands = json.loads(INSTALL_FILE.read_text("utf-8"))
        inside = commands.get("flatpak") if _FLATPAK_INFO.exists() else None
        return list(inside or commands["bridge"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
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


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both were asked for
    return stream
