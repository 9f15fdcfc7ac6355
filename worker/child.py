"""The supervisor's end of an engine: a child process and the pipe-like socket to it."""

import os
import subprocess
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Any

import zmq

from semcolor.messages import pack, unpack

_STOP_SECONDS = 5.0
# GIMP and the engine share the cores: threads that spin for long while they wait slow both down,
# threads that never spin are slow to wake between two small layers.
_ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}


class EngineState(StrEnum):
    """Life of an engine as `status` shows it."""

    STOPPED = "stopped"
    STARTING = "starting"  # the process was spawned
    LOADING = "loading"  # torch is there, weights are being read
    READY = "ready"
    BUSY = "busy"
    LOST = "lost"  # it ended by itself; the next job starts a new one


class EngineChild:
    """One engine process at a time, over a private Unix socket.

    The child ends when its stdin closes, so it never outlives a supervisor that was killed.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.state = EngineState.STOPPED
        self.device = ""
        self.models: list[str] = []
        self.socket: zmq.Socket[bytes] | None = None
        self._context = context
        self._folder = tempfile.TemporaryDirectory(prefix="semcolor-")
        self._process: subprocess.Popen[bytes] | None = None
        self._generation = 0

    def start(self) -> None:
        """Spawn the process; it reports its states through messages."""
        self._generation += 1
        endpoint = f"ipc://{Path(self._folder.name, f'engine-{self._generation}')}"
        self.socket = self._context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.bind(endpoint)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "semcolor_worker.engine_main", endpoint],
            stdin=subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
        )
        self.state = EngineState.STARTING
        self.models = []

    def send(self, header: dict[str, Any], blob: bytes | bytearray | None = None) -> None:
        """A message to the engine; ``blob`` travels without being copied."""
        assert self.socket is not None
        parts: list[bytes | bytearray] = [pack(header)]
        if blob is not None:
            parts.append(blob)
        self.socket.send_multipart(parts, copy=False)

    def receive(self) -> tuple[dict[str, Any], zmq.Frame | None]:
        """The engine's next message; call when the socket is readable."""
        assert self.socket is not None
        frames = self.socket.recv_multipart(copy=False)
        return unpack(frames[0].bytes), frames[1] if len(frames) > 1 else None

    def has_died(self) -> bool:
        """True once, when the process ended by itself; its socket is closed then."""
        if self._process is None or self._process.poll() is None:
            return False
        self._close(EngineState.LOST)
        return True

    def stop(self) -> None:
        """End the process and remove the socket; another can't be started."""
        self.end(EngineState.STOPPED)
        self._folder.cleanup()

    def end(self, state: EngineState) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        process = self._process
        self._close(state)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _close(self, state: EngineState) -> None:
        assert self.socket is not None
        assert self._process is not None
        self.socket.close(linger=0)
        if self._process.stdin:
            self._process.stdin.close()
        self.socket = self._process = None
        self.state = state
