"""What an image makes of the classes' colours.

An 8-bit image with a colour profile of its own rounds them: by 2 levels with AdobeRGB, by 7 if it
is linear as well. Painting a colour and writing it come to the same.
"""

import struct
from typing import NamedTuple

from gi.repository import Gegl, Gimp
from labels.classes import CLASS_COLORS, by_color, shares_of
from language import tr
from shared.bridge_schema import LABEL_FORMAT
from shared.classes import LabelClass, all_classes
from shared.timings import timed

from .photo import LayerError
from .pixels import is_rgb

_COMPONENTS = {1: "B", 2: "H", 3: "I", 5: "e", 6: "f", 7: "d"}  # by hundreds of Gimp.Precision


class _Found(NamedTuple):
    """The classes' colours as a layer gives them back, and as its thumbnail does."""

    stored: bytes
    shown: bytes


class LabelColors:
    """What one image makes of the classes' colours.

    It is found out with a layer that never is in the image, and again only when the image's mode,
    precision or colour profile is another.
    """

    def __init__(self, image: Gimp.Image) -> None:
        self._image = image
        self._key: object = None
        self._found = _Found(b"", b"")

    @property
    def stored(self) -> bytes:
        """The classes' colours as a layer of this image gives them back, in `LABEL_FORMAT`.

        Raises:
            LayerError: different colours became the same, so labels would be lost.
        """
        if not is_rgb(self._image):
            raise LayerError(
                tr(
                    "The label layer lost its colours when the image left RGB mode. Undo that, or "
                    "delete the label layer and start again."
                )
            )
        stored = self._now().stored
        if len(set(memoryview(stored).cast("I"))) < len(all_classes()):
            raise LayerError(
                tr(
                    "The image's colour profile is too small for the label colours. Convert the "
                    "image to sRGB first (Image ▸ Color Management)."
                )
            )
        return stored

    def class_of(self, color: str) -> LabelClass | None:
        """The class whose colour, as it is or as this image gives it back, is this `#rrggbb`."""
        try:
            return by_color(self.stored, color)
        except LayerError:
            return by_color(CLASS_COLORS, color)

    def shares(self, thumbnail: bytes, pixel_bytes: int) -> dict[int, float]:
        """Which classes a thumbnail of the label layer has, and their shares of it (0..1)."""
        component = _thumbnail_component(self._image)
        channels = pixel_bytes // struct.calcsize(component)
        return shares_of(self._now().shown, thumbnail, component, channels)

    def _now(self) -> _Found:
        key = _what_matters(self._image)
        if key != self._key:
            self._found, self._key = _found_out(self._image), key
        return self._found


def _what_matters(image: Gimp.Image) -> object:
    profile = image.get_effective_color_profile()
    icc = bytes(profile.get_icc_profile()) if profile else b""
    return int(image.get_base_type()), int(image.get_precision()), icc


@timed("layer made")
def _found_out(image: Gimp.Image) -> _Found:
    size, kind = (len(all_classes()), 1), Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, "", *size, kind, 100.0, Gimp.LayerMode.NORMAL)
    try:
        area = Gegl.Rectangle.new(0, 0, *size)
        buffer = layer.get_buffer()
        buffer.set(area, LABEL_FORMAT, CLASS_COLORS)
        buffer.flush()
        stored = layer.get_buffer().get(area, 1.0, LABEL_FORMAT, Gegl.AbyssPolicy.NONE)
        # GIMP 3.0 makes thumbnails in the image's precision and profile, GIMP 3.2 in 8 bits.
        return _Found(stored, layer.get_thumbnail_data(size[0], 1)[0].get_data())
    finally:
        layer.delete()


def _thumbnail_component(image: Gimp.Image) -> str:
    """The `struct` code of one component in the thumbnails of this image's layers."""
    if (Gimp.MAJOR_VERSION, Gimp.MINOR_VERSION) >= (3, 2):
        return "B"
    return _COMPONENTS[int(image.get_precision()) // 100]
