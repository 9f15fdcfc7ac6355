"""A restorer who corrects a label map: one stroke at a time, on the largest thing that is wrong."""

import cv2
import numpy as np
import numpy.typing as npt

from semcolor.photos.pixels import Flags, LabelMap
from semcolor.shared.classes import UNLABELLED

_LENGTH = 1 / 3  # of the region, is what a stroke is long
_THICKNESS = 1 / 3  # of the deepest place, is what a brush's radius is

Rng = np.random.Generator


def wrong_regions(labels: LabelMap, truth: LabelMap) -> list[tuple[int, Flags]]:
    """The true class and the H×W place of each connected region that is wrong; largest first."""
    wrong = (labels != truth) & (truth != UNLABELLED)
    regions = []
    for class_id in np.unique(truth[wrong]).tolist():
        mask = (wrong & (truth == class_id)).astype(np.uint8)
        count, numbers = cv2.connectedComponents(mask, connectivity=4)
        regions += [(class_id, numbers == number) for number in range(1, count)]
    return sorted(regions, key=lambda region: -int(region[1].sum()))


def stroke(region: Flags, rng: Rng | None = None) -> Flags:
    """A straight stroke inside a region, a third of its length, through its deepest place.

    With ``rng`` it begins somewhere else, is longer or shorter, and turned a little.
    """
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(region)
    points = np.stack([columns, rows], 1).astype(np.float64)
    _, axes = np.linalg.eigh(np.cov((points - points.mean(0)).T) + 1e-9 * np.eye(2))
    axis, share, thickness = axes[:, -1], _LENGTH, _THICKNESS
    start = np.array(np.unravel_index(int(depth.argmax()), depth.shape))[::-1].astype(np.float64)
    if rng is not None:
        turn = rng.normal(0, 0.3)
        axis = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ axis
        deep = points[depth[rows, columns] >= rng.uniform(0.3, 1) * depth.max()]
        start = deep[rng.integers(len(deep))]
        share, thickness = rng.uniform(0.1, 0.5), rng.uniform(0.15, 0.6)
    along = (points - points.mean(0)) @ axis
    half = share * float(np.ptp(along)) / 2
    ends = [start + sign * _reach(region, start, sign * axis, half) * axis for sign in (-1, 1)]
    line = np.zeros(region.shape, np.uint8)
    radius = max(1, round(thickness * float(depth.max())))
    first, last = (tuple(int(value) for value in end.round()) for end in ends)
    cv2.line(line, first, last, 1, 2 * radius - 1)
    painted: Flags = (line > 0) & region
    painted[int(start[1]), int(start[0])] = True
    return painted


def _reach(
    region: Flags, start: npt.NDArray[np.float64], axis: npt.NDArray[np.float64], most: float
) -> float:
    """How far one gets from a place before the region ends."""
    height, width = region.shape
    for step in range(1, int(most) + 1):
        x, y = (start + step * axis).round().astype(int)
        if not (0 <= x < width and 0 <= y < height and region[y, x]):
            return step - 1
    return float(int(most))
