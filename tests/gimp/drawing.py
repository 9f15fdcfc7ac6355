"""A label map for tests, and its classes."""

import numpy as np

from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes

SKY, GRASS, WATER, TREE = (
    next(entry.id for entry in all_classes() if entry.name == name)
    for name in ("sky", "grass", "water", "tree")
)
SIZE = (246, 320)  # of the photo in these tests: height, width
SOFT = "#123456"  # no class's colour


def hexed(class_id: int) -> str:
    return all_classes()[class_id].hex


def draw() -> LabelMap:
    """Sky above grass, with a pond, and nothing at the left."""
    ids = np.full(SIZE, SKY, np.uint8)
    ids[120:] = GRASS
    ids[150:190, 100:180] = WATER
    ids[:, :20] = 0
    return ids
