"""Our layers: how they are made, and given new pixels."""

import os
from collections.abc import Iterator

from gi.repository import Gegl, Gimp
from language import tr
from shared.geometry import Rectangle

from .photo import Photo
from .pixels import is_rgb, strips
from .roles import COLORIZED, LABELS, find_layer, give_role
from .undo import copy_all
from .writing import pixel_file, write

_STAMP = "semcolor-colors"


def make_rgb(image: Gimp.Image) -> None:
    """Convert a gray or indexed image, whose layers can't hold our colours."""
    if not is_rgb(image):
        image.convert_rgb()


def add_label_layer(photo: Photo, pixels: Gegl.Buffer) -> Gimp.Layer:
    """Insert a label layer directly above the photo, or above its colorized layer."""
    kind, mode = Gimp.ImageType.RGBA_IMAGE, Gimp.LayerMode.NORMAL
    layer = _new_layer(photo, tr("Labels"), kind, mode, opacity=50.0)
    _insert(photo, layer, find_layer(photo, COLORIZED) or photo.layer, LABELS, pixels)
    return layer


def add_colorized_layer(photo: Photo, pixels: Gegl.Buffer) -> Gimp.Layer:
    """Insert a colorized layer directly above the photo: its hue and chroma, the photo's light."""
    kind, mode = Gimp.ImageType.RGB_IMAGE, Gimp.LayerMode.LCH_COLOR
    layer = _new_layer(photo, tr("Colorized"), kind, mode)
    _insert(photo, layer, photo.layer, COLORIZED, pixels)
    return layer


def set_plain(layer: Gimp.Layer, plain: bool) -> None:
    """Let a colorized layer cover the photo, or give it only hue and chroma."""
    layer.set_mode(Gimp.LayerMode.NORMAL if plain else Gimp.LayerMode.LCH_COLOR)


def replace_pixels(photo: Photo, layer: Gimp.Layer, pixels: Gegl.Buffer, pixel_format: str) -> None:
    """Put new pixels in one of our layers, in the photo's extent; its settings stay."""
    x, y = photo.offset_to(layer)
    _, _, width, height = photo.whole
    layer.resize(width, height, -x, -y)
    with pixel_file(_rows(pixels, pixel_format), pixel_format) as content:
        write(photo, layer, content, undoable=True)
    stamp = os.urandom(8).hex().encode()
    layer.attach_parasite(Gimp.Parasite.new(_STAMP, Gimp.PARASITE_UNDOABLE, stamp))


def colors_stamp(layer: Gimp.Layer) -> bytes:
    """Another one after each `replace_pixels`, and after its undo and redo."""
    parasite = layer.get_parasite(_STAMP)
    return bytes(parasite.get_data()) if parasite else b""


def _new_layer(
    photo: Photo, name: str, kind: Gimp.ImageType, mode: Gimp.LayerMode, opacity: float = 100.0
) -> Gimp.Layer:
    _, _, width, height = photo.whole
    return Gimp.Layer.new(photo.image, name, width, height, kind, opacity, mode)


def _rows(pixels: Gegl.Buffer, pixel_format: str) -> Iterator[tuple[Rectangle, bytes]]:
    extent = pixels.get_extent()
    for strip in strips(Rectangle(0, 0, extent.width, extent.height), pixel_format):
        area = Gegl.Rectangle.new(*strip)
        yield strip, pixels.get(area, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)


def _insert(
    photo: Photo, layer: Gimp.Layer, below: Gimp.Layer, role: str, pixels: Gegl.Buffer
) -> None:
    """Fill a new layer and insert it directly above the layer `below`."""
    # Before it is in the image, a layer is written directly: no undo, and no selection, applies.
    copy_all(pixels, layer.get_buffer())
    _, x, y = photo.layer.get_offsets()
    layer.set_offsets(x, y)
    image = photo.image
    # GIMP selects what is inserted. What the user selects is nobody else's business: a stroke into
    # the photo would spoil it.
    selected = image.get_selected_layers()
    image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
    image.set_selected_layers(selected)
    give_role(photo, layer, role)
