"""How much memory a large photo takes: segmented, then coloured, pulled strip by strip.

    python benchmarks/memory.py [--megapixels 60] [--depth 16]

Prints a table and one JSON line.
"""

import argparse

import numpy as np
from common import engines, memory, own_worker, report, sample

from semcolor.client import local_worker
from semcolor.client.session import Session


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=60.0)
    parser.add_argument("--depth", type=int, choices=(8, 16), default=16)
    options = parser.parse_args()
    with own_worker():
        report(measure(options.megapixels, options.depth))


def measure(megapixels: float, depth: int) -> dict[str, float]:
    """Peaks of the worker's processes, and what they have when they are idle."""
    gray = sample(megapixels)
    if depth == 16:
        gray = gray.astype(np.uint16) * 257
    session = Session(local_worker.start(), gray)
    supervisor = session.client.hello().pid
    labels = session.segment(session.whole, 0, lambda *_: None).map
    (engine,) = engines(supervisor)
    segmented = memory(engine, "VmHWM")
    session.set_labels(labels)
    session.colorize(session.whole, 0, lambda *_: None)
    peaks = {"supervisor": memory(supervisor, "VmHWM"), "engine": memory(engine, "VmHWM")}
    return {
        "megapixels": round(gray.size / 1e6, 2),
        "photo_mb": round(gray.nbytes / 1e6, 1),
        "supervisor_peak_mb": peaks["supervisor"],
        "engine_peak_mb": peaks["engine"],
        "of_which_segmenting_mb": segmented,
        "together_peak_mb": round(sum(peaks.values()), 1),
        "engine_now_mb": memory(engine),
        "peak_over_photo": round(sum(peaks.values()) / (gray.nbytes / 1e6), 2),
    }


if __name__ == "__main__":
    main()
