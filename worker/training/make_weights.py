"""Make the bundled weights, or go on making them: all recipes in turn.

python -m semcolor_worker.training.make_weights CORPUS… -o RUNS --minutes 25

Every recipe gets an equal share of the time that is left and goes on from its checkpoint: run it
again, on this or another machine, with the same RUNS folder until all have finished.
`RUNS/weights` then holds what `semcolor_worker/models/bundled` does.
"""

import argparse
import shutil
import time
from pathlib import Path

from .loop import train
from .recipes import Recipe, recipe

# Task and recipe → the file in the folder of weights.
RUNS = {
    ("segmentation", "fast"): "segmentation.safetensors",
    ("segmentation", "gridnet"): "gridnet/segmentation.safetensors",
    ("color", "fast"): "color.safetensors",
    ("color", "full"): "full/color.safetensors",
}


def make_weights(recipes: dict[Path, Recipe], corpus: list[Path], runs: Path, end: float) -> bool:
    """Train every recipe for its share of the time; True when all have finished.

    ``recipes``: by the path below ``runs/weights`` that gets the best weights so far. ``end``: by
    ``time.monotonic()``.
    """
    finished = True
    for position, (name, entry) in enumerate(recipes.items()):
        share = (end - time.monotonic()) / (len(recipes) - position)
        out = runs / f"{entry.model.task}-{entry.name}"
        try:
            train(entry, corpus, out, until=time.monotonic() + share)
        except KeyboardInterrupt:
            finished = False
        best = out / f"{entry.model.task}.safetensors"
        if best.exists():
            target = runs / "weights" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(best, target)
    return finished


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="for all of them together")
    options = parser.parse_args()
    recipes = {Path(name): recipe(*key) for key, name in RUNS.items()}
    end = time.monotonic() + 60 * options.minutes
    finished = make_weights(recipes, options.corpus, options.output, end)
    print("all have finished" if finished else "run it again to go on")


if __name__ == "__main__":
    main()
