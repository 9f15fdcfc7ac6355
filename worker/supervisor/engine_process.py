"""The supervisor's end of an engine: a child process and the pipe-like socket to it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

import zmq

from semcolor.client import processes
from semcolor.shared.states import WorkerState
from semcolor_worker import engine_link, resources
from semcolor_worker.engine_link import ENGINE_KEY, OUT_OF_MEMORY, Message

from .engine_endpoint import EngineEndpoint

_STOP_SECONDS = 5.0
_STALLED_SECONDS = 30.0  # without a tick of the processor; a long job uses all that it can get
_KILLED = -9  # exit status: by SIGKILL
# GIMP and the engine share the cores: threads that spin for long while they wait slow both down,
# threads that never spin are slow to wake between two small layers.
_ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}
_WORKING = (WorkerState.STARTING, WorkerState.LOADING, WorkerState.BUSY)


class EngineChild:
    """One engine process at a time, over an :class:`EngineEndpoint`.

    The child ends with its supervisor, however that ended.
    ``device``: as PyTorch names it; empty: the engine chooses, and says which.
    ``ran_out``: whether the last one that ended by itself did for lack of memory.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", device: str) -> None:
        self.state = WorkerState.STOPPED
        self.device = device  # what it computes on, once it has said so
        self.models: list[str] = []
        self.ran_out = False
        self.socket: zmq.Socket[bytes] | None = None
        self._context, self._wanted = context, device
        self._endpoint: EngineEndpoint | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._last_time: float | None = None  # of the processor, as it was …
        self._active_at = 0.0
        self._oom_kills = 0  # on this machine, when the process was started

    def start(self, engines: int) -> None:
        """Spawn the process, one of so many; it reports its states through messages.

        Raises OSError, and then another try may succeed.
        """
        self._oom_kills = resources.oom_kills()
        socket = self._context.socket(zmq.PAIR)
        socket.linger = 0
        socket.sndhwm = 0  # what is sent is in the store anyway
        try:
            self._endpoint = EngineEndpoint(socket)
            self._process = self._spawn(self._endpoint, engines)
        except (OSError, zmq.ZMQError) as error:
            socket.close()
            self._remove_endpoint()
            self.state = WorkerState.LOST
            raise OSError(f"the engine's process can't be started: {error}") from error
        self.socket = socket
        self.state = WorkerState.STARTING
        self.models = []

    @property
    def resident_memory(self) -> int:
        """Bytes that the process has now."""
        return resources.resident_memory(self._process.pid) if self._process else 0

    def send(self, message: Message, *frames: bytes) -> None:
        """A message to the engine."""
        self._send([engine_link.encode(message), *frames])

    def send_blocks(self, blocks: Iterable[bytearray]) -> None:
        """The rows of the plane that was announced; they travel without being copied."""
        for block in blocks:
            self._send([block])

    def receive(self) -> tuple[Message, list[zmq.Frame]]:
        """The engine's next message and its frames; call when the socket is readable."""
        assert self.socket is not None
        self._remove_endpoint()  # it is connected
        envelope, *frames = self.socket.recv_multipart(copy=False)
        return engine_link.decode(envelope.bytes), frames

    def has_died(self) -> bool:
        """True once, when the process ended by itself; its socket is closed then."""
        status = self._process.poll() if self._process else None
        if status is None:
            return False
        killed = status == _KILLED and resources.oom_kills() > self._oom_kills
        self.ran_out = killed or status == OUT_OF_MEMORY
        self._close(WorkerState.LOST)
        return True

    def watch(self) -> None:
        """Kill the process if it should work and does not, as one that is stopped or deadlocked.

        To be called every second or so.
        """
        now, process = time.monotonic(), self._process
        if process is None or self.state not in _WORKING:
            self._active_at = now
            return
        used = resources.processor_time(process.pid)
        if used is None or used != self._last_time:
            self._last_time, self._active_at = used, now
        elif now - self._active_at > _STALLED_SECONDS:
            process.kill()

    def stop(self) -> None:
        """End the process."""
        self.end(WorkerState.STOPPED)

    def end(self, state: WorkerState) -> None:
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

    def _spawn(self, endpoint: EngineEndpoint, engines: int) -> "subprocess.Popen[bytes]":
        module = "semcolor_worker.engine.main"
        budget = str(resources.plane_budget(engines))
        return subprocess.Popen(
            processes.command(module, endpoint.address, self._wanted, budget),
            # On Windows a library that is loaded would wait for whoever reads stdin.
            stdin=subprocess.DEVNULL if sys.platform == "win32" else subprocess.PIPE,
            env={
                "OMP_NUM_THREADS": str(resources.threads(engines)), **processes.environment(),
                **_ENVIRONMENT, ENGINE_KEY: endpoint.key,
            },
            creationflags=processes.NO_WINDOW,
        )  # fmt: skip

    def _send(self, parts: Sequence[bytes | bytearray]) -> None:
        assert self.socket is not None
        with contextlib.suppress(zmq.Again):  # it has just died: has_died() will tell
            self.socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=False)

    def _close(self, state: WorkerState) -> None:
        assert self.socket is not None
        assert self._process is not None
        self.socket.close(linger=0)
        self._remove_endpoint()
        if self._process.stdin:
            self._process.stdin.close()
        else:
            self._process.terminate()
        self.socket = self._process = None
        self.state = state

    def _remove_endpoint(self) -> None:
        if self._endpoint:
            self._endpoint.remove()
            self._endpoint = None
