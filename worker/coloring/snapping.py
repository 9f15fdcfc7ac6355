"""Growing and shrinking a roughly painted label to the edges of the photo.

GrabCut (Rother, Kolmogorov & Blake, SIGGRAPH 2004; OpenCV's) on a small copy: the inside of what
was painted belongs to the object, what is far from it does not, and in the band between a minimal
cut decides, by the two sides' looks and by the edges. Grays alone tell little, so a pixel looks
like its gray, the gray around it and the contrast around it. A guided filter brings the cut to
full resolution.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from semcolor.photos.label_colors import bounds
from semcolor.photos.pixels import Flags, Gray, LabelMap
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker import color

from .upsampling import Size, bilinear_rows, fit_to_lightness

_LONGEST = 320  # pixels of the small copy
_ITERATIONS = 2
# In units of the square root of the painted area:
_MARGIN = 0.35  # how much of the photo around it is looked at
_FAR = 0.3  # from here on nothing belongs to the object
_DEEP = 0.12  # so far from its border everything does; at most half as thick as the area is
_NEAR, _WIDE = 2.0, 3.0  # sigmas, in pixels of the small copy, of the looks around a pixel
_CONTRAST = 3.0  # brings local contrast to the range of grays


def snap(
    gray: Gray, labels: LabelMap, region: Rectangle, class_id: int
) -> tuple[Rectangle, LabelMap]:
    """Fit what is labelled ``class_id`` inside ``region`` to the photo's edges.

    ``gray`` and ``labels``: H×W. Returns the rectangle that changed, perhaps empty, and its class
    ids. Pixels that the object gives up get the class nearest to them. Nothing changes farther
    from the painted area than 0.35 of its square root. Raises SemcolorError (LABELS_MISMATCH) for a
    rectangle outside.
    """
    height, width = labels.shape
    if not region.fits(width, height):
        raise SemcolorError(Code.LABELS_MISMATCH, detail="the rectangle is not inside the photo")
    painted = labels[region.rows, region.columns] == class_id
    box = _around(painted, region, labels.shape)
    ids, picture = labels[box.rows, box.columns], gray[box.rows, box.columns]
    own = ids == class_id
    fixed = own & ~_inside(region, box)
    small = _Small.of(picture, ids, own, fixed)
    cut = small.cut() if painted.any() else None
    if cut is None:
        return NOWHERE, np.empty((0, 0), np.uint8)
    released = cv2.resize(small.others(), ids.shape[::-1], interpolation=cv2.INTER_NEAREST)
    snapped = np.where(own, released, ids)
    snapped[_full_resolution(small, cut, picture) | fixed] = class_id
    changed = bounds(snapped != ids)
    part = snapped[changed.rows, changed.columns]
    return Rectangle(box.x + changed.x, box.y + changed.y, changed.width, changed.height), part


@dataclass(frozen=True)
class _Small:
    """The part of the photo that is looked at, scaled down; all h×w."""

    gray: npt.NDArray[np.uint8]
    ids: LabelMap
    own: Flags  # what has the class
    fixed: Flags  # what has it and keeps it

    @classmethod
    def of(cls, gray: Gray, ids: LabelMap, own: Flags, fixed: Flags) -> "_Small":
        height, width = gray.shape
        scale = min(1.0, _LONGEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        bits = gray if gray.dtype == np.uint8 else (gray >> 8).astype(np.uint8)
        nearest = [
            cv2.resize(plane.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            for plane in (ids, own, fixed)
        ]
        small = cv2.resize(bits, size, interpolation=cv2.INTER_AREA)
        return cls(small, nearest[0], nearest[1].astype(bool), nearest[2].astype(bool))

    def cut(self) -> Flags | None:
        """What belongs to the object; None when there is nothing to decide."""
        root = float(np.sqrt(self.own.sum()))
        depth, distance = _distance(self.own), _distance(~self.own)
        sides = np.where(self.own, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        sides[depth > min(_DEEP * root, depth.max() / 2)] = cv2.GC_FGD
        sides[self.fixed] = cv2.GC_FGD
        sides[distance > _FAR * root] = cv2.GC_BGD
        if len({cv2.GC_FGD, cv2.GC_BGD} & set(np.unique(sides).tolist())) < 2:
            return None
        cv2.setRNGSeed(0)  # its clusters begin at random
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(self._looks(), sides, None, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
        return np.isin(sides, (cv2.GC_FGD, cv2.GC_PR_FGD))

    def others(self) -> LabelMap:
        """Each pixel's class, or the nearest other one."""
        _, nearest = cv2.distanceTransformWithLabels(
            self.own.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        by_number = np.zeros(nearest.max() + 1, np.uint8)
        by_number[nearest[~self.own]] = self.ids[~self.own]
        others: LabelMap = by_number[nearest]
        return others

    def _looks(self) -> npt.NDArray[np.uint8]:
        gray = self.gray.astype(np.float32)
        wide = cv2.GaussianBlur(gray, (0, 0), _WIDE)
        variance = cv2.GaussianBlur(gray * gray, (0, 0), _WIDE) - wide * wide
        contrast = np.minimum(_CONTRAST * np.sqrt(np.maximum(variance, 0)), 255)
        near = cv2.GaussianBlur(gray, (0, 0), _NEAR)
        return np.dstack([gray, near, contrast]).astype(np.uint8)


def _around(painted: Flags, region: Rectangle, shape: Size) -> Rectangle:
    """The painted area and its margin, inside the picture."""
    area = bounds(painted)
    margin = int(_MARGIN * np.sqrt(painted.sum())) + 1
    left, top = max(region.x + area.x - margin, 0), max(region.y + area.y - margin, 0)
    right = min(region.x + area.x + area.width + margin, shape[1])
    bottom = min(region.y + area.y + area.height + margin, shape[0])
    return Rectangle(left, top, right - left, bottom - top)


def _inside(region: Rectangle, box: Rectangle) -> Flags:
    """Which pixels of ``box`` are in ``region`` too."""
    mask = np.zeros((box.height, box.width), np.bool_)
    top, left = max(region.y - box.y, 0), max(region.x - box.x, 0)
    mask[top : region.y + region.height - box.y, left : region.x + region.width - box.x] = True
    return mask


def _full_resolution(small: _Small, cut: Flags, gray: Gray) -> Flags:
    """The cut along the edges of the photo itself."""
    share = torch.from_numpy(cut.astype(np.float32))[None, None]
    lightness = color.gray_lightness(torch.from_numpy(small.gray))[None, None]
    unlabelled = torch.zeros(cut.shape)
    coefficients = fit_to_lightness(lightness, share, unlabelled)
    inside = cv2.resize(cut.astype(np.uint8), gray.shape[::-1], interpolation=cv2.INTER_NEAREST)
    whole: Flags = inside.astype(np.bool_)
    # Only around the cut there is anything to refine.
    band = bounds(cv2.morphologyEx(cut.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9))) > 0)
    top, bottom = (y * gray.shape[0] // cut.shape[0] for y in (band.y, band.y + band.height))
    left, right = (x * gray.shape[1] // cut.shape[1] for x in (band.x, band.x + band.width))
    step = 64
    for y in range(top, bottom, step):
        tile = Rectangle(left, y, right - left, min(step, bottom - y))
        slope, offset = bilinear_rows(coefficients, gray.shape, tile).unbind(2)
        part = torch.from_numpy(gray[tile.rows, tile.columns].copy())
        whole[tile.rows, tile.columns] = (slope * color.gray_lightness(part) + offset > 0.5).numpy()
    return whole


def _distance(mask: Flags) -> npt.NDArray[np.float32]:
    """How far each true pixel is from the false ones; without any, from nothing."""
    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    distance: npt.NDArray[np.float32] = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    return distance
