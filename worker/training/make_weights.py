"""Make the bundled weights, or go on making them: all recipes in turn, then their figures.

python -m semcolor_worker.training.make_weights CORPUS… -o RUNS --minutes 25

Every recipe gets an equal share of the time that is left, in a process of its own, and goes on
from its checkpoint: run it again, on this or another machine, with the same RUNS folder until all
have finished. `RUNS/weights` then holds what `semcolor_worker/weights` does.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

# Task and recipe → the file in the folder of weights. GridNet learns from the first one.
RUNS = {
    ("segmentation", "fast"): "segmentation.safetensors",
    ("segmentation", "gridnet"): "gridnet/segmentation.safetensors",
    ("color", "fast"): "color.safetensors",
    ("color", "full"): "full/color.safetensors",
}


def make_weights(corpus: list[Path], runs: Path, minutes: float) -> None:
    """Train every recipe below ``runs`` for its share of ``minutes``."""
    end = time.monotonic() + 60 * minutes
    for position, ((task, recipe), name) in enumerate(RUNS.items()):
        share = (end - time.monotonic()) / (len(RUNS) - position)
        out = runs / f"{task}-{recipe}"
        _train([task, "--recipe", recipe, "-o", str(out), "--data", *map(str, corpus)], share)
        best = out / f"{task}.safetensors"
        if best.exists():
            target = runs / "weights" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(best, target)


def _train(arguments: list[str], seconds: float) -> None:
    command = [sys.executable, "-m", "semcolor.cli", "train", *arguments]
    print(*command, flush=True)
    process = subprocess.Popen(command)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it saves its checkpoint
        process.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="for all of them together")
    options = parser.parse_args()
    make_weights(options.corpus, options.output, options.minutes)


if __name__ == "__main__":
    main()
