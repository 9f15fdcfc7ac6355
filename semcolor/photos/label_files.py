"""Label maps as picture files."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from semcolor.shared.atomic_files import replacing
from semcolor.shared.classes import NUM_LABELS, all_classes
from semcolor.shared.errors import Code, SemcolorError, cannot_read, cannot_write
from semcolor.shared.limits import PIXEL_LIMIT, SIDE_LIMIT, is_too_large

from .label_colors import AMBIGUOUS, UNKNOWN, clear_classes, foreign, from_rgba, palette
from .pixels import Flags, LabelMap, Rgba

_MOSTLY = 0.5  # a picture with fewer palette pixels than this share is no label map
_MODES = {"P", "L", "RGB", "RGBA", "PA", "LA"}
_DAMAGED = (OSError, SyntaxError, ValueError)  # what Pillow raises for damaged files
Image.MAX_IMAGE_PIXELS = None  # `_check_size` has limits of our own


def read_label_map(path: Path) -> LabelMap:
    """A label map from a picture file. Raises as `read_labels`."""
    return read_labels(path)[0]


def read_labels(path: Path) -> tuple[LabelMap, Flags]:
    """The same, and which pixels were ambiguous (H×W bool).

    Raises SemcolorError: NO_FILE, CANNOT_READ, and as `decode_label_map`.
    """
    try:
        with path.open("rb") as file:
            return decode_label_map(file, str(path))
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def decode_label_map(
    file: BinaryIO, name: str, size: tuple[int, int] | None = None
) -> tuple[LabelMap, Flags]:
    """A label map from an open picture file, and which pixels were ambiguous (H×W bool).

    Takes an RGB(A) or indexed picture in palette colours, or else an indexed or 8-bit gray one
    whose values are class ids. ``name``: what errors call the file; ``size``: the width and height
    that it must have. Nothing is decoded before size and kind are known to be right.
    Raises SemcolorError: NOT_A_PICTURE, NOT_A_LABEL_PICTURE, FILE_TOO_LARGE, SIZE_MISMATCH,
    UNKNOWN_CLASS, NO_LABEL_MAP.
    """
    try:
        with Image.open(file) as image:
            image.verify()  # checksums; afterwards the file must be opened again
        file.seek(0)
        with Image.open(file) as image:
            lies = size is not None and image.size == size[::-1]  # it may be turned, see below
            _check_size(name, image.size[::-1] if lies else image.size, size)
            if image.mode not in _MODES:
                raise SemcolorError(Code.NOT_A_LABEL_PICTURE, file=name, mode=image.mode)
            step = _step(image)
            upright = ImageOps.exif_transpose(image)
            _check_size(name, upright.size, size)
            if upright.mode in ("RGB", "RGBA"):
                return _read_colours(name, np.asarray(upright.convert("RGBA")))
            ids = np.asarray(upright) // step
            meanings = _meanings(upright) if upright.mode == "P" else None
            if meanings is not None:
                ids = meanings[ids]
    except _DAMAGED as error:
        raise SemcolorError(Code.NOT_A_PICTURE, file=name) from error
    ids = _checked_ids(name, ids[..., 0] if ids.ndim == 3 else ids)
    return ids, np.zeros(ids.shape, np.bool_)


def write_label_map(path: Path, label_map: LabelMap, only_new: bool = False) -> None:
    """Write `encode_label_map`'s file, as a whole; ``only_new``: not over a file that is there.

    Raises SemcolorError: CANNOT_WRITE, OUTPUT_EXISTS.
    """
    try:
        with replacing(path, only_new=only_new) as part:
            part.write_bytes(encode_label_map(label_map))
    except FileExistsError as error:
        raise SemcolorError(Code.OUTPUT_EXISTS, file=str(path)) from error
    except OSError as error:
        raise cannot_write(path, error) from error


def encode_label_map(label_map: LabelMap) -> bytes:
    """An indexed PNG: values are class ids, shown in palette colours."""
    image = Image.fromarray(label_map, mode="P")
    image.putpalette(palette().tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=False)
    return file.getvalue()


def _step(image: Image.Image) -> int:
    """By how much the grays differ that Pillow makes of neighbouring values of less than 8 bits."""
    tiles = getattr(image, "tile", None)
    rawmode = tiles[0][3] if tiles else ""
    bits = rawmode.partition(";")[2] if isinstance(rawmode, str) and image.mode == "L" else ""
    return {"2": 85, "4": 17}.get(bits, 1)


def _check_size(name: str, found: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    width, height = found
    if is_too_large(width, height):
        raise SemcolorError(
            Code.FILE_TOO_LARGE, file=name, width=width, height=height,
            megapixels=PIXEL_LIMIT // 1_000_000, side=SIDE_LIMIT,
        )  # fmt: skip
    if wanted and found != wanted:
        raise SemcolorError(
            Code.SIZE_MISMATCH, what=name, width=width, height=height,
            photo_width=wanted[0], photo_height=wanted[1],
        )  # fmt: skip


def _read_colours(name: str, rgba: Rgba) -> tuple[LabelMap, Flags]:
    ids, certainty = from_rgba(rgba)
    share = foreign(rgba, certainty) / max(1, ids.size)
    if share > _MOSTLY:
        raise SemcolorError(Code.NO_LABEL_MAP, file=name, share=f"{share:.0%}")
    return ids, certainty == AMBIGUOUS


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
    ids = clear_classes(np.asarray(swatches.convert("RGBA")), palette())[0]
    return None if (ids[used] == UNKNOWN).any() else ids


def _checked_ids(name: str, ids: LabelMap) -> LabelMap:
    highest = int(ids.max())
    if highest >= NUM_LABELS:
        y, x = np.argwhere(ids == highest)[0]
        raise SemcolorError(
            Code.UNKNOWN_CLASS, file=name, value=highest, x=int(x), y=int(y),
            last=NUM_LABELS - 1, name=all_classes()[-1].name,
        )  # fmt: skip
    return np.ascontiguousarray(ids, dtype=np.uint8)
