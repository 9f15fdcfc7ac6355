"""Our layers: how they are made, and given new pixels."""

import os

from gi.repository import Gegl, Gimp
from language import tr
from shared.bridge_schema import LABEL_FORMAT
from shared.geometry import NOWHERE, Rectangle

from .photo import Photo
from .pixels import is_rgb
from .roles import CHOSEN, COLORIZED, LABELS, find_layer, give_role
from .undo import all_writable, copy_all, filling, nothing_selected

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


def add_chosen_layer(photo: Photo) -> Gimp.Layer:
    """Insert a transparent layer for chosen colours above the colorized layer."""
    kind, mode = Gimp.ImageType.RGBA_IMAGE, Gimp.LayerMode.LCH_COLOR
    layer = _new_layer(photo, tr("Chosen Colours"), kind, mode)
    nothing = Gegl.Buffer.new(LABEL_FORMAT, *photo.whole)
    _insert(photo, layer, find_layer(photo, COLORIZED) or photo.layer, CHOSEN, nothing)
    return layer


def set_plain(layer: Gimp.Layer, plain: bool) -> None:
    """Let a colorized layer cover the photo, or give it only hue and chroma."""
    layer.set_mode(Gimp.LayerMode.NORMAL if plain else Gimp.LayerMode.LCH_COLOR)


def replace_pixels(photo: Photo, layer: Gimp.Layer, pixels: Gegl.Buffer) -> None:
    """Put new pixels in one of our layers, in the photo's extent; its settings stay."""
    x, y = photo.offset_to(layer)
    _, _, width, height = photo.whole
    layer.resize(width, height, -x, -y)
    # Only the shadow buffer makes an undo step. Merging it is clipped by the selection and leaves
    # out channels that the user has switched off, so both are set aside meanwhile.
    with nothing_selected(photo.image), all_writable(photo.image, layer):
        shadow = layer.get_shadow_buffer()
        copy_all(pixels, shadow)
        layer.merge_shadow(True)
    stamp = os.urandom(8).hex().encode()
    layer.attach_parasite(Gimp.Parasite.new(_STAMP, Gimp.PARASITE_UNDOABLE, stamp))
    layer.update(0, 0, width, height)


def colors_stamp(layer: Gimp.Layer) -> bytes:
    """Another one after each `replace_pixels`, and after its undo and redo."""
    parasite = layer.get_parasite(_STAMP)
    return bytes(parasite.get_data()) if parasite else b""


def write_labels(photo: Photo, layer: Gimp.Layer, strips: list[tuple[Rectangle, bytes]]) -> None:
    """Put new pixels in a rectangle of the label layer, which the strips make up: one undo step."""
    area = NOWHERE
    for strip, _ in strips:
        area = strip.join(area)
    x, y = photo.offset_to(layer)
    _, left, top = photo.layer.get_offsets()
    with filling(photo.image, layer):
        # Merging the shadow buffer takes all of it, except where a selection says otherwise.
        in_image = area._replace(x=area.x + left, y=area.y + top)
        photo.image.select_rectangle(Gimp.ChannelOps.REPLACE, *in_image)
        shadow = layer.get_shadow_buffer()
        for strip, pixels in strips:
            moved = Gegl.Rectangle.new(strip.x + x, strip.y + y, strip.width, strip.height)
            shadow.set(moved, LABEL_FORMAT, pixels)
        shadow.flush()
        layer.merge_shadow(True)
    layer.update(area.x + x, area.y + y, area.width, area.height)


def _new_layer(
    photo: Photo, name: str, kind: Gimp.ImageType, mode: Gimp.LayerMode, opacity: float = 100.0
) -> Gimp.Layer:
    _, _, width, height = photo.whole
    return Gimp.Layer.new(photo.image, name, width, height, kind, opacity, mode)


def _insert(
    photo: Photo, layer: Gimp.Layer, below: Gimp.Layer, role: str, pixels: Gegl.Buffer
) -> None:
    """Fill a new layer and insert it directly above the layer `below`."""
    # Before it is in the image, a layer is written directly: no undo, and no selection, applies.
    copy_all(pixels, layer.get_buffer())
    _, x, y = photo.layer.get_offsets()
    layer.set_offsets(x, y)
    image = photo.image
    image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
    give_role(photo, layer, role)
