"""Label maps: palette colours ↔ class ids, and label maps as picture files.

A *label map* is H×W uint8, 0 where unlabelled, else a class id. As a *label layer* it is H×W×4
RGBA: the palette colour of the class, opaque; fully transparent where unlabelled.
"""

import io
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from .classes import NUM_LABELS, UNLABELLED, all_classes
from .errors import Code, SemcolorError
from .messages import PIXEL_LIMIT, SIDE_LIMIT, Rectangle
from .pixels import LabelMap, Rgba

UNKNOWN = 255  # no class
Flags = npt.NDArray[np.bool_]

_MOSTLY = 0.5  # a picture with fewer palette pixels than this share is no label map
_MODES = {"P", "L", "RGB", "RGBA", "PA", "LA"}
_DAMAGED = (OSError, SyntaxError, ValueError)  # what Pillow raises for damaged files

Image.MAX_IMAGE_PIXELS = None  # `_check_size` has limits of our own


def palette() -> npt.NDArray[np.uint8]:
    """60×3 uint8 sRGB, indexed by class id."""
    return np.array([entry.rgb for entry in all_classes()], dtype=np.uint8)


def to_rgba(label_map: LabelMap) -> Rgba:
    """H×W class ids to H×W×4 palette colours."""
    table = np.concatenate([palette(), np.full((NUM_LABELS, 1), 255, np.uint8)], axis=1)
    table[UNLABELLED] = 0
    return table[label_map]


def from_rgba(rgba: Rgba, around: LabelMap | None = None) -> tuple[LabelMap, Flags]:
    """H×W×4 palette colours to H×W class ids, and which pixels were ambiguous (H×W bool).

    Transparent pixels (alpha < 128) are unlabelled. A pixel of another colour (soft brushes make
    them) becomes, among the classes of the clear pixels around it, the one whose colour is
    nearest: always a class that really is beside it, never a third one that lies between.
    ``around``: (H+2)×(W+2) class ids whose border is what is beside these pixels, or UNKNOWN.
    """
    ids = _exact_table()[_packed(rgba)]
    ids[rgba[..., 3] < 128] = UNLABELLED
    ambiguous = ids == UNKNOWN
    if not ambiguous.any():
        return ids, ambiguous
    framed = np.pad(ids, 1, constant_values=UNKNOWN) if around is None else around.copy()
    framed[1:-1, 1:-1] = ids
    _snap(framed, rgba)
    return framed[1:-1, 1:-1].copy(), ambiguous


def surroundings(label_map: LabelMap, region: Rectangle) -> LabelMap:
    """A rectangle and one pixel more on each side; UNKNOWN where the label map ends."""
    framed = np.full((region.height + 2, region.width + 2), UNKNOWN, np.uint8)
    top, left = max(region.y - 1, 0), max(region.x - 1, 0)
    part = label_map[top : region.y + region.height + 1, left : region.x + region.width + 1]
    y, x = top - region.y + 1, left - region.x + 1
    framed[y : y + part.shape[0], x : x + part.shape[1]] = part
    return framed


def statistics(label_map: LabelMap) -> list[dict[str, Any]]:
    """The classes that are there, with id, name and share of the pixels, largest first."""
    counts = np.array(Image.fromarray(label_map).histogram()[:NUM_LABELS])
    ids = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return [
        {"id": int(i), "name": all_classes()[i].name, "share": float(counts[i] / label_map.size)}
        for i in ids
    ]


def bounds(mask: Flags) -> Rectangle:
    """The smallest rectangle that holds all true pixels; empty without any."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Rectangle(0, 0, 0, 0)
    y, x = int(rows[0]), int(columns[0])
    return Rectangle(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def read_label_map(path: Path) -> LabelMap:
    """A label map from a picture file. Raises SemcolorError: NO_FILE, and as `decode_label_map`."""
    try:
        with path.open("rb") as file:
            return decode_label_map(file, str(path))[0]
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, f"there is no file {path}") from error
    except OSError as error:
        raise SemcolorError(Code.NOT_AN_IMAGE, f"{path} cannot be read: {error}") from error


def decode_label_map(
    file: BinaryIO, name: str, size: tuple[int, int] | None = None
) -> tuple[LabelMap, Flags]:
    """A label map from an open picture file, and which pixels were ambiguous (H×W bool).

    Takes an indexed or 8-bit gray picture whose values are class ids, or an RGB(A) one in palette
    colours. ``name``: what errors call the file; ``size``: the width and height that it must have.
    Nothing is decoded before size and kind are known to be right. Raises SemcolorError:
    NOT_AN_IMAGE, TOO_LARGE, SIZE_MISMATCH, UNKNOWN_CLASS.
    """
    try:
        with Image.open(file) as image:
            image.verify()  # checksums; afterwards the file must be opened again
        file.seek(0)
        with Image.open(file) as image:
            _check_size(name, image.size, size)
            if image.mode not in _MODES:
                raise SemcolorError(
                    Code.NOT_AN_IMAGE,
                    f"{name} has pixels of kind “{image.mode}”: a label map is an indexed, "
                    "8-bit gray or RGB picture",
                )
            if image.mode in ("RGB", "RGBA"):
                return _read_colours(name, np.asarray(image.convert("RGBA")))
            ids = np.asarray(image)
    except _DAMAGED as error:
        raise SemcolorError(Code.NOT_AN_IMAGE, f"{name} cannot be read as a picture") from error
    ids = _checked_ids(name, ids[..., 0] if ids.ndim == 3 else ids)
    return ids, np.zeros(ids.shape, np.bool_)


def write_label_map(path: Path, label_map: LabelMap) -> None:
    """Write `encode_label_map`'s file; an existing one is replaced only by a whole new one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(encode_label_map(label_map))
    part.replace(path)


def encode_label_map(label_map: LabelMap) -> bytes:
    """An indexed PNG: values are class ids, shown in palette colours."""
    image = Image.fromarray(label_map, mode="P")
    image.putpalette(palette().tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=False)
    return file.getvalue()


def _check_size(name: str, found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    width, height = found
    if max(found) > SIDE_LIMIT or width * height > PIXEL_LIMIT:
        raise SemcolorError(
            Code.TOO_LARGE,
            f"{name} has {width} × {height} pixels, more than "
            f"{PIXEL_LIMIT // 1_000_000} megapixels: no photo has as many here",
        )
    if wanted and found != wanted:
        raise SemcolorError(
            Code.SIZE_MISMATCH,
            f"{name} has {width} × {height} pixels, the photo {wanted[0]} × {wanted[1]}: "
            "they must be the same",
        )


def _read_colours(name: str, rgba: Rgba) -> tuple[LabelMap, Flags]:
    ids, ambiguous = from_rgba(rgba)
    if ambiguous.mean() > _MOSTLY:
        share = 100 * ambiguous.mean()
        raise SemcolorError(
            Code.UNKNOWN_CLASS,
            f"{share:.0f}% of {name} is in colours that are no class: is it a label map? "
            "`semcolor segment` writes one to start from",
        )
    return ids, ambiguous


def _checked_ids(name: str, ids: LabelMap) -> LabelMap:
    highest = int(ids.max())
    if highest >= NUM_LABELS:
        y, x = np.argwhere(ids == highest)[0]
        raise SemcolorError(
            Code.UNKNOWN_CLASS,
            f"{name} has the value {highest} at ({x}, {y}), but classes end at "
            f"{NUM_LABELS - 1} ({all_classes()[-1].name})",
        )
    return np.ascontiguousarray(ids, dtype=np.uint8)


@cache
def _exact_table() -> npt.NDArray[np.uint8]:
    """Packed 24-bit colour → class id, UNKNOWN for all colours that are no class."""
    table = np.full(1 << 24, UNKNOWN, np.uint8)
    for entry in all_classes():
        red, green, blue = entry.rgb
        table[red << 16 | green << 8 | blue] = entry.id
    return table


def _packed(rgba: Rgba) -> npt.NDArray[np.uint32]:
    wide = rgba.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], np.uint32)


def _snap(framed: LabelMap, rgba: Rgba) -> None:
    """Resolve unknown pixels in place, working inwards from the clear pixels around them.

    ``framed`` has one pixel more than ``rgba`` on each side.
    """
    colours = palette().astype(np.int32)
    inner = framed[1:-1, 1:-1]
    ys, xs = np.nonzero(inner == UNKNOWN)
    while len(ys):
        own = rgba[ys, xs, :3].astype(np.int32)
        best = np.full(len(ys), np.iinfo(np.int32).max)
        chosen = np.full(len(ys), UNKNOWN, np.uint8)
        for dy in (0, 1, 2):
            for dx in (0, 1, 2):
                near = framed[ys + dy, xs + dx]
                clear = near != UNKNOWN
                distance = ((own - colours[np.where(clear, near, 0)]) ** 2).sum(axis=1)
                closer = clear & (distance < best)
                best[closer], chosen[closer] = distance[closer], near[closer]
        resolved = chosen != UNKNOWN
        if not resolved.any():  # nothing clear in the whole picture
            inner[ys, xs] = UNLABELLED
            return
        inner[ys[resolved], xs[resolved]] = chosen[resolved]
        ys, xs = ys[~resolved], xs[~resolved]
