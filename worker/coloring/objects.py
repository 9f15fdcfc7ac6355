"""The objects of a label map: connected regions of a class."""

from dataclasses import dataclass

import cv2
import numpy as np

from semcolor.photos.pixels import Flags, LabelMap
from semcolor.shared.classes import UNLABELLED
from semcolor.shared.geometry import Rectangle

MOST = 64
_SMALLEST = 0.001  # of the picture


@dataclass(frozen=True)
class Object:
    """One of them: ``mask`` h×w, the rectangle around it, and the place deepest in it (x, y)."""

    class_id: int
    mask: Flags
    region: Rectangle
    inside: tuple[int, int]


def objects(ids: LabelMap) -> list[Object]:
    """The largest of a label map (h×w), the largest first."""
    found: list[tuple[int, int, Flags, Rectangle]] = []
    for class_id in np.unique(ids[ids != UNLABELLED]).tolist():
        same = (ids == class_id).astype(np.uint8)
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(same, connectivity=4)
        for number, (x, y, width, height, area) in enumerate(stats.tolist()):
            if number and area >= _SMALLEST * ids.size:
                found.append((area, class_id, numbers == number, Rectangle(x, y, width, height)))
    found.sort(key=lambda entry: -entry[0])
    return [
        Object(class_id, mask, region, _deepest(mask, region))
        for _, class_id, mask, region in found[:MOST]
    ]


def _deepest(mask: Flags, region: Rectangle) -> tuple[int, int]:
    part = np.pad(mask[region.rows, region.columns], 1).astype(np.uint8)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return region.x + int(column), region.y + int(row)
