"""Training samples: photo + label map → lightness, labels, chroma, cropped and augmented."""

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset, Sampler

from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.color import lab_from_rgb
from semcolor_worker.corpus.datasets import Pair, has_parts, predicted_path, read_pair, source
from semcolor_worker.tone import Tone

from . import augmentation
from .recipes import Recipe

_THUMBNAIL = 64  # pixels


class LoaderError(Exception):
    """A SemcolorError on its way out of a loader's process: PyTorch lets one text pass."""

    @classmethod
    def of(cls, error: SemcolorError) -> "LoaderError":
        """To be raised in its place."""
        return cls(json.dumps([error.code, dict(error.parameters)]))

    def failure(self) -> SemcolorError:
        """The error itself; PyTorch puts a traceback before it."""
        code, parameters = json.loads(str(self).rpartition(f"{type(self).__name__}: ")[2])
        return SemcolorError(Code(code), **parameters)


class Samples(Dataset[dict[str, Tensor]]):
    """Random crops. An item's key is ``(index, seed)``, so a run is the same however it is cut.

    Raises LoaderError for a photo that cannot be read.
    """

    def __init__(self, pairs: list[Pair], recipe: Recipe) -> None:
        self.pairs = pairs
        self.recipe = recipe

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """``lightness`` 1×S×S (0..100), ``labels`` S×S int64, ``chroma`` 2×S×S (a*, b*)."""
        index, seed = key
        rng = np.random.default_rng(seed)
        pair = self.pairs[index]
        if rng.random() < self.recipe.predicted_labels:
            pair = _predicted(pair)
        try:
            pictures = read_pair(pair)
        except SemcolorError as error:
            raise LoaderError.of(error) from None
        rgb, labels = _crop(*pictures, self.recipe, rng)
        gamma = float(np.exp(rng.normal(0, self.recipe.exposure)))
        rgb = rgb**gamma
        lightness = _lightness(rgb, _small(pictures[0]) ** gamma, self.recipe, rng)
        if self.recipe.model.task == "color":
            labels = _spoil_labels(labels, self.recipe, rng)
        return {
            "lightness": lightness,
            "labels": labels.long(),
            "chroma": lab_from_rgb(rgb)[1:],
        }


def shares(pairs: list[Pair]) -> npt.NDArray[np.float64]:
    """How often each photo is seen: of a source four times as large, photos half as often.

    Small sources are small because such photos are hard to come by, not because they matter less.
    Photos with labels of persons' parts are seen twice as often: old photographs are of people.
    """
    photos = Counter(source(pair.photo) for pair in pairs)
    weights = np.array(
        [(1 + has_parts(pair)) * photos[source(pair.photo)] ** -0.5 for pair in pairs]
    )
    normalised: npt.NDArray[np.float64] = weights / weights.sum()
    return normalised


class ResumableSampler(Sampler[list[tuple[int, int]]]):
    """Batches of ``(index, seed)``, a function of the step alone: resuming repeats nothing.

    ``shares``: the probability of each photo. Of each batch, process ``rank`` of ``processes`` gets
    every ``processes``-th sample.
    """

    def __init__(
        self, shares: npt.NDArray[np.float64], batch: int, first_step: int, steps: int,
        rank: int = 0, processes: int = 1,
    ) -> None:  # fmt: skip
        self.cumulated, self.batch = shares.cumsum(), batch
        self.first_step, self.steps = first_step, steps
        self.rank, self.processes = rank, processes

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step in range(self.first_step, self.steps):
            rng = np.random.default_rng(step)
            chance = rng.random(self.batch) * self.cumulated[-1]
            indices = self.cumulated.searchsorted(chance, side="right").tolist()
            seeds = rng.integers(2**32, size=self.batch).tolist()
            keys = list(zip(indices, seeds, strict=True))
            yield keys[self.rank :: self.processes]


def _predicted(pair: Pair) -> Pair:
    """With the label map that a network predicted, where there is one."""
    path = predicted_path(pair.photo)
    return Pair(pair.photo, path) if path.exists() else pair


def _crop(
    rgb: Tensor, labels: Tensor, recipe: Recipe, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random scale, crop and flip. Returns 3×S×S float 0..1 and S×S labels."""
    height, width = labels.shape
    side = recipe.crop
    scale = int(rng.integers(recipe.scale[0], recipe.scale[1] + 1))
    if recipe.squashed:
        rows, columns = int(height * side / scale), int(width * side / scale)
    else:
        factor = max(scale / max(height, width), side / min(height, width))
        rows = columns = min(int(side / factor), height, width)
    top = int(rng.uniform(0, height - rows))
    left = int(rng.uniform(0, width - columns))
    rgb = rgb[:, top : top + rows, left : left + columns].float() / 255
    labels = labels[top : top + rows, left : left + columns]
    rgb = F.interpolate(
        rgb[None], (side, side), mode="bilinear", antialias=True, align_corners=False
    )[0].clamp(0, 1)
    labels = F.interpolate(labels[None, None], (side, side))[0, 0]
    if rng.random() < 0.5:
        rgb, labels = rgb.flip(-1), labels.flip(-1)
    return rgb, labels


def _small(rgb: Tensor) -> Tensor:
    """The whole photo, 3×H×W uint8, as a thumbnail of floats 0..1: enough to know its tone by."""
    return F.interpolate(rgb[None].float() / 255, (_THUMBNAIL, _THUMBNAIL), mode="area")[0]


def _lightness(rgb: Tensor, thumbnail: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """What the network sees of a crop, 1×S×S L*: exposed, evened out if it is to be, and aged."""
    is_old = rng.random() < recipe.orthochromatic
    plate = augmentation.orthochromatic(rng) if is_old else augmentation.PANCHROMATIC
    lightness = augmentation.exposed(rgb, plate)
    evened = recipe.model.tone == "evened"
    if evened:
        lightness = Tone.evening(augmentation.exposed(thumbnail, plate)).applied(lightness)
    return augmentation.age(lightness, rng, evened) if rng.random() < recipe.aged else lightness


def _spoil_labels(labels: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """What the colour network has to expect: no map, or a partial, coarse, partly wrong one."""
    if rng.random() < recipe.empty_labels:
        return torch.zeros_like(labels)
    if rng.random() < recipe.coarse_labels:
        labels = augmentation.coarsen(labels, rng)
    if rng.random() < recipe.wrong_labels:
        labels = augmentation.mislabel(labels, rng)
    return augmentation.unlabel(labels, recipe.dropped_class, rng)
