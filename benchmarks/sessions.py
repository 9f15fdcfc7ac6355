"""Several restorers on one worker: each paints, and waits for the colour, without a pause.

    python benchmarks/sessions.py [--seconds 60] [--clients 1 4 16] [--megapixels 1]

Each client has a photo and labels of its own. An edit is a square of 64 px in another class; it
lasts until its colour is back at the client. The first edits, which fill the worker's caches, are
not measured. Prints a table and one JSON line.
"""

import argparse
import statistics
import threading
import time
from typing import Any

import numpy as np
from common import engines, memory, own_worker, patchwork, report, sample

from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.geometry import Rectangle

SIDE = 64  # pixels
REST_SECONDS = 10.5  # after so long the next job makes the worker give memory back
WARM_UP = 300  # edits, and 12 of each client: more than the worker remembers of a photo


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--megapixels", type=float, default=1.0)
    options = parser.parse_args()
    figures: dict[str, Any] = {"seconds": options.seconds}
    with own_worker():
        for clients in options.clients:
            found = measure(clients, options.seconds, options.megapixels)
            figures |= {f"{clients}_{name}": value for name, value in found.items()}
    one = figures[f"{options.clients[0]}_edits_per_s"]
    for clients in options.clients[1:]:
        share = figures[f"{clients}_edits_per_s"] / one
        figures[f"{clients}_throughput_over_{options.clients[0]}"] = round(share, 3)
    report(figures)


def measure(clients: int, seconds: float, megapixels: float) -> dict[str, float]:
    """So many clients at once, for so long."""
    gray = sample(megapixels)
    painters = [Painter(gray, number) for number in range(clients)]
    for _ in range(WARM_UP // clients + 12):
        for painter in painters:
            painter.edit()
    before = memory_at_rest(painters[0])
    start = threading.Barrier(clients + 1)
    threads = [
        threading.Thread(target=painter.paint, args=(start, seconds)) for painter in painters
    ]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    resident = []
    while any(thread.is_alive() for thread in threads):
        resident.append(worker_memory())
        time.sleep(min(1.0, seconds / 20))
    elapsed = time.perf_counter() - begin
    times = sorted(time for painter in painters for time in painter.times)
    waits = [statistics.mean(painter.times) for painter in painters]
    return {
        "edits_per_s": round(len(times) / elapsed, 2),
        "p50_ms": round(1000 * times[len(times) // 2], 1),
        "p95_ms": round(1000 * times[len(times) * 95 // 100], 1),
        "fairness": round(min(waits) / max(waits), 3),
        "memory_mb": round(statistics.median(resident), 1),
        "peak_mb": round(max(resident), 1),
        "memory_growth": round(memory_at_rest(painters[0]) / before, 3),
    }


class Painter:
    """A client that paints one square after the other on a photo of its own."""

    def __init__(self, gray: np.ndarray, number: int) -> None:
        own = np.roll(gray, 16 * number, axis=0)
        self._session = Session(ZmqWorkerClient(local_worker.start().connection), own)
        self._session.set_labels(patchwork(gray.shape, number))
        self._random = np.random.default_rng(number)
        self.times: list[float] = []

    def paint(self, start: threading.Barrier, seconds: float) -> None:
        """Edit for so long."""
        start.wait()
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            self.edit()
            self.times.append(time.perf_counter() - begin)

    def edit(self) -> None:
        """Paint a square and get its colour."""
        height, width = self._session.gray.shape
        x, y = (int(self._random.integers(0, side - SIDE)) for side in (width, height))
        ids = np.full((SIDE, SIDE), self._random.integers(1, 60), np.uint8)
        self._session.edit_labels(Rectangle(x, y, SIDE, SIDE), ids)
        self._session.recolor(0, lambda *_: None)


def memory_at_rest(painter: Painter) -> float:
    """The worker's when it has just given back what is free, which it does now and then."""
    time.sleep(REST_SECONDS)
    painter.edit()
    return worker_memory()


def worker_memory() -> float:
    """Of the supervisor and its engines together, in MB."""
    supervisor = local_worker.start().hello().pid
    return sum(map(memory, (supervisor, *engines(supervisor))))


if __name__ == "__main__":
    main()
