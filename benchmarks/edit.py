"""A stroke against a whole new label map, warm, in the engine.

    python benchmarks/edit.py [--runs 7] [--detail 352 512 1024 2048]

The photo is as large as the detail. Both sides end with the colour of what changed: 64 × 64 pixels
that get another class, or every pixel. Prints a table and one JSON line.
"""

import argparse
import os

os.environ["GOMP_SPINCOUNT"] = "10000"  # as the engine's process has it
# isort: split

import torch
from common import milliseconds, patchwork, ratio, report, resized, seconds

from semcolor.protocol.schema import Recolor
from semcolor.shared.geometry import Rectangle
from semcolor_worker.engine.engine import Engine

SIDE = 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--detail", type=int, nargs="+", default=[352, 512, 1024, 2048])
    options = parser.parse_args()
    engine = Engine.load(None)
    figures: dict[str, float] = {"threads": torch.get_num_threads()}
    for detail in options.detail:
        figures |= measure(engine, detail, options.runs)
    report(figures)


def measure(engine: Engine, detail: int, runs: int) -> dict[str, float]:
    """Both sides in turns; the first two turns only warm up."""
    gray = torch.from_numpy(resized(detail))
    height, width = gray.shape
    photo = f"photo {detail}"
    engine.put_plane(photo, gray)
    painted = ""

    def recolour(labels: str) -> None:
        nonlocal painted
        engine.recolor(Recolor(photo, labels, painted, detail))
        painted = labels

    def whole(run: int) -> None:
        labels = f"whole {detail} {run}"
        engine.put_plane(labels, torch.from_numpy(patchwork(gray.shape, run)))
        recolour(labels)

    def stroke(run: int) -> None:
        region = Rectangle(run * 83 % (width - SIDE), run * 61 % (height - SIDE), SIDE, SIDE)
        pixels = torch.full((region.pixels,), 1 + run % 59, dtype=torch.uint8)
        labels = f"stroke {detail} {run}"
        engine.edit_plane(labels, painted, region, pixels)
        recolour(labels)

    wholes, strokes = [], []
    for run in range(runs + 2):
        wholes.append(seconds(lambda run=run: whole(run)))
        strokes.append(seconds(lambda run=run: stroke(run)))
    wholes, strokes = wholes[2:], strokes[2:]
    return {
        f"stroke_ms_at_{detail}": milliseconds(strokes),
        f"whole_ms_at_{detail}": milliseconds(wholes),
        f"whole_over_stroke_at_{detail}": ratio(wholes, strokes),
    }


if __name__ == "__main__":
    main()
