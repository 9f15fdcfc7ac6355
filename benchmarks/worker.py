"""What the worker adds to the network: time, memory, start-up.

    python benchmarks/worker.py [--megapixels 1] [--runs 15]

Both sides of each ratio are measured in this one run, in turns. Prints a table and one JSON line.
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["GOMP_SPINCOUNT"] = "10000"  # as the engine's process has it
# isort: split

import numpy as np
import torch
from semcolor_worker import weights
from semcolor_worker.engine import detail_size

from semcolor import local_worker
from semcolor.client import Session
from semcolor.photos import read_photo

SAMPLE = Path(__file__).parents[1] / "samples" / "dust-bowl-home.jpg"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        start = seconds(start_and_ask)
        figures = measure(options.megapixels, options.runs)
        local_worker.stop()
    figures = {"start_to_status_s": round(start, 3), **figures}
    for name, value in figures.items():
        print(f"{name:36} {value}")
    print(json.dumps(figures))


def start_and_ask() -> None:
    """`semcolor worker start`, then `status`, as a user types them."""
    for action in ("start", "status"):
        command = [sys.executable, "-m", "semcolor.cli", "worker", action]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure(megapixels: float, runs: int) -> dict[str, float]:
    """The network alone against a whole colorize, in turns."""
    gray = scaled(read_photo(SAMPLE).gray, megapixels)
    session = Session(local_worker.start(), gray)
    model = weights.load(weights.bundled("color"))
    plain = copy.deepcopy(model.network).to(memory_format=torch.contiguous_format)
    size = detail_size(torch.Size(gray.shape), 0, model)
    light = torch.rand(1, 1, *size) * 100
    labels = torch.randint(0, 60, (1, *size))

    def forward() -> None:
        with torch.inference_mode():
            model.chroma(model.network(model.normalise(light), labels))

    def plain_forward() -> None:
        with torch.inference_mode():
            plain(model.normalise(light), labels)

    def colorize() -> None:
        """A label map that the worker has not seen, so nothing of its result is cached."""
        session.colorize(session.whole, 0, lambda *_: None)

    def new_labels(seed: int) -> None:
        blocks = np.random.default_rng(seed).integers(0, 60, (8, 8)).astype(np.uint8)
        tall = blocks.repeat(-(-gray.shape[0] // 8), 0)[: gray.shape[0]]
        session.set_labels(tall.repeat(-(-gray.shape[1] // 8), 1)[:, : gray.shape[1]])

    network, eager, whole = [], [], []
    for run in range(runs + 2):
        new_labels(run)
        network.append(seconds(forward))
        eager.append(seconds(plain_forward))
        whole.append(seconds(colorize))
    network, eager, whole = network[2:], eager[2:], whole[2:]  # warm
    supervisor = session.client.hello().pid
    return {
        "megapixels": round(gray.size / 1e6, 2),
        "network_forward_ms": round(1000 * statistics.median(network), 1),
        "plain_eager_forward_ms": round(1000 * statistics.median(eager), 1),
        "colorize_ms": round(1000 * statistics.median(whole), 1),
        "colorize_over_forward": ratio(whole, network),
        "colorize_over_plain_forward": ratio(whole, eager),
        "supervisor_peak_mb": peak_memory(supervisor),
        "of_which_photos_and_labels_mb": round(session.client.status().planes_bytes / 1e6, 1),
    }


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios of neighbouring runs."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def scaled(gray: np.ndarray, megapixels: float) -> np.ndarray:
    """The photo at about that many pixels, nearest neighbour."""
    factor = (megapixels * 1e6 / gray.size) ** 0.5
    rows, columns = (
        (np.arange(round(side * factor)) / factor).astype(int).clip(max=side - 1)
        for side in gray.shape
    )
    return gray[rows][:, columns]


def seconds(do: Callable[[], None]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def peak_memory(pid: int) -> float:
    """Peak resident memory of a process in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1000, 1)
    return float("nan")


if __name__ == "__main__":
    main()
