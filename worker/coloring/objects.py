"""The objects of a label map: connected regions of a class."""

from dataclasses import dataclass

import cv2
import numpy as np

from semcolor.photos.pixels import Flags, LabelMap
from semcolor.shared.classes import UNLABELLED
from semcolor.shared.geometry import Rectangle

MOST = 64
_SMALLEST = 0.001  # of the picture
_NEAR = 2  # pixels at detail


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


def object_at(ids: LabelMap, class_id: int | None, x: int, y: int) -> Flags:
    """h×w: the connected region of a class that a pixel of a label map (h×w) is in.

    At detail a thin object may miss its pixel by a few others; nothing where none is so near.
    ``class_id``: None for whatever class the pixel has.
    """
    height, width = ids.shape
    top, left = max(0, y - _NEAR), max(0, x - _NEAR)
    near = ids[top : max(0, y + _NEAR + 1), left : max(0, x + _NEAR + 1)]
    if class_id is None and 0 <= y < height and 0 <= x < width:
        class_id = int(ids[y, x])
    rows, columns = np.nonzero(near == class_id)
    if not rows.size:
        return np.zeros(ids.shape, bool)
    nearest = np.hypot(rows + top - y, columns + left - x).argmin()
    _, numbers = cv2.connectedComponents((ids == class_id).astype(np.uint8), connectivity=4)
    found: Flags = numbers == numbers[rows[nearest] + top, columns[nearest] + left]
    return found


def _deepest(mask: Flags, region: Rectangle) -> tuple[int, int]:
    part = np.pad(mask[region.rows, region.columns], 1).astype(np.uint8)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return region.x + int(column), region.y + int(row)
