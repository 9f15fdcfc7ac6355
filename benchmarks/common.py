"""What the benchmarks share: a worker of their own, photos of any size, time and memory."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semcolor.client import local_worker
from semcolor.photos.photo_files import read_photo
from semcolor.photos.pixels import Gray, LabelMap

SAMPLE = Path(__file__).parents[1] / "samples" / "dust-bowl-home.jpg"


@contextlib.contextmanager
def own_worker() -> Iterator[None]:
    """Settings and worker of this run alone; the worker is started by who needs it."""
    with tempfile.TemporaryDirectory() as home:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        try:
            yield
        finally:
            local_worker.stop()


def sample(megapixels: float) -> Gray:
    """The sample photo at about that many pixels, nearest neighbour, uint8."""
    gray = read_photo(SAMPLE).gray
    return _scaled(gray, (megapixels * 1e6 / gray.size) ** 0.5)


def resized(longest: int) -> Gray:
    """The sample photo, its longest side as given, nearest neighbour, uint8."""
    gray = read_photo(SAMPLE).gray
    return _scaled(gray, longest / max(gray.shape))


def _scaled(gray: Gray, factor: float) -> Gray:
    rows, columns = (
        (np.arange(round(side * factor)) / factor).astype(int).clip(max=side - 1)
        for side in gray.shape
    )
    return gray[rows][:, columns]


def patchwork(shape: Sequence[int], seed: int) -> LabelMap:
    """8 × 8 areas of any class, *unlabelled* too."""
    blocks = np.random.default_rng(seed).integers(0, 60, (8, 8)).astype(np.uint8)
    tall = blocks.repeat(-(-shape[0] // 8), 0)[: shape[0]]
    return tall.repeat(-(-shape[1] // 8), 1)[:, : shape[1]]


def run(command: list[str]) -> None:
    """As a user types it."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def seconds(do: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios of neighbouring runs."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def milliseconds(times: list[float], digits: int = 1) -> float:
    """The median."""
    return round(1000 * statistics.median(times), digits)


def memory(pid: int, key: str = "VmRSS") -> float:
    """Resident memory of a process in MB (Linux); with ``VmHWM`` its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return round(int(line.split()[1]) / 1000, 1)
    return float("nan")


def engines(supervisor: int) -> list[int]:
    """Process ids of a worker's engines."""
    command = ["ps", "-o", "pid=", "--ppid", str(supervisor)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(pid) for pid in listed.stdout.split()]


def report(figures: dict[str, Any]) -> None:
    """Print a table and one JSON line."""
    for name, value in figures.items():
        print(f"{name:36} {value}")
    print(json.dumps(figures))
