"""What this machine, or the container that the worker runs in, has: cores and memory."""

import contextlib
import ctypes
import math
import os
from collections.abc import Iterator
from pathlib import Path

PLANES_AT_MOST = 1 << 30  # bytes, in one process
_PLANES_SHARE = 0.25  # of the memory that is free, all processes together
_UNKNOWN_MEMORY = 4 << 30  # bytes, where the system does not tell


def threads(engines: int) -> int:
    """How many threads each of so many engines on one machine should compute with."""
    return max(1, cores() // engines)


def plane_budget(engines: int) -> int:
    """Bytes of photos and label maps that the supervisor, and each engine, may keep."""
    share = _PLANES_SHARE * available_memory() / (engines + 1)
    return min(PLANES_AT_MOST, int(share))


def cores(root: Path = Path("/")) -> int:
    """Physical cores that this process may use, at least one.

    A second thread on a core that computes already gains nothing. A container's quota counts.
    """
    try:
        usable = os.sched_getaffinity(0)
    except AttributeError:  # not Linux
        usable = set(range(os.cpu_count() or 1))
    topology = (
        root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list" for cpu in usable
    )
    count = len({_read(path) or path for path in topology})
    quotas = (_quota(group) for group in _groups(root, "cpu"))
    return max(1, min([count, *(math.ceil(quota) for quota in quotas if quota)]))


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping, within the container's limit."""
    found = [_left(group) for group in _groups(root, "memory")]
    for line in (_read(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    return min((left for left in found if left is not None), default=_UNKNOWN_MEMORY)


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes Linux has killed for lack of memory so far; 0 where it does not tell."""
    for line in (_read(root / "proc/vmstat") or "").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def processor_time(pid: int, root: Path = Path("/")) -> int | None:
    """What a process has used of the processor so far, in ticks; None where nobody tells."""
    stat = _read(root / f"proc/{pid}/stat")
    if stat is None:
        return None
    user, system = stat.rpartition(")")[2].split()[11:13]  # the name may hold anything
    return int(user) + int(system)


def resident_memory(pid: int, root: Path = Path("/")) -> int:
    """Bytes of memory that a process has now; 0 where nobody tells."""
    for line in (_read(root / f"proc/{pid}/status") or "").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def give_back_memory() -> None:
    """Let the system have what was freed and is only kept for the next allocation (glibc)."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, version 2 or 1, up to the root."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if controllers:  # version 1 has a tree for each
            mount /= controller
        if not controllers or controller in controllers.split(","):
            group = mount / path.lstrip("/")
            yield from (part for part in (group, *group.parents) if part.is_relative_to(mount))


def _quota(group: Path) -> float | None:
    """Cores that a group may use; None: all."""
    quota, period, *_ = (_read(group / "cpu.max") or "max 0").split()
    if quota == "max":
        quota = _read(group / "cpu.cfs_quota_us") or "-1"
        period = _read(group / "cpu.cfs_period_us") or "100000"
    return int(quota) / int(period) if int(quota) > 0 else None


def _left(group: Path) -> int | None:
    """Bytes that a group may still take; None: no limit. What is only cached counts as free."""
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    ):
        most = _read(group / limit)
        if most is None or most == "max":
            continue
        statistics = (_read(group / "memory.stat") or "").splitlines()
        reclaimable = sum(int(line.split()[1]) for line in statistics if line.startswith(cached))
        return max(0, int(most) - int(_read(group / used) or 0) + reclaimable)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return None
