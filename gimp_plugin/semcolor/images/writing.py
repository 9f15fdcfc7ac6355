"""Pixels into layers that are in an image.

GIMP kills a plug-in that writes into a layer just when undo, scaling or the like takes it away or
gives it another size, and there is no way to look and write in one go. So that the panel outlives
it, another process writes, which is there for this only: our own procedure WRITE. It takes GIMP a
fifth of a second to start one, so the colours of a stroke, after which nobody does such a thing so
soon, are written directly.
"""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gi.repository import Gegl, Gimp
from shared.errors import Code, SemcolorError
from shared.geometry import NOWHERE, Rectangle
from shared.timings import timed

from .calls import call
from .photo import ImageChangedError, LayerError, Photo
from .pixels import row_bytes, strips
from .roles import check_unlocked
from .undo import filling

WRITE = "write-pixels"
"""The procedure's name, without the prefix that all of ours have."""


Rows = Iterable[tuple[Rectangle, bytes]]
"""Full rows of a rectangle of the photo, from top to bottom, without gaps."""


class PixelFile(NamedTuple):
    """The pixels of a rectangle of the photo, row by row, in a file."""

    path: Path
    area: Rectangle
    pixel_format: str


@contextlib.contextmanager
def pixel_file(rows: Rows, pixel_format: str) -> Iterator[PixelFile]:
    """A file with these rows, for the block. Calls nothing of GIMP.

    Raises:
        SemcolorError: there is no place for it.
    """
    path, area = Path(tempfile.gettempdir()) / f"semcolor-{uuid.uuid4().hex}", NOWHERE
    try:
        try:
            with open(path, "xb", opener=_for_us_only) as file:
                for strip, pixels in rows:
                    area = strip.join(area)
                    file.write(pixels)
        except OSError as error:
            reason = str(error.strerror)
            raise SemcolorError(Code.CANNOT_WRITE, file=str(path), reason=reason) from error
        yield PixelFile(path, area, pixel_format)
    finally:
        path.unlink(missing_ok=True)


@timed("write")
def write_directly(
    photo: Photo, layer: Gimp.Layer, area: Rectangle, pixel_format: str, pixels: bytes
) -> None:
    """Write pixels into a rectangle of the photo: no undo step is made, no selection applies.

    Raises:
        LayerError: the layer is locked.
        ImageChangedError: it is in no image any more.
    """
    _check_is_there(photo, layer)
    check_unlocked(layer)
    moved = _in_layer(photo, layer, area)
    buffer = layer.get_buffer()
    buffer.set(moved, pixel_format, pixels)
    buffer.flush()
    layer.update(moved.x, moved.y, moved.width, moved.height)


def _for_us_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@timed("write")
def let_write(photo: Photo, layer: Gimp.Layer, content: PixelFile, undoable: bool) -> None:
    """Let another process write pixels: one undo step, or none. No selection applies.

    Raises:
        LayerError: the layer is locked.
        ImageChangedError: the image was changed meanwhile; a part may have been written.
    """
    check_unlocked(layer)
    try:
        call(
            WRITE, image=photo.image, photo=photo.layer, layer=layer, pixels=str(content.path),
            **content.area._asdict(), format=content.pixel_format, undoable=undoable,
        )  # fmt: skip
    except LayerError as error:
        raise ImageChangedError from error


def write_file(photo: Photo, layer: Gimp.Layer, content: PixelFile, undoable: bool) -> None:
    """What that process does."""
    rows = _rows(content)
    if undoable:
        write_step(photo, layer, content.area, content.pixel_format, rows)
        return
    for strip, pixels in rows:
        write_directly(photo, layer, strip, content.pixel_format, pixels)


@timed("write")
def write_step(
    photo: Photo, layer: Gimp.Layer, area: Rectangle, pixel_format: str, rows: Rows
) -> None:
    """Write rows that make up a rectangle of the photo: one undo step. No selection applies.

    Raises:
        LayerError: the layer is locked.
        ImageChangedError: it is in no image any more.
    """
    _check_is_there(photo, layer)
    x, y = photo.offset_to(layer)
    _, left, top = photo.layer.get_offsets()
    with filling(photo.image, layer):
        # Only merging the shadow buffer makes an undo step. All of it is taken, except where a
        # selection says otherwise.
        in_image = area._replace(x=area.x + left, y=area.y + top)
        photo.image.select_rectangle(Gimp.ChannelOps.REPLACE, *in_image)
        shadow = layer.get_shadow_buffer()
        for strip, pixels in rows:
            shadow.set(_in_layer(photo, layer, strip), pixel_format, pixels)
        shadow.flush()
        layer.merge_shadow(True)
    layer.update(area.x + x, area.y + y, area.width, area.height)


def _rows(content: PixelFile) -> Iterator[tuple[Rectangle, bytes]]:
    stride = row_bytes(content.area, content.pixel_format)
    with content.path.open("rb") as file:
        for strip in strips(content.area, content.pixel_format):
            yield strip, file.read(strip.height * stride)


def _check_is_there(photo: Photo, layer: Gimp.Layer) -> None:
    if not layer.is_valid() or photo.image.get_item_position(layer) < 0:
        raise ImageChangedError


def _in_layer(photo: Photo, layer: Gimp.Drawable, area: Rectangle) -> Gegl.Rectangle:
    x, y = photo.offset_to(layer)
    return Gegl.Rectangle.new(area.x + x, area.y + y, area.width, area.height)
