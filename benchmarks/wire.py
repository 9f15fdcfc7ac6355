"""A wire between a client and a worker that can be watched, and that takes its time."""

import collections
import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

_GREETING_BYTES = 64  # of ZMTP
_LONG = 2  # flag of a ZMTP frame whose size has 8 bytes


class Traffic(NamedTuple):
    """What went one way: frames of ZMTP, handshakes and heartbeats too, and bytes."""

    frames: int
    size: int


class Wire:
    """Forwards TCP connections from ``port``, a free one of this machine, to another address.

    All that is sent arrives ``delay`` seconds later. Nothing is read, but frames are counted.
    """

    def __init__(self, host: str, port: int, delay: float = 0.0) -> None:
        self._target, self._delay = (host, port), delay
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        _start(self._accept)

    def traffic(self) -> tuple[Traffic, Traffic]:
        """To the worker and back, so far."""
        to, back = (
            Traffic(self._counts[way, "frames"], self._counts[way, "size"])
            for way in ("to", "back")
        )
        return to, back

    def close(self) -> None:
        """Take no more connections."""
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                worker = socket.create_connection(self._target)
                for way, source, target in (("to", client, worker), ("back", worker, client)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    late: queue.Queue[tuple[float, bytes]] = queue.Queue()
                    threading.Thread(
                        target=self._read, args=(way, source, late), daemon=True
                    ).start()
                    threading.Thread(target=_write, args=(target, late), daemon=True).start()

    def _read(
        self, way: str, source: socket.socket, late: "queue.Queue[tuple[float, bytes]]"
    ) -> None:
        counter = _FrameCounter()
        data = b"?"
        while data:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            late.put((time.monotonic() + self._delay, data))
            self._counts[way, "size"] += len(data)
            self._counts[way, "frames"] += counter.add(data)


def _start(target: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _write(target: socket.socket, late: "queue.Queue[tuple[float, bytes]]") -> None:
    with contextlib.suppress(OSError):
        while True:
            due, data = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                break
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _FrameCounter:
    """How many ZMTP frames begin in a stream."""

    def __init__(self) -> None:
        self._head = b""
        self._skip = _GREETING_BYTES

    def add(self, data: bytes) -> int:
        """Those that begin in the next bytes."""
        frames = 0
        data, self._head = self._head + data, b""
        while data:
            if self._skip:
                passed = min(self._skip, len(data))
                self._skip, data = self._skip - passed, data[passed:]
                continue
            head = 9 if data[0] & _LONG else 2
            if len(data) < head:
                self._head = data
                break
            self._skip, data = int.from_bytes(data[1:head]), data[head:]
            frames += 1
        return frames
