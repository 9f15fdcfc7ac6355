"""`semcolor batch` against a loop of single commands, and against the engine alone.

    python benchmarks/batch.py [--photos 24] [--side 1024] [--jobs 2] [--runs 3]

The loop is a command `semcolor colorize` for each photo; the engine alone labels and colours photos
in this process, from memory to memory, with neither files nor sockets. The worker is warm.
Prints a table and one JSON line.
"""

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import milliseconds, own_worker, ratio, report, resized, run, seconds
from PIL import Image

from semcolor.photos.pixels import Gray
from semcolor.protocol.schema import Colorize, Segment
from semcolor.shared.geometry import Rectangle
from semcolor_worker.engine.engine import Engine
from semcolor_worker.models import weights

COMMAND = [sys.executable, "-m", "semcolor.cli"]
CPU = torch.device("cpu")  # the worker has it too, on a machine without a GPU


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    photo = resized(options.side)
    with own_worker(), tempfile.TemporaryDirectory() as folder:
        report(measure(photo, options.photos, options.jobs, options.runs, Path(folder)))


def measure(photo: Gray, count: int, jobs: int, runs: int, folder: Path) -> dict[str, float]:
    """All three in turns; the first turn only warms up."""
    engine = Engine(*(weights.load_for(task, None) for task in ("color", "segmentation")), CPU)
    shifts = itertools.count(1)  # no photo comes again, as caches know those
    batch, single, alone = [], [], []
    for _ in range(runs + 1):
        scans, out = (Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
        for _ in range(count):
            Image.fromarray(shifted(photo, next(shifts))).save(scans / f"{next(shifts)}.jpg")
        command = [*COMMAND, "batch", str(scans), "-o", str(out), "--jobs", str(jobs), "--quiet"]
        batch.append(seconds(lambda command=command: run(command)) / count)
        files = [folder / f"{next(shifts)}.jpg" for _ in range(count)]
        for file in files:
            Image.fromarray(shifted(photo, next(shifts))).save(file)
        single.append(seconds(lambda files=files: [colorize(file) for file in files]) / count)
        photos = [shifted(photo, next(shifts)) for _ in range(count)]
        alone.append(seconds(lambda photos=photos: [run_alone(engine, p) for p in photos]) / count)
    batch, single, alone = batch[1:], single[1:], alone[1:]
    return {
        "batch_ms_per_photo": milliseconds(batch),
        "single_ms_per_photo": milliseconds(single),
        "engine_ms_per_photo": milliseconds(alone),
        "batch_over_single": ratio(batch, single),
        "batch_over_engine": ratio(batch, alone),
    }


def shifted(photo: Gray, columns: int) -> Gray:
    """The same photo, and another one."""
    return np.ascontiguousarray(np.roll(photo, columns, axis=1))


def colorize(file: Path) -> None:
    """As a loop in a shell does it."""
    run([*COMMAND, "colorize", str(file), "-o", str(file.with_suffix(".out.jpg"))])


def run_alone(engine: Engine, photo: Gray) -> None:
    """Label and colour, and forget."""
    height, width = photo.shape
    whole = Rectangle(0, 0, width, height)
    name = str(photo[0, :64].tobytes())
    engine.put_plane(name, torch.tensor(photo))
    engine.put_plane(name + " labels", engine.segment(Segment(name, whole)))
    engine.colorize(Colorize(name, name + " labels", whole))


if __name__ == "__main__":
    main()
