"""Train the network that labels the object under a stroke.

python -m semcolor_worker.training.refinement CORPUS… -o RUN --steps 1500

Strokes are made up on training photos: on regions where the segmentation model (``--weights``; the
bundled one) is wrong, after some others have been corrected. It takes a few minutes on a processor;
after another segmentation model has been trained, this one had better be trained anew.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import NUM_LABELS, UNLABELLED
from semcolor_worker.coloring.refining import cues
from semcolor_worker.coloring.scenes import Scene
from semcolor_worker.corpus.datasets import Pair, find_pairs
from semcolor_worker.corpus.series import split
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.evaluation import read, scene_of, segment
from semcolor_worker.evaluation.strokes import stroke, wrong_regions
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec

from .samples import shares

SPEC = ModelSpec("refinement", "refiner", {}, detail=0, recipe="strokes")
_BATCH = 8
_SMALLEST = 20  # pixels of the grid, of a region that is worth a stroke
_SURPRISING = 0.3  # share of the strokes whose class nobody would have thought of
_RIGHT_BEFORE = 2.0  # what a pixel counts that was right, and must not be spoilt
_RATE = 2e-3


@dataclass(frozen=True)
class Example:
    """A photo, what the segmentation model says of it, and what is true, all on the small grid."""

    scene: Scene
    predicted: LabelMap
    truth: LabelMap


@dataclass(frozen=True)
class Sample:
    """What is known at a stroke, and what belongs to its object."""

    cues: Tensor  # 1×CUES×h×w
    target: Tensor  # 1×1×h×w, 0 or 1
    weight: Tensor  # 1×1×h×w


def example(engine: Engine, pair: Pair) -> Example:
    """From a labelled photo."""
    original = read(pair)
    predicted, scene = segment(engine, original.gray), scene_of(engine, original.gray)
    maps = [
        cv2.resize(ids.numpy(), scene.size[::-1], interpolation=cv2.INTER_NEAREST)
        for ids in (predicted, original.labels)
    ]
    return Example(scene, *maps)


def sample(given: Example, rng: np.random.Generator) -> Sample | None:
    """A stroke on a photo, after some others; None where nothing is wrong enough."""
    ids, painted = given.predicted.copy(), np.zeros(given.truth.shape, np.bool_)
    regions = [r for r in wrong_regions(ids, given.truth) if r[1].sum() >= _SMALLEST]
    if not regions:
        return None
    chosen = int(rng.integers(min(len(regions), 6)))
    for number, (class_id, region) in enumerate(regions):
        if number != chosen and rng.random() < 0.3:
            ids[region] = class_id
            painted |= stroke(region, rng)
    true_class, region = regions[chosen]
    class_id = true_class
    if rng.random() < _SURPRISING:
        nothing = np.full_like(ids, 255)
        everything = [r for r in wrong_regions(nothing, given.truth) if r[1].sum() >= _SMALLEST]
        true_class, region = everything[rng.integers(min(len(everything), 6))]
        class_id = int(rng.integers(1, NUM_LABELS))
    own = stroke(region, rng if rng.random() < 0.7 else None)
    before = ids.copy()
    ids[own] = class_id
    mask = (given.truth == true_class).astype(np.uint8)
    _, numbers = cv2.connectedComponents(mask, connectivity=4)
    target = np.isin(numbers, np.unique(numbers[own])) & (mask > 0)
    weight = (given.truth != UNLABELLED) * np.where(
        (before == given.truth) & ~target, _RIGHT_BEFORE, 1.0
    )
    return Sample(
        cues(given.scene, ids, own, painted | own, class_id),
        torch.from_numpy(target).float()[None, None],
        torch.from_numpy(weight).float()[None, None],
    )


def train(examples: list[Example], out: Path, steps: int) -> Path:
    """Train on strokes on these photos; return the weight file."""
    torch.manual_seed(0)
    model = weights.build(SPEC)
    model.network.train()
    optimiser = torch.optim.AdamW(model.network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, steps)
    samples = _samples(examples)
    bar = tqdm(range(steps), unit="step")
    for _ in bar:
        total = 0.0
        for _ in range(_BATCH):
            one = next(samples)
            logits = model.network(one.cues)
            loss = F.binary_cross_entropy_with_logits(logits, one.target, one.weight)
            loss = loss * one.weight.numel() / one.weight.sum() / _BATCH
            loss.backward()
            total += float(loss)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        bar.set_postfix(loss=f"{total:.3f}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "refinement.safetensors"
    weights.save(path, model)
    return path


def _samples(examples: list[Example]) -> Iterator[Sample]:
    rng = np.random.default_rng(0)
    while True:
        made = sample(examples[rng.integers(len(examples))], rng)
        if made is not None:
            yield made


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="folder of the segmentation model")
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--steps", type=int, default=1500, help=f"of {_BATCH} strokes")
    options = parser.parse_args()
    engine = Engine.load(options.weights, torch.device("cpu"))
    pairs = split(find_pairs(options.corpus)).training
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(pairs), min(options.photos, len(pairs)), False, shares(pairs))
    examples = [example(engine, pairs[number]) for number in tqdm(chosen, unit="photo")]
    print(train(examples, options.output, options.steps))


if __name__ == "__main__":
    main()
