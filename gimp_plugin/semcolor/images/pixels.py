"""What pixels an image has, and pixels out of layers."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from gi.repository import Babl, Gegl, Gimp
from shared.bridge_schema import (
    GRAY_U8,
    GRAY_U16,
    LABEL_FORMAT,
    RGB_U8,
    RGB_U16,
    SELECTION_FORMAT,
)
from shared.geometry import Rectangle
from shared.timings import timed

from .photo import ImageChangedError, Photo

_GLANCE = 256  # pixels, the longer side
_STRIP_PIXELS = 4_000_000
_STRIP_BYTES = 16 * 2**20
_BYTES_PER_PIXEL = {
    GRAY_U8: 1,
    SELECTION_FORMAT: 1,
    GRAY_U16: 2,
    RGB_U8: 3,
    RGB_U16: 6,
    LABEL_FORMAT: 4,
}


def hex_of(color: Gegl.Color) -> str:
    """A colour as `#rrggbb`, in sRGB."""
    red, green, blue = color.get_bytes(Babl.format(RGB_U8)).get_data()
    return f"#{red:02x}{green:02x}{blue:02x}"


class Glance(NamedTuple):
    """What is seen of a layer at a glance: enough to tell that it shows something else."""

    precision: Gimp.Precision
    base_type: Gimp.ImageBaseType
    seen: tuple[bytes, int, int]

    def is_other(self, later: "Glance") -> bool:
        """Whether something else is seen later; after a conversion the same looks different."""
        return self[:2] == later[:2] and self.seen != later.seen


def glance(layer: Gimp.Layer) -> Glance:
    """Have a look at a layer."""
    image = layer.get_image()
    data, width, height, _ = layer.get_thumbnail_data(_GLANCE, _GLANCE)
    seen = data.get_data(), width, height
    return Glance(image.get_precision(), image.get_base_type(), seen)


class Snapshot:
    """A layer as it is now: a copy in no image, which shares all tiles with it, to be deleted."""

    def __init__(self, layer: Gimp.Layer) -> None:
        self.layer, self.copy, self._seen = layer, layer.copy(), glance(layer)

    def is_current(self) -> bool:
        """Whether the layer looks as it did. Raises ImageChangedError when it is gone."""
        if not self.layer.is_valid():
            raise ImageChangedError
        return glance(self.layer) == self._seen

    def delete(self) -> None:
        """Give its memory back."""
        self.copy.delete()


def depth_of(image: Gimp.Image) -> int:
    """8 for an image with 8 bits per channel, 16 for every deeper one."""
    eight_bit = (
        Gimp.Precision.U8_LINEAR,
        Gimp.Precision.U8_NON_LINEAR,
        Gimp.Precision.U8_PERCEPTUAL,
    )
    return 8 if image.get_precision() in eight_bit else 16


def is_rgb(image: Gimp.Image) -> bool:
    """Whether the image is neither gray nor indexed."""
    return bool(image.get_base_type() == Gimp.ImageBaseType.RGB)


def photo_format(image: Gimp.Image) -> str:
    """The babl format in which a photo of this image is read."""
    if image.get_base_type() == Gimp.ImageBaseType.GRAY:
        return GRAY_U8 if depth_of(image) == 8 else GRAY_U16
    return color_format(depth_of(image))


def color_format(depth: int) -> str:
    """The babl format in which a colorized layer of an image of this depth is written."""
    return RGB_U8 if depth == 8 else RGB_U16


def row_bytes(area: Rectangle, pixel_format: str) -> int:
    """How long a row of this rectangle is."""
    return area.width * _BYTES_PER_PIXEL[pixel_format]


def strips(area: Rectangle, pixel_format: str) -> Iterator[Rectangle]:
    """This rectangle in strips of full rows, from top to bottom; none when it is empty."""
    if not area:
        return
    fit = min(_STRIP_PIXELS, _STRIP_BYTES // _BYTES_PER_PIXEL[pixel_format]) // area.width
    rows = max(1, fit)
    for first in range(area.y, area.y + area.height, rows):
        yield area._replace(y=first, height=min(rows, area.y + area.height - first))


@timed("read")
def read_pixels(photo: Photo, layer: Gimp.Drawable, area: Rectangle, pixel_format: str) -> bytes:
    """A layer's pixels in this rectangle of the photo; transparent black outside of the layer.

    Raises:
        ImageChangedError: the layer is gone.
    """
    x, y = photo.offset_to(layer)
    moved = Gegl.Rectangle.new(area.x + x, area.y + y, area.width, area.height)
    with _still(layer) as copy:
        pixels: bytes = copy.get_buffer().get(moved, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    return pixels


@contextlib.contextmanager
def _still(layer: Gimp.Drawable) -> Iterator[Gimp.Drawable]:
    """A copy that is in no image.

    GIMP kills a plug-in that reads a layer while undo, scaling or the like gives it another size
    or precision, or takes it away. A copy stays as it is, and shares all tiles: it costs 1 ms.
    """
    copy = layer.copy() if layer.is_valid() else None
    if copy is None:
        raise ImageChangedError
    try:
        yield copy
    finally:
        copy.delete()
