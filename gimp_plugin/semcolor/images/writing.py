"""Pixels into layers that are in an image.

GIMP kills a plug-in that writes into a layer just when undo, scaling or the like takes it away or
gives it another size, and there is no way to look and write in one go. So that panels outlive it,
another process writes, which is there for this only: the `writer`.
"""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from gi.repository import Gimp
from shared.errors import Code, SemcolorError
from shared.geometry import NOWHERE, Rectangle

from .calls import PREFIX, call
from .photo import ImageChangedError, LayerError, Photo
from .roles import check_unlocked
from .undo import one_undo_step

WRITE, WRITE_ONCE = PREFIX + "write-pixels", PREFIX + "write-pixels-once"
"""The procedure that the writer serves, and the same in a process for this only."""

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


def write(photo: Photo, layer: Gimp.Layer, content: PixelFile, undoable: bool) -> None:
    """Let pixels be written: one undo step, or none. No selection applies.

    Raises:
        LayerError: the layer is locked.
        ImageChangedError: the image was changed meanwhile; a part may have been written.
    """
    check_unlocked(layer)
    undo_step = one_undo_step(photo.image) if undoable else contextlib.nullcontext()
    with undo_step, _no_message_windows():
        try:
            served = Gimp.get_pdb().procedure_exists(WRITE)
            call(
                WRITE if served else WRITE_ONCE,
                image=photo.image, photo=photo.layer, layer=layer, undoable=undoable,
                pixels=str(content.path), format=content.pixel_format, **content.area._asdict(),
            )  # fmt: skip
        except LayerError as error:
            raise ImageChangedError from error


@contextlib.contextmanager
def _no_message_windows() -> Iterator[None]:
    """What GIMP says in the block goes to its console.

    It tells of a writer that it has killed, in words that frighten, though nothing is lost by that.
    """
    before = Gimp.message_get_handler()
    if before == Gimp.MessageHandlerType.CONSOLE:  # another panel writes, and will bring it back
        yield
        return
    Gimp.message_set_handler(Gimp.MessageHandlerType.CONSOLE)
    try:
        yield
    finally:
        Gimp.message_set_handler(before)


def _for_us_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
