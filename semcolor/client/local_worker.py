"""The worker of this machine: its connection file, starting it, and choosing whom to talk to."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from semcolor.protocol.schema import PROTOCOL, Pair, Stop
from semcolor.shared.atomic_files import make_private_folder, patiently
from semcolor.shared.errors import Code, SemcolorError, cannot_read

from . import processes, settings
from .keys import Connection, KeyPair, decode_invitation
from .worker_client import ZmqWorkerClient

LOG_LIMIT = 5_000_000
"""Bytes of the worker's log; as much again is kept of what was before."""
_SLOW_SECONDS = 120.0  # for a worker that lives, on a busy machine
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class Choice(NamedTuple):
    """The worker that was chosen, as it was then. All is empty for this machine's own."""

    address: str = ""  # tcp://HOST:PORT
    state: str = ""
    device: str = ""  # maybe not known yet


class Restart(NamedTuple):
    """What was done: a worker that serves the LAN at ``listening`` was left as it is."""

    was_running: bool
    listening: str = ""


def connection_file() -> Path:
    """Where a running worker says how to reach it (mode 0600, removed when it ends)."""
    return settings.state_folder() / "worker.json"


def worker_lock() -> FileLock:
    """Held by the running worker for as long as it lives, even if it is killed."""
    make_private_folder(settings.state_folder())
    return FileLock(settings.state_folder() / "worker.lock")


def pid_file() -> Path:
    """The process that holds the lock, for as long as it does."""
    return settings.state_folder() / "worker.pid"


def log_file() -> Path:
    """What the worker has to say."""
    return settings.state_folder() / "worker.log"


def read_connection() -> Connection | None:
    """How to reach this machine's worker, if one left its file.

    Raises SemcolorError (CANNOT_READ) for another user's, for instance.
    """
    try:
        text = patiently(lambda: connection_file().read_text("utf-8"))
        return Connection.from_dict(json.loads(text))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    except OSError as error:
        raise cannot_read(connection_file(), error) from error


def remote_connection() -> Connection | None:
    """The LAN worker that `semcolor connect` chose, if any."""
    return _connection_of(settings.connection())


def set_remote(connection: Connection | None) -> None:
    """Use this LAN worker from now on; None: the local one again."""
    settings.set_connection(connection.to_dict() if connection else None)


def choose(invitation: str) -> Choice:
    """Use the worker of this invitation line from now on; with “local”, this machine's own again.

    A line that was used here before leads back to its worker, and so does the worker's HOST:PORT,
    or HOST. Raises SemcolorError, and then the choice stays as it was.
    """
    if invitation.strip() == "local":
        set_remote(None)
        return Choice()
    connection = _known(invitation.strip())
    if connection is None:
        connection = _pair(decode_invitation(invitation))
    client = ZmqWorkerClient(connection)
    try:
        _check_version(client)
        status = client.status()
    finally:
        client.close()
    set_remote(connection)
    return Choice(connection.address, status.state, status.device)


def known_addresses() -> list[str]:
    """HOST:PORT of all workers that were ever connected to, the newest last."""
    known = filter(None, map(_connection_of, settings.known_workers().values()))
    return list(dict.fromkeys(one.address.removeprefix("tcp://") for one in known))


def _connection_of(stored: Any) -> Connection | None:
    """What settings say; nothing where somebody has spoiled them."""
    try:
        connection = Connection.from_dict(stored)
    except (KeyError, TypeError):
        return None
    return connection if isinstance(connection.address, str) else None


def _known(chosen: str) -> Connection | None:
    """A worker that was connected to before, by its address, its host or the invitation."""
    for invitation, fields in reversed(settings.known_workers().items()):
        connection = _connection_of(fields)
        if connection is None:
            continue
        address = connection.address.removeprefix("tcp://")
        if chosen in (address, address.rpartition(":")[0].strip("[]")):
            return connection
        with contextlib.suppress(SemcolorError):
            if decode_invitation(chosen).client.public == invitation:
                return connection
    return None


def _pair(invited: Connection) -> Connection:
    """Use an invitation; its worker and our own key there, which is kept.

    Raises SemcolorError.
    """
    own = KeyPair.generate()
    connection = Connection(invited.address, invited.server_key, own)
    with contextlib.closing(ZmqWorkerClient(invited)) as client:
        _check_version(client)
        try:
            client.request(Pair(own.public))
        except SemcolorError:
            if not _is_known(connection):  # else only the answer was lost
                raise
    settings.remember_worker(invited.client.public, connection.to_dict())
    return connection


def _is_known(connection: Connection) -> bool:
    with contextlib.closing(ZmqWorkerClient(connection)) as client:
        try:
            client.hello()
        except SemcolorError:
            return False
    return True


def connect(cancel: threading.Event | None = None) -> ZmqWorkerClient:
    """A client of the worker to use: the LAN one if chosen, else the local one, started if need be.

    Raises SemcolorError: UNREACHABLE, KEY_REFUSED, PROTOCOL_VERSION, CANCELLED, and as `start`.
    """
    remote = remote_connection()
    if remote is None:
        return start(cancel)
    client = ZmqWorkerClient(remote, cancel)
    _check_version(client)
    return client


def running(cancel: threading.Event | None = None) -> ZmqWorkerClient | None:
    """A client of this machine's worker, if one is running, however slow it is to answer.

    Raises SemcolorError: NOT_ANSWERING, PROTOCOL_VERSION, CANCELLED.
    """
    return _running(cancel, time.monotonic() + _SLOW_SECONDS)


def start(cancel: threading.Event | None = None) -> ZmqWorkerClient:
    """A client of this machine's worker, which is started when none runs.

    Raises SemcolorError: NOT_INSTALLED, NOT_STARTED, and as `running`.
    """
    deadline = time.monotonic() + _SLOW_SECONDS
    client = _running(cancel, deadline)
    if client is not None:
        return client
    require_worker()
    process = _spawn()
    while (client := _running(cancel, deadline)) is None:
        if cancel is not None and cancel.is_set():
            raise SemcolorError(Code.CANCELLED)
        if process.poll() or time.monotonic() > deadline:
            raise SemcolorError(Code.NOT_STARTED, log=str(log_file()))
        if process.poll() == 0 and not _lock_is_held():
            process = _spawn()  # the other worker, which it gave way to, has ended
        time.sleep(_LOOK_SECONDS)
    if client.hello().pid != process.pid:  # another start was faster
        _end(process)
    return client


def require_worker() -> None:
    """Whether the worker's packages are installed. Raises SemcolorError (NOT_INSTALLED)."""
    if importlib.util.find_spec("torch") is None:
        raise SemcolorError(Code.NOT_INSTALLED)


def stop() -> bool:
    """End this machine's worker, also one that hears nothing any more; False when none runs."""
    if not _lock_is_held():
        return False
    connection = read_connection()
    if connection is not None:
        client = ZmqWorkerClient(connection, timeout=_STOP_SECONDS)
        with contextlib.suppress(SemcolorError):  # it will be ended otherwise
            client.request(Stop())
        client.close()
        if _has_ended():
            return True
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            os.kill(int(pid_file().read_text()), number)
        if _has_ended():
            break
    return True


def _has_ended() -> bool:
    """Wait a while for the worker's end; whether it has come."""
    deadline = time.monotonic() + _STOP_SECONDS
    while _lock_is_held():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def restart() -> Restart:
    """Start this machine's worker anew if it runs, unless it serves the LAN."""
    client = running()
    if client is None:
        return Restart(was_running=False)
    listening = client.status().listening
    client.close()
    if not listening:
        stop()
        start().close()
    return Restart(was_running=True, listening=listening)


def _running(cancel: threading.Event | None, deadline: float) -> ZmqWorkerClient | None:
    """As `running`. The lock tells a worker that is slow from one that was killed."""
    while (connection := read_connection()) is not None and _lock_is_held():
        client = ZmqWorkerClient(connection, cancel)
        try:
            _check_version(client)
            return client
        except SemcolorError as error:
            client.close()
            if error.code not in (Code.UNREACHABLE, Code.KEY_REFUSED):
                raise
            if time.monotonic() > deadline:
                raise SemcolorError(Code.NOT_ANSWERING, log=str(log_file())) from error
        time.sleep(_LOOK_SECONDS)
    return None


def _spawn() -> "subprocess.Popen[bytes]":
    make_private_folder(log_file().parent)
    if log_file().exists() and log_file().stat().st_size > LOG_LIMIT:
        aside = log_file().with_name(log_file().name + ".1")
        patiently(lambda: log_file().replace(aside))
    with log_file().open("ab") as log:
        return subprocess.Popen(
            processes.command("semcolor_worker"), env=processes.environment(),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=Path.home(),
            start_new_session=True, creationflags=processes.NO_WINDOW,
        )  # fmt: skip


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _check_version(client: ZmqWorkerClient) -> None:
    protocol = client.hello().protocol
    if protocol != PROTOCOL:
        raise SemcolorError(Code.PROTOCOL_VERSION, theirs=protocol, ours=PROTOCOL)


def _lock_is_held() -> bool:
    try:
        with worker_lock().acquire(timeout=0):
            return False
    except Timeout:
        return True
