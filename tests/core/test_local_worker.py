"""Starting this machine's worker, and finding it: slow, killed, or in somebody else's way."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair, encode_invitation
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.errors import Code, SemcolorError


@contextmanager
def later(seconds: float, do, *arguments) -> Iterator[None]:
    """Do it after some seconds, or at once when the block ends sooner."""
    timer = threading.Timer(seconds, do, arguments)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        do(*arguments)


@pytest.mark.posix
def test_a_worker_that_lives_is_waited_for_however_slow_it_is(own_worker: ZmqWorkerClient) -> None:
    pid = own_worker.hello().pid
    os.kill(pid, signal.SIGSTOP)
    with later(12, os.kill, pid, signal.SIGCONT):
        client = local_worker.running()
        assert client is not None
        assert client.hello().pid == pid
        client.close()


@pytest.mark.posix
def test_a_worker_elsewhere_is_waited_for_too(
    own_worker: ZmqWorkerClient, invite: Callable[..., Connection]
) -> None:
    pid, line = own_worker.hello().pid, encode_invitation(invite(own_worker.connection))
    os.kill(pid, signal.SIGSTOP)
    with later(12, os.kill, pid, signal.SIGCONT):
        assert local_worker.choose(line).address == own_worker.connection.address


@pytest.mark.posix
def test_waiting_for_a_slow_worker_can_be_cancelled(own_worker: ZmqWorkerClient) -> None:
    pid, cancel = own_worker.hello().pid, threading.Event()
    os.kill(pid, signal.SIGSTOP)
    try:
        threading.Timer(0.5, cancel.set).start()
        begin = time.monotonic()
        with pytest.raises(SemcolorError) as caught:
            local_worker.start(cancel)
        assert caught.value.code == Code.CANCELLED
        assert time.monotonic() - begin < 3
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.posix
def test_a_worker_that_was_killed_is_noticed_soon(own_worker: ZmqWorkerClient) -> None:
    os.kill(own_worker.hello().pid, signal.SIGKILL)
    assert local_worker.connection_file().exists()
    begin = time.monotonic()
    while local_worker.running() is not None:  # the system takes a moment to release the lock
        time.sleep(0.01)
    assert time.monotonic() - begin < 2


def test_what_a_killed_worker_left_does_not_hold_up_the_next(home: Path) -> None:
    """...even where somebody else has its port now, who does not answer."""
    pair = KeyPair.generate()
    with socket.create_server(("127.0.0.1", 0)) as other:
        left = Connection(f"tcp://127.0.0.1:{other.getsockname()[1]}", pair.public, pair)
        local_worker.connection_file().parent.mkdir(parents=True)
        local_worker.connection_file().write_text(json.dumps(left.to_dict()))
        begin = time.monotonic()
        client = local_worker.start()
        assert time.monotonic() - begin < 9
    assert client.connection != left
    client.close()
    assert local_worker.stop()


def test_a_worker_that_made_way_for_one_that_ended_is_started_again(home: Path) -> None:
    lock = FileLock(local_worker.worker_lock().lock_file, thread_local=False)
    with lock, later(3, lock.release):
        local_worker.start().close()
    assert local_worker.stop()


def test_a_worker_that_dies_as_it_starts_is_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(home))  # its Python finds nothing to start with
    begin = time.monotonic()
    with pytest.raises(SemcolorError, match=r"did not start.*worker\.log") as caught:
        local_worker.start()
    assert caught.value.code == Code.NOT_STARTED
    assert time.monotonic() - begin < 20


@pytest.mark.posix
def test_a_worker_that_hears_nothing_any_more_can_be_stopped(own_worker: ZmqWorkerClient) -> None:
    pid = own_worker.hello().pid
    os.kill(pid, signal.SIGSTOP)
    assert local_worker.stop()
    assert local_worker.running() is None
    assert not local_worker.stop()
    client = local_worker.start()
    assert client.hello().pid != pid
    client.close()


def test_a_worker_whose_connection_file_is_gone_is_found_again(own_worker: ZmqWorkerClient) -> None:
    pid = own_worker.hello().pid
    local_worker.connection_file().unlink()
    client = local_worker.start()
    assert client.hello().pid == pid
    client.close()
    local_worker.connection_file().unlink()
    assert local_worker.stop()
    assert local_worker.running() is None


def test_a_large_log_is_moved_aside_before_a_worker_starts(home):
    local_worker.log_file().parent.mkdir(parents=True)
    local_worker.log_file().write_bytes(b"old\n" * (local_worker.LOG_LIMIT // 4 + 1))
    local_worker.start().close()
    try:
        assert b"serving on" in local_worker.log_file().read_bytes()
        assert b"old" not in local_worker.log_file().read_bytes()
        aside = local_worker.log_file().with_name("worker.log.1")
        assert aside.stat().st_size > local_worker.LOG_LIMIT
    finally:
        local_worker.stop()
