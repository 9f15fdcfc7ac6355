"""All that is not the network: wire, hashing, labels at detail, full resolution, gamut.

    python benchmarks/roundtrip.py [--megapixels 1 12 24] [--runs 9]

The worker loads a network so small that it costs next to nothing. A whole photo gets a label map
that the worker has never seen; an edit changes 256 × 256 pixels of it and gets the colour that
changed visibly. The sizes are measured in turns. Prints a table and one JSON line.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import milliseconds, own_worker, patchwork, ratio, report, sample, seconds

from semcolor.client import local_worker, settings
from semcolor.client.session import Session
from semcolor.shared.geometry import Rectangle
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec

SIDE = 256  # pixels


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 12.0, 24.0])
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with own_worker(), tempfile.TemporaryDirectory() as folder:
        save_tiny(Path(folder))
        settings.set_weights_folder(Path(folder))
        report(measure(options.megapixels, options.runs))


def save_tiny(folder: Path) -> None:
    """A colour network of a few thousand operations a pixel, random weights, usual detail."""
    torch.manual_seed(0)
    spec = ModelSpec("color", "two_stream_unet", {"widths": [2, 2]}, detail=384)
    weights.save(folder / "color.safetensors", weights.build(spec))


def measure(megapixels: list[float], runs: int) -> dict[str, float]:
    """All sizes in turns; the first two turns only warm up."""
    sessions = {size: Session(local_worker.start(), sample(size)) for size in megapixels}
    wholes: dict[float, list[float]] = {size: [] for size in megapixels}
    edits: dict[float, list[float]] = {size: [] for size in megapixels}
    for run in range(runs + 2):
        for size, session in sessions.items():
            labels = patchwork(session.gray.shape, run)
            wholes[size].append(seconds(lambda s=session, new=labels: whole(s, new)))
            edits[size].append(seconds(lambda s=session, n=run: edit(s, n)))
    figures = {f"whole_ms_at_{size:g}_mp": milliseconds(wholes[size][2:]) for size in megapixels}
    figures |= {f"edit_ms_at_{size:g}_mp": milliseconds(edits[size][2:]) for size in megapixels}
    smallest, largest = min(megapixels), max(megapixels)
    growth = ratio(edits[largest][2:], edits[smallest][2:])
    return figures | {f"edit_at_{largest:g}_over_{smallest:g}_mp": growth}


def whole(session: Session, labels: np.ndarray) -> None:
    """A new label map, and all of the photo."""
    session.set_labels(labels)
    session.colorize(session.whole, 0, lambda *_: None)


def edit(session: Session, run: int) -> None:
    """A changed square."""
    y, x = (run * 97 % (side - SIDE) for side in session.gray.shape)
    region = Rectangle(x, y, SIDE, SIDE)
    session.edit_labels(region, np.full((SIDE, SIDE), 1 + run % 59, np.uint8))
    session.recolor(0, lambda *_: None)


if __name__ == "__main__":
    main()
