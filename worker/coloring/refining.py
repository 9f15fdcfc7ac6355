"""A stroke labels an object.

The restorer paints a little of an object in its class; what belongs to it follows. Interactive
segmentation asks the same of clicks (Sofiiuk et al., *Reviving Iterative Training with Mask
Guidance*, arXiv 2102.06583); here the clicks are strokes, and the mask is the whole label map.

    stroke, map, earlier strokes, scene ─▶ cues ─▶ Refiner ─▶ the object ─▶ its outline

All on the scene's small grid. The outline follows the photo's own edges, as in :mod:`.snapping`.
"""

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcolor.photos.pixels import Flags, Gray, LabelMap
from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker import color, tone

from .scenes import Scene
from .upsampling import Size, bilinear_rows, fit_to_lightness

_SURE = 0.0  # logit from which a pixel belongs to the object
_EXAMPLES = 48  # of the stroke's pixels, that others are compared with
_RIDGE = 0.1  # of the features' variance, in telling the stroke from the rest
_TOLERANCE = 3.0  # in L*, and in the stroke's own deviations: what still looks as it does
_BORDERED = 0.95  # share of a plain thing's surroundings that clearly look otherwise
_BLOCK = 8  # pixels of the working grid: a side of what is looked at again at full resolution
_NEAR = 2  # how far from the outline that is

Ids = npt.NDArray[np.uint8]


def cues(scene: Scene, ids: Ids, stroke: Flags, painted: Flags, class_id: int) -> Tensor:
    """1×CUES×h×w: what is known about each pixel.

    ``ids``: the label map with the stroke in it; ``stroke``: the new one, not empty; ``painted``:
    all strokes; h×w each.
    """
    flags = torch.from_numpy(stroke)
    around = ids[_around(stroke) & ~painted]
    under = int(np.bincount(around).argmax()) if len(around) else class_id
    component = _connected(np.where(stroke, under, ids) == under, stroke)
    lightness = tone.evened(scene.lightness)[0, 0]
    blurred = cv2.GaussianBlur(lightness.numpy(), (0, 0), 2)
    contrast = cv2.GaussianBlur(np.abs(lightness.numpy() - blurred), (0, 0), 2)
    distance = cv2.distanceTransform((~stroke).astype(np.uint8), cv2.DIST_L2, 3)
    thickness = np.sqrt(stroke.sum())
    own = scene.features[:, flags]
    likely, now = scene.likely, torch.from_numpy(ids.astype(np.int64))
    stroke_light = lightness[flags].mean()
    channels = [
        lightness / 50 - 1,
        (lightness - stroke_light).abs() / 25,
        torch.from_numpy(contrast) / 5,
        flags.float(),
        torch.from_numpy(np.exp(-distance / (2 * thickness))),
        torch.from_numpy(np.exp(-distance / (0.25 * max(stroke.shape)))),
        torch.from_numpy(component).float(),
        (now == class_id).float(),
        torch.from_numpy(painted & (ids != class_id)).float(),
        torch.from_numpy(painted & (ids == class_id)).float(),
        F.normalize(own.mean(1), dim=0) @ scene.features.flatten(1),
        (_some(own).T @ scene.features.flatten(1)).amax(0),
        _told_apart(scene.features, flags, component | stroke) / 4,
        likely[class_id] / 6,
        (likely[class_id] - likely[under]) / 6,
        likely.gather(0, now[None])[0] / 6,
    ]
    return torch.stack([channel.reshape(scene.size).float() for channel in channels])[None]


def refine(
    network: nn.Module, scene: Scene, photo: Gray, labels: LabelMap, strokes: Ids | None,
    region: Rectangle, class_id: int, everywhere: bool,
) -> tuple[Rectangle, LabelMap]:  # fmt: skip
    """Label the object under a stroke.

    ``photo``, ``labels``, ``strokes`` (not 0 where something was painted): H×W. The new stroke is
    what has ``class_id`` inside ``region`` and, as far as that is known, was painted. Returns the
    rectangle that changed, perhaps empty, and its class ids. What was painted never changes. Unless
    ``everywhere``, nothing changes that is not connected with the stroke.
    """
    size = scene.size
    own = _stroke(labels, strokes, region, class_id, size)
    if not own.any():
        return NOWHERE, np.empty((0, 0), np.uint8)
    ids = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    ids[own] = class_id
    painted = own
    if strokes is not None:
        nearest = cv2.resize(strokes, size[::-1], interpolation=cv2.INTER_NEAREST)
        painted = own | nearest.astype(np.bool_)
    given = cues(scene, ids, own, painted, class_id)
    logits = cast(Tensor, network(given))[0, 0].numpy()
    sure = own | _plain(scene, own, everywhere)
    logits[sure] = np.maximum(logits[sure], 4)
    logits[painted & (ids != class_id)] = -4
    found = logits > _SURE
    if not everywhere:
        reached = _connected(found | own, own)
        logits[found & ~reached] = -1
        found &= reached
    found &= ids != class_id
    if not found.any():
        return NOWHERE, np.empty((0, 0), np.uint8)
    place = _around_found(found, photo.shape)
    before = labels[place.rows, place.columns]
    after = before.copy()
    inside = _outlined(scene, logits, photo, place)
    if strokes is not None:
        inside &= strokes[place.rows, place.columns] == 0
    np.copyto(after, np.uint8(class_id), where=inside)
    return _changed(place, before, after)


def _around_found(found: Flags, photo: Size) -> Rectangle:
    """The part of a photo in which the outline of what was found may lie."""
    (height, width), (h, w) = photo, found.shape
    (top, bottom), (left, right) = (
        (max(0, int(places[0]) - _NEAR), min(limit, int(places[-1]) + 1 + _NEAR))
        for places, limit in ((np.flatnonzero(found.any(1)), h), (np.flatnonzero(found.any(0)), w))
    )
    y, x = top * height // h, left * width // w
    return Rectangle(x, y, -(-right * width // w) - x, -(-bottom * height // h) - y)


def _outlined(
    scene: Scene, logits: npt.NDArray[np.float32], photo: Gray, place: Rectangle
) -> Flags:
    """Which pixels of a place belong to the object."""
    (height, width), (h, w) = photo.shape, scene.size
    share = torch.from_numpy(1 / (1 + np.exp(-logits)))[None, None]
    coefficients = fit_to_lightness(scene.lightness, share, torch.zeros(h, w))
    sure = logits > _SURE
    edge = cv2.morphologyEx(
        sure.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1))
    )
    ys, xs = (np.arange(place.y, place.y + place.height) * h // height,
              np.arange(place.x, place.x + place.width) * w // width)  # fmt: skip
    inside: Flags = sure[:, xs][ys]
    for top in range(ys[0] // _BLOCK * _BLOCK, ys[-1] + 1, _BLOCK):
        row = np.flatnonzero((ys >= top) & (ys < top + _BLOCK))
        for first, last in _runs(edge[top : top + _BLOCK].any(0)):
            column = np.flatnonzero((xs >= first) & (xs < last))
            if not len(row) or not len(column):
                continue
            tile = Rectangle(place.x + int(column[0]), place.y + int(row[0]), len(column), len(row))
            slope, offset = bilinear_rows(coefficients, (height, width), tile).unbind(2)
            part = torch.from_numpy(photo[tile.rows, tile.columns].copy())
            shares = slope * color.gray_lightness(part) + offset
            inside[row[0] : row[-1] + 1, column[0] : column[-1] + 1] = (shares > 0.5).numpy()
    return inside


def _stroke(
    labels: LabelMap, strokes: Ids | None, region: Rectangle, class_id: int, size: Size
) -> Flags:
    """Where the new stroke is, on the working grid."""
    mask = labels[region.rows, region.columns] == class_id
    if strokes is not None:
        mask &= strokes[region.rows, region.columns].astype(np.bool_)
    rows, columns = np.nonzero(mask)
    (height, width), (h, w) = labels.shape, size
    own: Flags = np.zeros(size, np.bool_)
    own[(rows + region.y) * h // height, (columns + region.x) * w // width] = True
    return own


def _changed(place: Rectangle, before: LabelMap, after: LabelMap) -> tuple[Rectangle, LabelMap]:
    different = before != after
    rows, columns = np.flatnonzero(different.any(1)), np.flatnonzero(different.any(0))
    if not len(rows):
        return NOWHERE, np.empty((0, 0), np.uint8)
    part = Rectangle(
        int(columns[0]), int(rows[0]),
        int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1),
    )  # fmt: skip
    region = part._replace(x=part.x + place.x, y=part.y + place.y)
    return region, after[part.rows, part.columns]


def _around(stroke: Flags) -> Flags:
    """A stroke's surroundings, whose class in the map is what it corrects."""
    wide: Flags = cv2.dilate(stroke.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return wide & ~stroke


def _plain(scene: Scene, stroke: Flags, everywhere: bool) -> Flags:
    """What is as light as a stroke and connected with it, if clear edges are all around it.

    With ``everywhere``, such things elsewhere, too, that are not smaller than the stroke.
    """
    lightness = tone.evened(scene.lightness)[0, 0].numpy()
    mine = lightness[stroke]
    tolerance = _TOLERANCE * max(1.0, float(mine.std()))
    off = np.abs(lightness - mine.mean())
    alike = (off < tolerance) | stroke
    things = [_connected(alike, stroke)]
    if everywhere:
        _, numbers = cv2.connectedComponents((alike & ~things[0]).astype(np.uint8), connectivity=4)
        large = np.flatnonzero(np.bincount(numbers.ravel())[1:] >= stroke.sum()) + 1
        things += [numbers == number for number in large]
    plain = np.zeros_like(stroke)
    for thing in things:
        near, far = (
            cv2.dilate(thing.astype(np.uint8), np.ones((side, side), np.uint8)) for side in (3, 5)
        )
        rim = off[far > near]
        if len(rim) and (rim > 2 * tolerance).mean() > _BORDERED:
            plain |= thing
    return plain


def _connected(mask: Flags, start: Flags) -> Flags:
    """What of a mask is connected with some start."""
    _, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    reached: Flags = np.isin(numbers, np.unique(numbers[start & mask])) & mask
    return reached


def _some(columns: Tensor) -> Tensor:
    """A few of C×N columns, spread evenly."""
    return columns[:, :: -(-columns.shape[1] // _EXAMPLES)]


def _told_apart(features: Tensor, own: Tensor, unclear: npt.NDArray[np.bool_]) -> Tensor:
    """h×w: Fisher's linear discriminant of the stroke against what surely is something else."""
    flat = features.flatten(1)
    others = flat[:, ~torch.from_numpy(unclear).flatten()]
    if others.shape[1] < 2:
        return torch.zeros(own.shape)
    mine = flat[:, own.flatten()].mean(1)
    mean = others.mean(1)
    spread = (others - mean[:, None]) @ (others - mean[:, None]).T / others.shape[1]
    ridge = _RIDGE * spread.diagonal().mean() + 1e-6
    direction = torch.linalg.solve(spread + ridge * torch.eye(len(spread)), mine - mean)
    score: Tensor = direction @ (flat - (mine + mean)[:, None] / 2)
    told: Tensor = (score / score.std().clamp(min=1e-6)).view(own.shape)
    return told


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Where flags are set: the first and the one after the last of each run."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in steps.reshape(-1, 2)]
