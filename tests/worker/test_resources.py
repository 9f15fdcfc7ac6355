"""Cores and memory of containers, from copies of what Linux shows there."""

import os
from types import SimpleNamespace

import psutil
import pytest
import torch

from semcolor_worker import resources
from semcolor_worker.engine import memory

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Writes files below a root; eight threads on four cores, 8 GiB available."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    write({topology.format(cpu): f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)})
    free = SimpleNamespace(available=8 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    return write


def test_outside_containers(machine, tmp_path, monkeypatch):
    root = machine({"proc/self/cgroup": "0::/"})
    assert resources.cores(root) == 4
    assert resources.available_memory(root) == 8 * GIB
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4, 5})
    assert resources.cores(root) == 2
    assert resources.cores(tmp_path / "nothing") == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 8 if logical else None)
    assert resources.cores() == 8  # Windows in a virtual machine may not know of more


def test_control_groups_version_2(machine):
    slice_, group = "sys/fs/cgroup/user.slice", "sys/fs/cgroup/user.slice/worker.scope"
    root = machine({
        "proc/self/cgroup": "0::/user.slice/worker.scope",
        f"{group}/cpu.max": "max 100000",
        f"{group}/memory.max": "max",
        f"{slice_}/cpu.max": "150000 100000",
        f"{slice_}/memory.max": 4 * GIB,
        f"{slice_}/memory.current": 3 * GIB,
        f"{slice_}/memory.stat": f"anon {GIB}\ninactive_file {2 * GIB}",
    })  # fmt: skip
    assert resources.cores(root) == 2
    assert resources.available_memory(root) == 3 * GIB


def test_control_groups_version_1(machine):
    """The container sees its own group at the root, and its path outside."""
    root = machine({
        "proc/self/cgroup": "5:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 2 * GIB,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": GIB,
        "sys/fs/cgroup/memory/memory.stat": "cache 0\ntotal_inactive_file 0",
    })  # fmt: skip
    assert resources.cores(root) == 1
    assert resources.available_memory(root) == GIB


def test_processes_that_linux_killed_for_lack_of_memory(machine, tmp_path):
    root = machine({"proc/vmstat": "nr_free_pages 7\noom_kill 3\noom_kill_other 9"})
    assert resources.oom_kills(root) == 3
    assert resources.oom_kills(tmp_path / "nothing") == 0


def test_engines_share_what_there_is(monkeypatch):
    monkeypatch.setattr(resources, "cores", lambda: 4)
    monkeypatch.setattr(resources, "available_memory", lambda: 4 * GIB)
    assert [resources.threads(engines) for engines in (1, 2, 3, 8)] == [4, 2, 1, 1]
    assert resources.plane_budget(1) == GIB // 2
    assert 4 * resources.plane_budget(3) == GIB
    monkeypatch.setattr(resources, "available_memory", lambda: 64 * GIB)
    assert resources.plane_budget(1) == GIB


def test_all_caches_together_leave_half_of_the_free_memory(monkeypatch):
    """60 megapixels of 16 bits and their labels take 180 MB in each process."""
    for module in ("resources", "engine.memory"):
        monkeypatch.setattr(f"semcolor_worker.{module}.available_memory", lambda: 4 * GIB)
    planes, results = resources.plane_budget(1), memory.feature_budget(torch.device("cpu"))
    assert 2 * planes + results <= 2 * GIB
    assert planes >= 2 * 180e6


def test_what_a_process_uses():
    used = resources.processor_time(os.getpid())
    assert used is not None
    assert used > 0
    assert resources.resident_memory(os.getpid()) > 10e6
    assert resources.processor_time(1 << 22) is None
    assert resources.resident_memory(1 << 22) == 0
