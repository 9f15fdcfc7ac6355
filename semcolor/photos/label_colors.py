"""Palette colours to class ids and back.

A *label map* is H×W uint8, 0 where unlabelled, else a class id. As a *label layer* it is H×W×4
RGBA: the palette colour of the class, opaque; fully transparent where unlabelled.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from semcolor.shared.classes import NUM_LABELS, UNLABELLED, all_classes
from semcolor.shared.geometry import NOWHERE, Rectangle

from .pixels import Flags, LabelMap, Rgba

UNKNOWN = 255  # no class
Certainty = npt.NDArray[np.uint8]
"""H×W: EXACT where a pixel has a class's colour or is fully transparent, ROUNDED or AMBIGUOUS."""
EXACT, ROUNDED, AMBIGUOUS = 0, 1, 2
Colors = npt.NDArray[np.uint8]
"""60×3 sRGB, indexed by class id."""
Places = npt.NDArray[np.intp]  # indices into a flat array
_LONGEST_RUN = 16  # pixels; how far from each the ramp of a soft brush stays at one level at most
_SMALL_STEP = 6  # levels; by what a ramp changes where it stays at one level for several pixels


def palette() -> Colors:
    """The colours of the classes."""
    return np.array([entry.rgb for entry in all_classes()], dtype=np.uint8)


def to_rgba(label_map: LabelMap) -> Rgba:
    """H×W class ids to H×W×4 palette colours."""
    table = np.concatenate([palette(), np.full((NUM_LABELS, 1), 255, np.uint8)], axis=1)
    table[UNLABELLED] = 0
    return table[label_map]


def from_rgba(
    rgba: Rgba, around: LabelMap | None = None, colors: Colors | None = None
) -> tuple[LabelMap, Certainty]:
    """H×W×4 palette colours to H×W class ids, and how certain they are.

    Transparent pixels (alpha < 128) are unlabelled. A pixel of another colour (soft brushes make
    them), or of a class's colour on the way from one colour to another, becomes, among the classes
    of the clear pixels around it, the one whose colour is nearest: always a class that really is
    beside it, never a third one that lies between. These pixels are ambiguous, and so are half
    transparent ones. A pixel that is one level off a class's colour is that class, rounded: what a
    brush has touched can be. A picture of palette colours only is read as it is.

    Args:
        around: (H+2)×(W+2) class ids whose border is what is beside these pixels, or UNKNOWN.
        colors: what the classes' colours have become in this picture; the palette by default.
    """
    colors = palette() if colors is None else colors
    ids = clear_classes(rgba, colors)
    alpha = rgba[..., 3]
    certainty = np.where((alpha > 0) & (alpha < 255), AMBIGUOUS, EXACT).astype(np.uint8)
    if (ids == UNKNOWN).any():
        framed = np.pad(ids, 1, constant_values=UNKNOWN) if around is None else around.copy()
        framed[1:-1, 1:-1] = ids
        picture = _Framed(framed, rgba)
        picture.forget_passed()
        certainty[framed[1:-1, 1:-1] == UNKNOWN] = AMBIGUOUS
        picture.snap(colors)
        ids = framed[1:-1, 1:-1].copy()
    exact = _packed(rgba) == _packed(colors)[ids]
    certainty[~exact & (alpha > 0) & (certainty == EXACT)] = ROUNDED
    return ids, certainty


def clear_classes(rgba: Rgba, colors: Colors) -> LabelMap:
    """The class ids of H×W×4 pixels that have a class's colour, or nearly; UNKNOWN elsewhere.

    Transparent pixels (alpha < 128) are unlabelled.
    """
    ids = _class_table(colors.tobytes())[_packed(rgba)]
    ids[rgba[..., 3] < 128] = UNLABELLED
    return ids


def foreign(rgba: Rgba, certainty: Certainty) -> int:
    """How many opaque pixels are of no class's colour."""
    return int(np.count_nonzero((certainty == AMBIGUOUS) & (rgba[..., 3] == 255)))


def surroundings(label_map: LabelMap, region: Rectangle) -> LabelMap:
    """A rectangle and one pixel more on each side; UNKNOWN where the label map ends."""
    framed = np.full((region.height + 2, region.width + 2), UNKNOWN, np.uint8)
    top, left = max(region.y - 1, 0), max(region.x - 1, 0)
    part = label_map[top : region.y + region.height + 1, left : region.x + region.width + 1]
    y, x = top - region.y + 1, left - region.x + 1
    framed[y : y + part.shape[0], x : x + part.shape[1]] = part
    return framed


def bounds(flags: Flags | Certainty) -> Rectangle:
    """The smallest rectangle that holds all true pixels; empty without any."""
    rows, columns = np.flatnonzero(flags.any(axis=1)), np.flatnonzero(flags.any(axis=0))
    if not len(rows):
        return NOWHERE
    y, x = int(rows[0]), int(columns[0])
    return Rectangle(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


@lru_cache(maxsize=2)
def _class_table(colors: bytes) -> npt.NDArray[np.uint8]:
    """Packed 24-bit colour → class id, UNKNOWN for all colours that are no class.

    One level off is the class too.
    """
    table = np.full((256, 256, 256), UNKNOWN, np.uint8)
    classes = np.frombuffer(colors, np.uint8).reshape(-1, 3)
    for margin in (1, 0):
        for class_id, color in enumerate(classes):
            table[tuple(slice(max(0, int(c) - margin), int(c) + margin + 1) for c in color)] = (
                class_id
            )
    return table.reshape(-1)


def _packed(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    wide = rgba.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], np.uint32)


class _Framed:
    """A picture and one pixel more on each side, flat: a step to a neighbour is one number."""

    def __init__(self, ids: LabelMap, rgba: Rgba) -> None:
        """Works in place on ``ids``, which have the frame; ``rgba`` has none."""
        row = ids.shape[1]
        self._ids = ids.ravel()
        self._colors = np.pad(rgba[..., :3], ((1, 1), (1, 1), (0, 0))).reshape(-1, 3)
        self._opaque = np.pad(rgba[..., 3] >= 128, 1).ravel()
        self._axes = (1, row - 1, row, row + 1)
        self._steps = [sign * step for step in self._axes for sign in (1, -1)]
        skip = np.ones(ids.shape, np.bool_)
        skip[1:-1, 1:-1] = False
        self._skip: Flags = skip.ravel()  # what is not to be found beside anything
        ys, xs = np.nonzero(ids[1:-1, 1:-1] == UNKNOWN)
        self._unknown = (ys + 1) * row + xs + 1

    def forget_passed(self) -> None:
        """Make class pixels UNKNOWN through which a soft edge only passes.

        The palette is a grid, so the ramp between two of its colours often has a third one in it.
        Only what is beside unknown pixels can be in a ramp, and then what is beside that.
        """
        found = self._unknown
        while len(found):
            near = self._beside(found)
            near = near[self._opaque[near] & (self._ids[near] != UNKNOWN)]
            passed = np.zeros(len(near), np.bool_)
            for step in self._axes:
                passed |= self._is_passed(near, step)
            found = near[passed]
            self._ids[found] = UNKNOWN
            self._unknown = np.concatenate([self._unknown, found])

    def snap(self, colors: Colors) -> None:
        """Resolve unknown pixels, working inwards from the clear pixels around them."""
        table = np.zeros((UNKNOWN + 1, 3), np.int32)
        table[: len(colors)] = colors
        places = self._unknown
        while len(places):
            own = self._colors[places].astype(np.int32)
            best = np.full(len(places), np.iinfo(np.int32).max)
            chosen = np.full(len(places), UNKNOWN, np.uint8)
            for step in self._steps:
                near = self._ids[places + step]
                distance = ((own - table[near]) ** 2).sum(axis=1)
                closer = (near != UNKNOWN) & (distance < best)
                best[closer], chosen[closer] = distance[closer], near[closer]
            resolved = places[chosen != UNKNOWN]
            self._ids[resolved] = chosen[chosen != UNKNOWN]
            places = self._beside(resolved)
            places = places[self._ids[places] == UNKNOWN]
        left = self._unknown[self._ids[self._unknown] == UNKNOWN]
        self._ids[left] = UNLABELLED  # nothing clear in the whole picture

    def _is_passed(self, places: Places, step: int) -> Flags:
        """Whether the colour at these places lies between the ones before and after it.

        A single pixel may differ from both by any amount. Where several have one colour, it must
        change slowly: else they are a thin stroke of that class.
        """
        forth, long_forth = self._run_ends(places, step)
        back, long_back = self._run_ends(places, -step)
        own = self._colors[places].astype(np.int32)
        up, down = self._colors[forth] - own, own - self._colors[back]
        along = (up * down).sum(axis=1)
        lengths = (up**2).sum(axis=1) * (down**2).sum(axis=1)
        steep = np.maximum(np.abs(up), np.abs(down)).max(axis=1) > _SMALL_STEP
        ended = self._opaque[forth] & self._opaque[back]
        ended &= (self._ids[forth] != self._ids[places]) & (self._ids[back] != self._ids[places])
        within_45_degrees = (along > 0) & (2 * along**2 >= lengths)
        return np.asarray(ended & within_45_degrees & ~(steep & (long_forth | long_back)))

    def _run_ends(self, places: Places, step: int) -> tuple[Places, Flags]:
        """The first pixels in a direction that are of another class, and whether they are apart."""
        ends, own = places + step, self._ids[places]
        for _ in range(_LONGEST_RUN):
            same = self._opaque[ends] & (self._ids[ends] == own)
            if not same.any():
                break
            ends = ends + same * step
        return ends, ends != places + step

    def _beside(self, places: Places) -> Places:
        """The places around these, each once; none of the frame's."""
        found = []
        for step in self._steps:
            new = places + step
            new = new[~self._skip[new]]
            self._skip[new] = True
            found.append(new)
        near = np.concatenate(found)
        self._skip[near] = False
        return near
