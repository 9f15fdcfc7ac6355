"""Label maps: palette colours ↔ class ids, and label maps as picture files.

A *label map* is H×W uint8, 0 where unlabelled, else a class id. As a *label layer* it is H×W×4
RGBA: the palette colour of the class, opaque; fully transparent where unlabelled.
"""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from semcolor.photos.label_colors import (
    AMBIGUOUS,
    UNKNOWN,
    Flags,
    _class_table,
    _packed,
    foreign,
    from_rgba,
    palette,
    require_classes,
)
from semcolor.shared.classes import NUM_LABELS, UNLABELLED, all_classes
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.limits import PIXEL_LIMIT, SIDE_LIMIT

from .pixels import LabelMap, Rgba

_MOSTLY = 0.5  # a picture with fewer palette pixels than this share is no label map
_MODES = {"P", "L", "RGB", "RGBA", "PA", "LA"}
_DAMAGED = (OSError, SyntaxError, ValueError)  # what Pillow raises for damaged files
Image.MAX_IMAGE_PIXELS = None  # `_check_size` has limits of our own


def statistics(label_map: LabelMap) -> list[dict[str, Any]]:
    """The classes that are there, with id, name and share of the pixels, largest first."""
    counts = np.array(Image.fromarray(label_map).histogram()[:NUM_LABELS])
    ids = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return [
        {"id": int(i), "name": all_classes()[i].name, "share": float(counts[i] / label_map.size)}
        for i in ids
    ]


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

    Takes an RGB(A) or indexed picture in palette colours, or else an indexed or 8-bit gray one
    whose values are class ids. ``name``: what errors call the file; ``size``: the width and height
    that it must have. Nothing is decoded before size and kind are known to be right.
    Raises SemcolorError: NOT_AN_IMAGE, TOO_LARGE, SIZE_MISMATCH, UNKNOWN_CLASS.
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
            meanings = _meanings(image) if image.mode == "P" else None
            if meanings is not None:
                ids = meanings[ids]
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
    ids, doubt = from_rgba(rgba)
    require_classes(
        foreign(rgba, doubt), ids.size, _MOSTLY, name,
        "is it a label map? `semcolor segment` writes one to start from",
    )  # fmt: skip
    return ids, doubt == AMBIGUOUS


def _meanings(image: Image.Image) -> LabelMap | None:
    """The class id of each index, by its colour; None where a colour that is used is no class's.

    Other programs number the colours as they like.
    """
    colors = image.getpalette() or []
    used = np.flatnonzero(image.histogram())
    if 3 * used[-1] >= len(colors):
        return None
    swatches = Image.fromarray(np.arange(256, dtype=np.uint8)[None], mode="P")
    swatches.putpalette(colors)
    swatches.info.update(image.info)  # which of them are transparent
    rgba = np.asarray(swatches.convert("RGBA"))
    ids = _class_table(palette().tobytes())[_packed(rgba)][0]
    ids[rgba[0, :, 3] < 128] = UNLABELLED
    return None if (ids[used] == UNKNOWN).any() else ids


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
