"""What this machine, or the container that the worker runs in, has: cores and memory."""

import contextlib
import ctypes
import math
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

PLANES_AT_MOST = 1 << 30  # bytes, in one process
_PLANES_SHARE = 0.25  # of the memory that is free, all processes together


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
    if not hasattr(os, "sched_getaffinity"):  # not Linux
        return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    topology = (
        root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list" for cpu in usable
    )
    count = len({_read(path) or path for path in topology})
    quotas = (_quota(group) for group in _groups(root, "cpu"))
    return max(1, min([count, *(math.ceil(quota) for quota in quotas if quota)]))


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping, within the container's limit."""
    groups = [_left(group) for group in _groups(root, "memory")]
    available: int = psutil.virtual_memory().available
    return min([available, *(left for left in groups if left is not None)])


def oom_kills(root: Path = Path("/")) -> int:
    """How many processes Linux has killed for lack of memory so far; 0 where it does not tell."""
    for line in (_read(root / "proc/vmstat") or "").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def processor_time(pid: int) -> float | None:
    """Seconds that a process has used of the processor so far; None where there is none."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    used: float = times.user + times.system
    return used


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process has now; 0 where there is none."""
    try:
        used: int = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0
    return used


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
