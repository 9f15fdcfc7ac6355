"""Where a supervisor and its engine meet, also on a system without Unix sockets."""

import stat
from pathlib import Path

import pytest
import zmq

from semcolor.client.keys import KeyPair
from semcolor_worker.engine.main import _connect
from semcolor_worker.supervisor.access import Access
from semcolor_worker.supervisor.engine_endpoint import EngineEndpoint


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.posix), False], ids=["ipc", "tcp"])
def has_ipc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(zmq, "has", lambda _: request.param)
    return bool(request.param)


@pytest.fixture
def context():
    """A supervisor's, who asks its list of clients about everybody who comes by CURVE."""
    with zmq.Context() as context:
        access = Access(context)
        yield context
        access.stop()


def pair_socket(context):
    socket = context.socket(zmq.PAIR)
    socket.linger = 0
    return socket


def test_an_engine_comes_in(context, has_ipc):
    with pair_socket(context) as supervisor, pair_socket(context) as engine:
        endpoint = EngineEndpoint(supervisor)
        assert endpoint.address.startswith("ipc://" if has_ipc else "tcp://127.0.0.1:")
        _connect(engine, endpoint.address, endpoint.key)
        engine.send(b"here")
        assert supervisor.poll(5000)
        assert supervisor.recv() == b"here"
        supervisor.send(b"work")
        assert engine.poll(5000)
        endpoint.remove()


def test_nobody_else_does(context, monkeypatch):
    monkeypatch.setattr(zmq, "has", lambda _: False)
    for key in ("", KeyPair.generate().public):
        with pair_socket(context) as supervisor, pair_socket(context) as stranger:
            endpoint = EngineEndpoint(supervisor)
            _connect(stranger, endpoint.address, key)
            stranger.send(b"let me in", zmq.DONTWAIT)
            assert not supervisor.poll(500)


@pytest.mark.posix
def test_a_unix_socket_is_in_a_folder_of_ones_own(context):
    with pair_socket(context) as supervisor:
        endpoint = EngineEndpoint(supervisor)
        folder = Path(endpoint.address.removeprefix("ipc://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        endpoint.remove()
        assert not folder.exists()
