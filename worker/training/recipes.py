"""Recipes: everything that decides how a model is trained, by name."""

from dataclasses import dataclass, replace

from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.color import chroma_bins
from semcolor_worker.corpus.datasets import FULLEST, PARTS
from semcolor_worker.models.weights import ModelSpec

FAST_WIDTHS = (16, 32, 48, 80, 128, 128)
FULL_WIDTHS = (32, 64, 96, 160, 256, 256)


@dataclass(frozen=True)
class Recipe:
    """One way to train one model. Sizes are pixels, ``steps`` are optimiser steps."""

    name: str
    model: ModelSpec
    steps: int
    batch: int
    crop: int  # side of the square training crops
    scale: tuple[int, int]  # the photo's longest side is drawn from this range (inclusive)
    loss: str  # of losses.py
    learning_rate: float = 1e-3
    decay: bool = True  # the rate falls along a cosine
    average: float = 0.998  # decay of the running average of the weights, which is what is saved
    imagenet: bool = False  # the encoder starts from ImageNet weights
    labels: tuple[str, ...] = FULLEST  # which label maps of a corpus it learns from
    squashed: bool = False  # the photo is made square, whatever its shape
    exposure: float = 0.0  # standard deviation of the logarithm of a random gamma
    # Shares of the samples that are …
    aged: float = 0.0  # damaged as old photographs are
    orthochromatic: float = 0.0  # gray as plates blind to red saw it
    predicted_labels: float = 0.0  # labelled by a network (this and the following: colour only)
    empty_labels: float = 0.0  # without any labels
    coarse_labels: float = 0.0  # labelled as with a broad brush
    wrong_labels: float = 0.0  # wrong about one region
    dropped_class: float = 0.0  # unlabelled by class or rectangle

    def unspoilt(self) -> "Recipe":
        """The same without augmentation, for validation."""
        return replace(
            self, exposure=0, aged=0, orthochromatic=0, predicted_labels=0,
            empty_labels=0, coarse_labels=0, wrong_labels=0, dropped_class=0,
        )  # fmt: skip


def _ours(widths: tuple[int, ...]) -> ModelSpec:
    arguments = {
        "widths": widths,
        "slope": 0.1,
        "label_encoding": "embedding",
        "gray_encoder": "efficientnet_lite0",
        "bins": len(chroma_bins()),
    }
    return ModelSpec(
        task="color", network="two_stream_unet", arguments=arguments, detail=384, tone="evened",
        mirrored=True, saturation=1.2,
    )  # fmt: skip


_FAST_COLOR = Recipe(
    name="fast",
    model=_ours(FAST_WIDTHS),
    steps=4900,
    batch=16,
    crop=160,
    scale=(192, 384),
    loss="chroma_and_bins",
    imagenet=True,
    exposure=0.15,
    aged=0.3,
    orthochromatic=0.1,
    predicted_labels=0.25,
    empty_labels=0.1,
    coarse_labels=0.3,
    wrong_labels=0.1,
    dropped_class=0.1,
)
_FULL_COLOR = replace(
    _FAST_COLOR, name="full", model=_ours(FULL_WIDTHS), steps=60_000, batch=32, crop=256
)
_FAST_SEGMENTATION = Recipe(
    name="fast",
    model=ModelSpec(
        task="segmentation",
        network="efficientnet_fpn",
        arguments={},
        detail=320,
        tone="evened",
        mirrored=True,
    ),
    steps=4800,
    batch=16,
    crop=192,
    scale=(208, 352),
    loss="cross_entropy",
    learning_rate=5e-4,
    imagenet=True,
    exposure=0.15,
    aged=0.3,
    orthochromatic=0.1,
)
_GRIDNET = replace(
    _FAST_SEGMENTATION,
    name="gridnet",
    model=ModelSpec(
        task="segmentation",
        network="gridnet",
        arguments={"widths": (8, 16, 32, 64, 128)},
        detail=192,
    ),
    steps=4400,
    crop=128,
    scale=(144, 224),
    learning_rate=1e-3,
    imagenet=False,
    aged=0,
    orthochromatic=0,
)
_PARTS = replace(
    _FAST_SEGMENTATION,
    name="parts",
    model=replace(_FAST_SEGMENTATION.model, arguments={"num_labels": 5}),
    labels=PARTS,
    steps=600,
)
# §2.2, §2.3 and "Training details": 1,000 epochs of 10,103 photos, 360² to crops of 352².
_PAPER_COLOR = Recipe(
    name="paper",
    model=ModelSpec(task="color", network="two_stream_unet", arguments={}, detail=352),
    steps=631_000,
    batch=16,
    crop=352,
    scale=(360, 360),
    squashed=True,
    loss="huber",
    learning_rate=1e-4,
    decay=False,
    average=0.0,
)
_PAPER_SEGMENTATION = replace(
    _PAPER_COLOR,
    model=ModelSpec(task="segmentation", network="gridnet", arguments={}, detail=352),
    loss="cross_entropy",
)
_PAPER_ABLATION = replace(  # §4.1
    _PAPER_COLOR,
    name="paper-without-instance-norm",
    model=replace(_PAPER_COLOR.model, arguments={"instance_norm": False}),
)

RECIPES = (
    _FAST_COLOR, _FULL_COLOR, _FAST_SEGMENTATION, _GRIDNET, _PARTS,
    _PAPER_COLOR, _PAPER_SEGMENTATION, _PAPER_ABLATION,
)  # fmt: skip


def recipe(task: str, name: str) -> Recipe:
    """The recipe of that name for a task. Raises SemcolorError (NO_RECIPE)."""
    by_name = {entry.name: entry for entry in RECIPES if entry.model.task == task}
    if name not in by_name:
        raise SemcolorError(Code.NO_RECIPE, name=name, task=task, known=", ".join(by_name))
    return by_name[name]
