"""Inside GIMP: the processes of the plug-in, the bridge and the worker."""

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator

from inside import wait

_SMALLEST_EDIT = 20_000  # bytes; far more than the panel sends for other purposes


def kill_plugin_at_work(killed: list[int]) -> threading.Thread:
    """Start to wait for the plug-in and its bridge; then kill the plug-in as GIMP's Cancel does.

    The bridge is stopped meanwhile, so that the plug-in surely dies while it waits for it.
    `killed` gets the numbers of the two processes.
    """

    def watch() -> None:
        wait(lambda: _plugin_and_bridge() is not None)
        plugin, bridge = _plugin_and_bridge()
        os.kill(bridge, signal.SIGSTOP)
        killed.extend([plugin, bridge])
        os.kill(plugin, signal.SIGKILL)
        os.kill(bridge, signal.SIGCONT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def ended(pid: int) -> bool:
    """Whether this process is gone (or only waits for its parent to take notice)."""
    state = status(pid).get("State")
    return state is None or state.startswith("Z")


def _plugin_and_bridge() -> tuple[int, int] | None:
    for bridge in bridges():
        plugin = int(status(bridge).get("PPid", 0))
        if b"semcolor/semcolor.py" in _command_line(plugin):
            return plugin, bridge
    return None


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command_line(pid: int) -> bytes:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def status(pid: int) -> dict[str, str]:
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def ticks_used() -> int:
    """The processor's time that our bridges and workers have used so far, in ticks of 10 ms."""
    return sum(_ticks(pid) for pid in _own(b"semcolor.bridge") + _own(b"semcolor_worker"))


def _ticks(pid: int) -> int:
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])  # in user mode and in the kernel


def kill_worker() -> None:
    """Kill our worker, as a machine that runs out of memory does."""
    _signal_worker(signal.SIGKILL)


@contextlib.contextmanager
def worker_asleep() -> Iterator[None]:
    """A worker that answers nothing in the block."""
    _signal_worker(signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_worker(signal.SIGCONT)


def wait_for_job(action: Callable[[], None]) -> None:
    """Do something that edits labels, and wait until the one bridge has got the edit."""
    (bridge,) = bridges()
    before = _bytes_read(bridge)
    action()
    wait(lambda: _bytes_read(bridge) > before + _SMALLEST_EDIT)


def _bytes_read(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/io").read_text().split()[1])


def _signal_worker(number: int) -> None:
    for pid in _own(b"-m\0semcolor_worker\0"):
        os.kill(pid, number)


def bridges() -> list[int]:
    """The bridges that run for us."""
    return _own(b"semcolor.bridge")


def plug_ins() -> list[int]:
    """Our plug-in's processes, but for the one that writes pixels for the others."""
    return _plug_ins()[1:]


def kill_writer() -> None:
    """Kill that one."""
    os.kill(_plug_ins()[0], signal.SIGKILL)


def _plug_ins() -> list[int]:
    """Our plug-in's processes; GIMP has started the writer first."""
    return sorted(_own(b"semcolor/semcolor.py"), key=_started)


def _started(pid: int) -> int:
    """When a process was started, in ticks of the kernel."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _own(words: bytes) -> list[int]:
    """The processes of this test that have these words in their command line."""
    own = f"HOME={os.environ['HOME']}".encode()
    found = [pid for pid in _processes() if words in _command_line(pid)]
    return [pid for pid in found if own in _environment(pid) and not ended(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
