"""Training samples: photo + label map → lightness, labels, chroma, cropped and augmented.

A corpus folder holds ``images/*.jpg|png`` and label maps of the same stem as one-channel PNGs in
``labels_filled/`` (preferred: fuller, some by machine) or ``labels/``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..color import lab_from_rgb
from .recipes import Recipe

HELD_OUT = 40  # one photo in so many is never trained on
_PHOTOS = (".jpg", ".jpeg", ".png")
_LABEL_FOLDERS = ("labels_filled", "labels")


class Pair(NamedTuple):
    """A photograph and its label map."""

    photo: Path
    labels: Path


@dataclass(frozen=True)
class Split:
    """A corpus divided by photo, reproducibly: every HELD_OUT-th of the sorted list is held out."""

    training: list[Pair]
    held_out: list[Pair]


def find_pairs(folders: list[Path]) -> Split:
    """All labelled photos below ``folders``. Raises FileNotFoundError where there is none."""
    pairs = []
    for folder in folders:
        for images in sorted(folder.rglob("images")):
            pairs += [
                Pair(photo, labels)
                for photo in sorted(images.iterdir())
                if photo.suffix.lower() in _PHOTOS and (labels := _labels_of(photo))
            ]
    if not pairs:
        names = ", ".join(map(str, folders))
        raise FileNotFoundError(f"no images/ with labels/ below {names}: see docs/training.md")
    held_out = pairs[::HELD_OUT]
    return Split([pair for i, pair in enumerate(pairs) if i % HELD_OUT], held_out)


def read_pair(pair: Pair) -> tuple[Tensor, Tensor]:
    """A photo as 3×H×W uint8 sRGB and its labels as H×W uint8."""
    with Image.open(pair.photo) as image:
        rgb = np.asarray(image.convert("RGB"))
    with Image.open(pair.labels) as image:
        labels = np.asarray(image)
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1), torch.from_numpy(labels.copy())


class Samples(Dataset[dict[str, Tensor]]):
    """Random crops. An item's key is ``(index, seed)``, so a run is the same however it is cut."""

    def __init__(self, pairs: list[Pair], recipe: Recipe) -> None:
        self.pairs = pairs
        self.recipe = recipe

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """``lightness`` 1×S×S (0..100), ``labels`` S×S int64, ``chroma`` 2×S×S (a*, b*)."""
        index, seed = key
        rng = np.random.default_rng(seed)
        rgb, labels = _augment(*read_pair(self.pairs[index]), self.recipe, rng)
        lab = lab_from_rgb(rgb)
        if self.recipe.model.task == "color":
            labels = _drop_labels(labels, self.recipe, rng)
        return {"lightness": lab[:1], "labels": labels.long(), "chroma": lab[1:]}


class ResumableSampler(Sampler[list[tuple[int, int]]]):
    """Batches of ``(index, seed)``, a function of the step alone: resuming repeats nothing."""

    def __init__(self, size: int, batch: int, first_step: int, steps: int) -> None:
        self.size, self.batch = size, batch
        self.first_step, self.steps = first_step, steps

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in range(self.first_step, self.steps):
            rng = np.random.default_rng(step)
            indices = rng.integers(self.size, size=self.batch).tolist()
            seeds = rng.integers(2**32, size=self.batch).tolist()
            yield list(zip(indices, seeds, strict=True))


def _labels_of(photo: Path) -> Path | None:
    for folder in _LABEL_FOLDERS:
        labels = photo.parent.parent / folder / f"{photo.stem}.png"
        if labels.exists():
            return labels
    return None


def _augment(
    rgb: Tensor, labels: Tensor, recipe: Recipe, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random scale, crop, flip and exposure. Returns 3×S×S float 0..1 and S×S labels."""
    height, width = labels.shape
    side = recipe.crop
    factor = int(rng.integers(recipe.scale[0], recipe.scale[1] + 1)) / max(height, width)
    factor = max(factor, side / min(height, width))
    window = min(side / factor, height, width)  # what the crop shows, in the file's pixels
    top = int(rng.uniform(0, height - window))
    left = int(rng.uniform(0, width - window))
    size = int(window)
    rgb = rgb[:, top : top + size, left : left + size].float() / 255
    labels = labels[top : top + size, left : left + size]
    rgb = torch.nn.functional.interpolate(
        rgb[None], (side, side), mode="bilinear", antialias=True, align_corners=False
    )[0].clamp(0, 1)
    labels = torch.nn.functional.interpolate(labels[None, None].float(), (side, side))[0, 0]
    if rng.random() < 0.5:
        rgb, labels = rgb.flip(-1), labels.flip(-1)
    rgb = rgb ** float(np.exp(rng.normal(0, 0.15)))
    return rgb, labels


def _drop_labels(labels: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Unlabel everything, or some classes: colour has to work from a partial map too."""
    if rng.random() < recipe.empty_labels:
        return torch.zeros_like(labels)
    dropped = torch.from_numpy(rng.random(256) < recipe.dropped_class)
    return torch.where(dropped[labels.long()], 0, labels)
