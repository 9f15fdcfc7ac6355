"""Recipes: everything that decides how a model is trained, by name."""

from dataclasses import dataclass

from ..weights import ModelSpec

FAST_WIDTHS = (16, 32, 48, 80, 128, 128)


@dataclass(frozen=True)
class Recipe:
    """One way to train one model. Sizes are pixels, ``steps`` are optimiser steps."""

    name: str
    model: ModelSpec
    steps: int
    batch: int
    crop: int  # side of the square training crops
    scale: tuple[int, int]  # the photo's longest side is drawn from this range
    learning_rate: float = 1e-3
    average: float = 0.998  # decay of the running average of the weights, which is what is saved
    empty_labels: float = 0.1  # share of samples that see no labels at all (colour only)
    dropped_class: float = 0.1  # chance of each class to become unlabelled (colour only)


_RECIPES = (
    Recipe(
        name="fast",
        model=ModelSpec(
            task="color",
            network="two_stream_unet",
            arguments={"widths": FAST_WIDTHS, "slope": 0.1, "label_encoding": "embedding"},
            detail=384,
        ),
        steps=3600,
        batch=16,
        crop=160,
        scale=(224, 416),
    ),
    Recipe(
        name="fast",
        model=ModelSpec(
            task="segmentation",
            network="gridnet",
            arguments={"widths": (8, 16, 32, 64, 128)},
            detail=192,
        ),
        steps=4400,
        batch=16,
        crop=128,
        scale=(144, 224),
    ),
)


def recipe(task: str, name: str) -> Recipe:
    """The recipe of that name for a task. Raises KeyError with the names there are."""
    by_name = {entry.name: entry for entry in _RECIPES if entry.model.task == task}
    if name not in by_name:
        raise KeyError(f"no recipe “{name}” for {task}: there is {', '.join(by_name)}")
    return by_name[name]
