"""How many strokes a label map takes: plain ones, snapped to edges, and ones that label objects.

python benchmarks/strokes.py CORPUS… [--photos 60] [--weights DIR]

A made-up restorer begins with the predicted map and paints the largest connected thing that is
wrong, a third of its length, until 90% of the pixels that were labelled by hand are right; photos
where they are from the beginning are left out. *Spoilt* is the share of right pixels that a stroke
makes wrong.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from semcolor.protocol.planes import plane_digest
from semcolor.protocol.schema import Refine, Segment, Snap
from semcolor.shared.geometry import Rectangle
from semcolor_worker.corpus.datasets import Pair, find_pairs
from semcolor_worker.corpus.series import split
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.evaluation import by_hand, read
from semcolor_worker.evaluation.strokes import stroke, wrong_regions

ENOUGH = 0.9
MOST = 20  # strokes; a photo that takes more counts as this many


class Restorer:
    """One photo whose map is being corrected."""

    def __init__(self, engine: Engine, pair: Pair) -> None:
        original = read(pair)
        assert original.by_hand is not None
        self.engine, self.truth = engine, original.by_hand.numpy()
        self.photo = self.put(original.gray.numpy())
        height, width = self.truth.shape
        self.whole = Rectangle(0, 0, width, height)
        self.predicted = engine.segment(Segment(self.photo, self.whole)).numpy()

    def put(self, plane: np.ndarray) -> str:
        """Give a plane to the engine; returns its digest."""
        height, width = plane.shape
        digest = plane_digest(width, height, 8, plane.tobytes())
        self.engine.put_plane(digest, torch.from_numpy(plane.copy()))
        return digest

    def right(self, ids: np.ndarray) -> np.ndarray:
        """Which pixels are right."""
        return (ids == self.truth) & (self.truth > 0)

    def share(self, ids: np.ndarray) -> float:
        """Of the labelled pixels, how many are right."""
        return self.right(ids).sum() / max(1, (self.truth > 0).sum())

    def correct(self, follow: Callable[..., tuple[Rectangle, np.ndarray]] | None) -> dict:
        """Paint until it is right; ``follow``: what the worker does after each stroke."""
        ids, painted = self.predicted.copy(), np.zeros(self.truth.shape, np.uint8)
        strokes, spoilt, seconds = 0, [], []
        while self.share(ids) < ENOUGH and strokes < MOST:
            class_id, region = wrong_regions(ids, self.truth)[0]
            own = stroke(region)
            before = self.right(ids)
            ids[own], painted[own] = class_id, 255
            strokes += 1
            if follow:
                rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
                place = Rectangle(
                    int(columns[0]), int(rows[0]),
                    int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1),
                )  # fmt: skip
                labels, mask = self.put(ids), self.put(painted)
                start = time.perf_counter()
                changed, new = follow(self, labels, mask, place, class_id)
                seconds.append(time.perf_counter() - start)
                if changed:
                    ids[changed.rows, changed.columns] = new
            spoilt.append((before & ~self.right(ids)).sum() / max(1, before.sum()))
        return {"strokes": strokes, "spoilt": spoilt, "seconds": seconds}


def snapped(self: Restorer, labels: str, _: str, place: Rectangle, class_id: int):
    """What *Snap to Edges* makes of a stroke."""
    return self.engine.snap(Snap(self.photo, labels, place, class_id))


def refined(self: Restorer, labels: str, mask: str, place: Rectangle, class_id: int):
    """What `refine` makes of a stroke."""
    return self.engine.refine(Refine(self.photo, labels, place, class_id, mask))


WAYS = {"plain strokes": None, "Snap to Edges": snapped, "refine": refined}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    engine = Engine.load(options.weights, torch.device("cpu"))
    pairs = [pair for pair in split(find_pairs(options.corpus)).held_out if by_hand(pair)]
    restorers = []
    for pair in pairs[:: math.ceil(len(pairs) / options.photos)]:
        restorer = Restorer(engine, pair)
        if (restorer.truth > 0).any() and restorer.share(restorer.predicted) < ENOUGH:
            restorers.append(restorer)
    print(f"{len(restorers)} photos are less than {ENOUGH:.0%} right when they are opened")
    for name, way in WAYS.items():
        found = [restorer.correct(way) for restorer in restorers]
        strokes = [photo["strokes"] for photo in found]
        spoilt = np.concatenate([photo["spoilt"] for photo in found])
        seconds = [s for photo in found for s in photo["seconds"]]
        unfinished = sum(count == MOST for count in strokes)
        line = f"{name:14} strokes: median {np.median(strokes):.0f}, mean {np.mean(strokes):.2f}"
        line += f" ({unfinished} not done after {MOST}); spoilt {spoilt.mean():.2%} a stroke,"
        line += f" over 1% by {(spoilt > 0.01).mean():.0%} of them"
        print(line + (f"; {1000 * np.median(seconds):.0f} ms" if seconds else ""), flush=True)


if __name__ == "__main__":
    main()
