"""Connections that end while nobody looks, or without a word."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.geometry import Rectangle

SILENCE = (
    20.0  # seconds that a client waits for a worker that it has reached, and that says nothing
)


class Wire:
    """A way to the worker that can be cut: then nothing passes any more, and nobody is told.

    A connection that is made after that passes.
    """

    def __init__(self, worker: tuple[str, int]) -> None:
        self._worker = worker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cut: list[threading.Event] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._cut)

    def cut(self) -> None:
        for event in self._cut:
            event.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far, cut = socket.create_connection(self._worker), threading.Event()
                self._cut.append(cut)
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(*ends, cut), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not cut.is_set():
                    sink.sendall(data)
            if not cut.is_set():
                sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire(worker: ZmqWorkerClient) -> Iterator[Wire]:
    host, port = worker.connection.address.removeprefix("tcp://").rsplit(":", 1)
    wire = Wire((host, int(port)))
    yield wire
    wire.close()


@pytest.fixture
def far(worker: ZmqWorkerClient, wire: Wire) -> Iterator[ZmqWorkerClient]:
    """A client on the other side of the wire."""
    client = ZmqWorkerClient(dataclasses.replace(worker.connection, address=wire.address))
    yield client
    client.close()


@pytest.mark.parametrize("pause", [0.0, 5.0])
def test_a_connection_that_was_cut_is_found_out_about(
    far: ZmqWorkerClient, wire: Wire, pause: float
) -> None:
    """At the next request, and before it where there is time."""
    far.status()
    wire.cut()
    time.sleep(pause)
    begin = time.monotonic()
    far.status()
    assert time.monotonic() - begin < SILENCE / 2
    assert wire.connections == 2


def test_a_connection_cut_in_the_middle_of_a_job(
    far: ZmqWorkerClient, wire: Wire, sample_gray: np.ndarray
) -> None:
    session, stages = Session(far, sample_gray), []

    def cut_once(stage: object, _: float) -> None:
        if not stages:
            wire.cut()
        stages.append(stage)

    begin = time.monotonic()
    session.segment(Rectangle(0, 0, 64, 64), 0, cut_once)
    assert stages
    assert time.monotonic() - begin < SILENCE
    assert wire.connections >= 2


def test_a_client_that_rests_leaves_a_dead_worker_alone(worker: ZmqWorkerClient) -> None:
    """Else what ZeroMQ tells of each try fills a queue, after minutes, and the client hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        client = ZmqWorkerClient(
            dataclasses.replace(worker.connection, address=address), timeout=0.5
        )
        listener.settimeout(2)
        with contextlib.suppress(Exception):
            client.status()  # nobody answers; but that is another matter
        socket_before = client._open()
        tries = 0
        end = time.monotonic() + 3
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end:
                connection, _ = listener.accept()
                connection.close()
                tries += 1
        assert not socket_before.closed
        client.close()
    assert tries <= 3
