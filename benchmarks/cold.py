"""From the command to the colour: with no worker, with one, and in a process without semcolor's.

    python benchmarks/cold.py [--runs 7]

The other side is what a plug-in does that keeps nothing loaded: a fresh process imports PyTorch,
loads the same network, colours the same photo by the same labels and writes the same file. Prints
a table and one JSON line.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import SAMPLE, milliseconds, own_worker, patchwork, ratio, report, run, seconds

from semcolor.client import local_worker
from semcolor.photos.label_files import read_label_map, write_label_map
from semcolor.photos.photo_files import read_photo, write_photo


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--fresh", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fresh:
        colour_alone(*options.fresh)
    else:
        with own_worker(), tempfile.TemporaryDirectory() as folder:
            report(measure(options.runs, Path(folder)))


def measure(runs: int, folder: Path) -> dict[str, float]:
    """All three in turns; the first turn only fills the disk's cache."""
    labels, ours, theirs = (folder / name for name in ("labels.png", "ours.png", "theirs.png"))
    write_label_map(labels, patchwork(read_photo(SAMPLE).gray.shape, 0))
    colorize = [sys.executable, "-m", "semcolor.cli", "colorize", str(SAMPLE)]
    colorize += ["--labels", str(labels), "-o", str(ours), "--force"]
    alone = [sys.executable, __file__, "--fresh", str(labels), str(theirs)]
    fresh, cold, warm = [], [], []
    for _ in range(runs + 1):
        fresh.append(seconds(lambda: run(alone)))
        local_worker.stop()
        cold.append(seconds(lambda: run(colorize)))
        warm.append(seconds(lambda: run(colorize)))
    difference = np.abs(read_photo(ours).gray.astype(int) - read_photo(theirs).gray).max()
    assert difference <= 1, "both sides must colour alike"
    fresh, cold, warm = fresh[1:], cold[1:], warm[1:]
    return {
        "fresh_process_ms": milliseconds(fresh),
        "first_command_ms": milliseconds(cold),
        "next_command_ms": milliseconds(warm),
        "first_over_fresh": ratio(cold, fresh),
        "next_over_fresh": ratio(warm, fresh),
    }


def colour_alone(labels: Path, output: Path) -> None:
    """Load the network, colour the photo, forget the network."""
    import torch

    from semcolor.protocol.schema import Colorize
    from semcolor.shared.geometry import Rectangle
    from semcolor_worker.engine.engine import Engine
    from semcolor_worker.models import weights

    photo = read_photo(SAMPLE)
    model = weights.load_for("color", None)
    engine = Engine(model, model, torch.device("cpu"))  # asked for one task
    engine.put_plane("photo", torch.tensor(photo.gray))
    engine.put_plane("labels", torch.tensor(read_label_map(labels)))
    height, width = photo.gray.shape
    rgb = engine.colorize(Colorize("photo", "labels", Rectangle(0, 0, width, height)))
    write_photo(output, rgb.numpy(), photo)


if __name__ == "__main__":
    main()
