"""The worker of this machine: its connection file, starting it, and choosing whom to talk to."""

import importlib.util
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from semcolor.protocol.schema import PROTOCOL, Stop
from semcolor.shared.errors import Code, SemcolorError

from . import settings
from .keys import Connection, decode_invitation
from .worker_client import ZmqWorkerClient

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_CONNECTION = "connection"  # the settings' key


def connection_file() -> Path:
    """Where a running worker says how to reach it (mode 0600, removed when it ends)."""
    return settings.state_folder() / "worker.json"


def worker_lock() -> FileLock:
    """Held by the running worker for as long as it lives, even if it is killed."""
    settings.state_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(settings.state_folder() / "worker.lock")


def log_file() -> Path:
    """What the worker has to say."""
    return settings.state_folder() / "worker.log"


def read_connection() -> Connection | None:
    """How to reach this machine's worker, if one left its file."""
    try:
        return Connection.from_dict(json.loads(connection_file().read_text("utf-8")))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def remote_connection() -> Connection | None:
    """The LAN worker that `semcolor connect` chose, if any."""
    stored = settings.load().get(_CONNECTION)
    return Connection.from_dict(stored) if stored else None


def choose(invitation: str) -> str:
    """Use the worker of this invitation line from now on; with “local”, this machine's own again.

    Returns a sentence that says so. Raises SemcolorError, and then the choice stays as it was.
    """
    if invitation.strip() == "local":
        set_remote(None)
        return "semcolor uses this machine's own worker again"
    connection = decode_invitation(invitation)
    previous = remote_connection()
    set_remote(connection)
    try:
        status = connect().status()
    except SemcolorError:
        set_remote(previous)
        raise
    device = f", device {status.device}" if status.device else ""
    return f"connected to {connection.address}: {status.state}{device}"


def set_remote(connection: Connection | None) -> None:
    """Use this LAN worker from now on; None: the local one again."""
    stored = settings.load()
    stored[_CONNECTION] = connection.to_dict() if connection else None
    settings.save(stored)


def connect(cancel: threading.Event | None = None) -> ZmqWorkerClient:
    """A client of the worker to use: the LAN one if chosen, else the local one, started if need be.

    Raises SemcolorError (UNREACHABLE, KEY_REFUSED, VERSION).
    """
    remote = remote_connection()
    if remote is None:
        return start(cancel)
    client = ZmqWorkerClient(remote, cancel)
    _check_version(client)
    return client


def running(cancel: threading.Event | None = None) -> ZmqWorkerClient | None:
    """A client of this machine's worker, if one is running."""
    connection = read_connection()
    if connection is None or not _lock_is_held():
        return None
    client = ZmqWorkerClient(connection, cancel)
    try:
        _check_version(client)
    except SemcolorError as error:
        client.close()
        if error.code in (Code.UNREACHABLE, Code.KEY_REFUSED):
            return None  # a file left behind by a worker that was killed
        raise
    return client


def start(cancel: threading.Event | None = None) -> ZmqWorkerClient:
    """A client of this machine's worker, which is started when none runs."""
    client = running(cancel)
    if client is not None:
        return client
    require_worker()
    process = _spawn()
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.02)
        if read_connection() is not None:
            client = running(cancel)
            if client is not None:
                if client.hello().pid != process.pid:  # another start was faster
                    process.terminate()
                    process.wait()
                return client
        if process.poll() not in (None, 0):  # 0: it found another worker
            break
    raise SemcolorError(
        Code.UNREACHABLE, f"the worker did not start: the reason is at the end of {log_file()}"
    )


def require_worker() -> None:
    """Raise SemcolorError unless the worker's packages are installed."""
    if importlib.util.find_spec("torch") is None:
        raise SemcolorError(
            Code.NOT_INSTALLED,
            "no worker is installed here: install semcolor[worker], or use another machine's "
            "with `semcolor connect LINE`",
        )


def stop() -> bool:
    """End this machine's worker; False when none runs."""
    client = running()
    if client is None:
        return False
    client.request(Stop())
    client.close()
    deadline = time.monotonic() + _STOP_SECONDS
    while _lock_is_held() and time.monotonic() < deadline:
        time.sleep(0.02)
    return True


def restart() -> str:
    """Start this machine's worker anew if it runs; returns a sentence that says what was done."""
    client = running()
    if client is None:
        return "no worker was running"
    listening = client.status().listening
    client.close()
    if listening:
        return f"the worker serves the LAN at {listening}: stop it and start it again yourself"
    stop()
    start().close()
    return "the worker was restarted"


def _spawn() -> "subprocess.Popen[bytes]":
    log_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log_file().open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "semcolor_worker"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, cwd=Path.home(),
        )  # fmt: skip


def _check_version(client: ZmqWorkerClient) -> None:
    protocol = client.hello().protocol
    if protocol != PROTOCOL:
        raise SemcolorError(
            Code.VERSION,
            f"the worker speaks protocol {protocol}, this client {PROTOCOL}: install the same "
            "semcolor version on both, then restart the worker",
        )


def _lock_is_held() -> bool:
    try:
        with worker_lock().acquire(timeout=0):
            return False
    except Timeout:
        return True
