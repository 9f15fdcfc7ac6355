"""A photo in an image, and where other layers lie in it."""

from dataclasses import dataclass

from gi.repository import Gimp
from language import UserError, tr
from shared.geometry import NOWHERE, Rectangle


class LayerError(UserError):
    """This can't be done with this image or layer."""


class ImageChangedError(LayerError):
    """The image was changed in the middle of this."""

    def __init__(self) -> None:
        super().__init__(tr("The image was changed meanwhile. Please try again."))


@dataclass(frozen=True)
class Photo:
    """A photo's layer and the image that it is in. Rectangles are in the photo's pixels."""

    image: Gimp.Image
    layer: Gimp.Layer

    @property
    def is_open(self) -> bool:
        """Whether neither was closed or removed."""
        return bool(self.image.is_valid() and self.layer.is_valid())

    @property
    def name(self) -> str:
        """The image's file, as the user knows it."""
        file = self.image.get_imported_file() or self.image.get_file()
        name: str = file.get_basename() if file else self.image.get_name().strip("[]")
        return name

    @property
    def whole(self) -> Rectangle:
        """The photo's own rectangle, from (0, 0)."""
        return Rectangle(0, 0, self.layer.get_width(), self.layer.get_height())

    @property
    def selection(self) -> Rectangle:
        """The bounds of the selection; empty when nothing is selected."""
        _, is_there, left, top, right, bottom = Gimp.Selection.bounds(self.image)
        if not is_there:
            return NOWHERE
        _, x, y = self.layer.get_offsets()
        return Rectangle(left - x, top - y, right - left, bottom - top)

    def extent_of(self, layer: Gimp.Layer) -> Rectangle:
        """The rectangle of a layer."""
        x, y = self.offset_to(layer)
        return Rectangle(-x, -y, layer.get_width(), layer.get_height())

    def offset_to(self, layer: Gimp.Layer) -> tuple[int, int]:
        """What to add to the photo's coordinates to have the layer's."""
        _, photo_x, photo_y = self.layer.get_offsets()
        _, layer_x, layer_y = layer.get_offsets()
        return photo_x - layer_x, photo_y - layer_y
