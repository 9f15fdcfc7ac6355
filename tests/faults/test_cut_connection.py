"""Connections that end while nobody looks, or without a word, and some that are only slow."""

import contextlib
import dataclasses
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from semcolor.bridge.worker import ClientWhenNeeded
from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle

from .helpers import children, wait_until

SILENCE = 20.0  # seconds that a client waits for a worker it has reached and that says nothing
UNHEARD = 3.0  # seconds after which a connection without an answer to its pings is given up
SLOW = 500_000  # bytes a second


class Wire:
    """A way to the worker that can be cut: then nothing passes any more, and nobody is told.

    A connection that is made after that passes. ``speed``: bytes a second, in each direction.
    """

    def __init__(self, worker: tuple[str, int]) -> None:
        self.speed = math.inf
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
            while data := source.recv(16384):
                time.sleep(len(data) / self.speed)
                if not cut.is_set():
                    sink.sendall(data)
            if not cut.is_set():
                sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def wire_to(worker: ZmqWorkerClient) -> Iterator[Wire]:
    host, port = worker.connection.address.removeprefix("tcp://").rsplit(":", 1)
    wire = Wire((host, int(port)))
    yield wire
    wire.close()


def client_over(wire: Wire, worker: ZmqWorkerClient) -> ZmqWorkerClient:
    return ZmqWorkerClient(dataclasses.replace(worker.connection, address=wire.address))


@contextlib.contextmanager
def standing_still(pid: int, seconds: float) -> Iterator[None]:
    """A process stands still for so long, while this is open."""
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(seconds, os.kill, (pid, signal.SIGCONT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        os.kill(pid, signal.SIGCONT)


def hang_up(listener: socket.socket) -> None:
    """On whoever calls."""
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def open_descriptors(process: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def quiet(*_: object) -> None:
    """Nobody asks for progress."""


@pytest.fixture
def wire(worker: ZmqWorkerClient) -> Iterator[Wire]:
    with wire_to(worker) as wire:
        yield wire


@pytest.fixture
def far(worker: ZmqWorkerClient, wire: Wire) -> Iterator[ZmqWorkerClient]:
    """A client on the other side of the wire."""
    client = client_over(wire, worker)
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
    session, stages = Session(far, sample_gray[::-1]), []  # that the worker does not have yet

    def cut_once(stage: object, _: float) -> None:
        if not stages:
            wire.cut()
        stages.append(stage)

    begin = time.monotonic()
    session.segment(Rectangle(0, 0, 64, 64), 0, cut_once)
    assert stages
    assert time.monotonic() - begin < SILENCE
    assert wire.connections >= 2


def test_the_worker_too_lets_go_of_a_connection_that_was_cut(own_worker: ZmqWorkerClient) -> None:
    """Else a laptop that sleeps each day leaves one behind each day."""
    wait_until(lambda: own_worker.status().state == "ready")
    pid = own_worker.hello().pid
    before = open_descriptors(pid)
    with wire_to(own_worker) as wire:
        client = client_over(wire, own_worker)
        client.status()
        wire.cut()
        client.close()
        assert open_descriptors(pid) > before
        wait_until(lambda: open_descriptors(pid) <= before, 2 * SILENCE)


def test_a_slow_connection_that_sends_much_is_kept(far: ZmqWorkerClient, wire: Wire) -> None:
    """Its pings wait behind the photo."""
    wire.speed = SLOW
    noise = np.random.default_rng(0).integers(0, 256, (2048, 2048)).astype(np.uint8)
    assert noise.size / wire.speed > 2 * UNHEARD
    Session(far, noise).upload(quiet)
    assert wire.connections == 1


def test_a_slow_connection_that_receives_much_is_kept(
    far: ZmqWorkerClient, wire: Wire, sample_gray: np.ndarray
) -> None:
    """The answers to its pings wait behind the colour, which is one answer."""
    session = Session(far, np.tile(sample_gray, (1, 2))[:, :1700])
    session.upload(quiet)
    wire.speed = SLOW
    assert 3 * session.gray.size / wire.speed > 2 * UNHEARD
    session.colorize(session.whole, 256, quiet)
    assert wire.connections == 1


def test_a_connection_is_kept_while_the_engine_works(
    own_worker: ZmqWorkerClient, sample_gray: np.ndarray
) -> None:
    wait_until(lambda: own_worker.status().state == "ready")
    (engine,) = children(own_worker.hello().pid)
    with wire_to(own_worker) as wire:
        client = client_over(wire, own_worker)
        with standing_still(engine, UNHEARD + 3):
            Session(client, sample_gray).segment(Rectangle(0, 0, 64, 64), 0, quiet)
        client.close()
        assert wire.connections == 1


def test_a_worker_that_stands_still_for_some_seconds_is_waited_for(
    own_worker: ZmqWorkerClient,
) -> None:
    """Its machine answers for it; its connection may be another one afterwards."""
    pid = own_worker.hello().pid
    with standing_still(pid, UNHEARD + 5):
        assert own_worker.hello().pid == pid


def test_a_bridge_finds_the_worker_that_follows_one_that_was_killed(
    home: Path, sample_gray: np.ndarray
) -> None:
    """Even if it has rested meanwhile."""
    bridge = ClientWhenNeeded(local_worker.connect, threading.Event(), quiet)
    session = Session(bridge, sample_gray)
    session.segment(Rectangle(0, 0, 64, 64), 0, quiet)
    pid = bridge.hello().pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(2)
    session.segment(Rectangle(0, 0, 64, 64), 0, quiet)
    assert bridge.hello().pid != pid
    assert local_worker.stop()


def test_clients_that_find_nobody_leave_nothing_behind() -> None:
    """Whether nobody listens, or somebody hangs up at once, or does not answer at all."""
    pair = KeyPair.generate()
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        socket.create_server(("127.0.0.1", 0)) as rude,
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))
        threading.Thread(target=hang_up, args=(rude,), daemon=True).start()

        def ask_each() -> None:
            for nobody in (mute, rude, closed):
                address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
                client = ZmqWorkerClient(Connection(address, pair.public, pair), timeout=0.1)
                with pytest.raises(SemcolorError) as caught:
                    client.status()
                assert caught.value.code == Code.UNREACHABLE

        ask_each()
        before = open_descriptors()
        for _ in range(10):
            ask_each()
        wait_until(lambda: open_descriptors() <= before)


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
