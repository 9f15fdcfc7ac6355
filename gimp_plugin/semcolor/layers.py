"""Everything semcolor knows about an image in GIMP: which layer is what, and its pixels.

A *photo* is a plain raster layer that semcolor only ever reads. Above it lie its *colorized layer*
and, on top, its *label layer*; a parasite on each names its role and the photo's tattoo, so that
they are found again after renaming, moving, saving and loading.

Pixels travel in strips of full rows, tightly packed, in native byte order. Results are collected in
a `Gegl.Buffer` (which can swap to disk) before the image is touched, so that a plug-in which is
killed while it waits leaves the image as it was.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

LABELS = "labels"
COLORIZED = "colorized"
LABEL_FORMAT = "R'G'B'A u8"

_PARASITE = "semcolor-layer"
_PARASITE_VERSION = 1
_STRIP_PIXELS = 4_000_000
_STRIP_BYTES = 16 * 2**20
_BYTES_PER_PIXEL = {
    "Y' u8": 1,
    "Y' u16": 2,
    "R'G'B' u8": 3,
    "R'G'B' u16": 6,
    LABEL_FORMAT: 4,
}


class LayerError(Exception):
    """This can't be done with this image or layer. The message says what to do."""


# --- Which layer is what ---------------------------------------------------------------------


def find_photo(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> Gimp.Layer:
    """The photo that the user means: the selected layer, or the one that our layer belongs to.

    Raises:
        LayerError: not exactly one layer is selected, or it can't be a photo.
    """
    if len(drawables) != 1:
        raise LayerError("Select one layer, the photo, and try again.")
    layer = drawables[0]
    mark = _read_mark(layer)
    if mark:
        layer = image.get_layer_by_tattoo(mark["photo"])
        if layer is None:
            raise LayerError("This layer's photo is gone. Select the photo's layer and try again.")
    _check_is_photo(image, layer)
    return layer


def find_layer(image: Gimp.Image, photo: Gimp.Layer, role: str) -> Gimp.Layer | None:
    """The photo's layer with this role (`LABELS` or `COLORIZED`), the topmost if several."""
    for layer in _all_layers(image.get_layers()):
        mark = _read_mark(layer)
        if mark and mark["role"] == role and mark["photo"] == photo.get_tattoo():
            return layer
    return None


def check_unlocked(layer: Gimp.Layer) -> None:
    """Raises LayerError when the user has locked this layer's pixels."""
    if layer.get_lock_content():
        raise LayerError(f"The layer “{layer.get_name()}” is locked. Unlock its pixels first.")


def _check_is_photo(image: Gimp.Image, layer: Gimp.Drawable) -> None:
    if image.get_floating_sel() is not None:
        raise LayerError("Anchor the floating selection first (Layer ▸ Anchor Layer).")
    if not layer.is_layer():
        raise LayerError("Select the photo's layer itself, not a mask or channel.")
    # Asked by name: GIMP 3.0 has no link and vector layers to ask about.
    kind = type(layer).__name__
    if layer.is_group() or kind in ("TextLayer", "VectorLayer", "LinkLayer"):
        raise LayerError(
            "Text, vector, link and group layers can't be coloured. "
            "Select a photo, or merge or rasterize this layer first."
        )


def _all_layers(layers: list[Gimp.Item]) -> Iterator[Gimp.Layer]:
    """These layers and those in groups among them, from top to bottom."""
    for layer in layers:
        yield layer
        if layer.is_group():
            yield from _all_layers(layer.get_children())


def _read_mark(layer: Gimp.Item) -> dict[str, Any] | None:
    """What our parasite says of this layer: {"version", "role", "photo"}; None when not ours."""
    parasite = layer.get_parasite(_PARASITE)
    if parasite is None:
        return None
    try:
        mark: dict[str, Any] = json.loads(bytes(parasite.get_data()))
        return mark if mark["version"] == _PARASITE_VERSION else None
    except (ValueError, KeyError, TypeError):  # somebody else's, or a later semcolor's
        return None


def _write_mark(layer: Gimp.Layer, photo: Gimp.Layer, role: str) -> None:
    mark = {"version": _PARASITE_VERSION, "role": role, "photo": photo.get_tattoo()}
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    layer.attach_parasite(Gimp.Parasite.new(_PARASITE, flags, json.dumps(mark).encode()))


# --- Pixels out of and into strips -------------------------------------------------------------


def depth_of(image: Gimp.Image) -> int:
    """8 for an image with 8 bits per channel, 16 for every deeper one."""
    eight_bit = (
        Gimp.Precision.U8_LINEAR,
        Gimp.Precision.U8_NON_LINEAR,
        Gimp.Precision.U8_PERCEPTUAL,
    )
    return 8 if image.get_precision() in eight_bit else 16


def photo_format(image: Gimp.Image) -> str:
    """The babl format in which a photo of this image is read."""
    components = "Y'" if image.get_base_type() == Gimp.ImageBaseType.GRAY else "R'G'B'"
    return f"{components} u{depth_of(image)}"


def color_format(image: Gimp.Image) -> str:
    """The babl format in which this image's colorized layer is written."""
    return f"R'G'B' u{depth_of(image)}"


def strips(width: int, height: int, pixel_format: str) -> Iterator[tuple[int, int]]:
    """(first row, number of rows) of each strip, from top to bottom."""
    fit = min(_STRIP_PIXELS, _STRIP_BYTES // _BYTES_PER_PIXEL[pixel_format]) // width
    rows = max(1, fit)
    for first in range(0, height, rows):
        yield first, min(rows, height - first)


def read_layer(layer: Gimp.Layer, photo: Gimp.Layer, pixel_format: str) -> Iterator[bytes]:
    """The layer's pixels over the photo's rectangle, in strips; transparent black outside of it."""
    _, photo_x, photo_y = photo.get_offsets()
    _, layer_x, layer_y = layer.get_offsets()
    area = Gegl.Rectangle.new(
        photo_x - layer_x, photo_y - layer_y, photo.get_width(), photo.get_height()
    )
    return read_buffer(layer.get_buffer(), area, pixel_format)


def read_buffer(buffer: Gegl.Buffer, area: Gegl.Rectangle, pixel_format: str) -> Iterator[bytes]:
    """The pixels of this area in strips; transparent black outside of the buffer."""
    for first, rows in strips(area.width, area.height, pixel_format):
        strip = Gegl.Rectangle.new(area.x, area.y + first, area.width, rows)
        yield buffer.get(strip, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)


def collect(
    photo: Gimp.Layer, pixel_format: str, fetch: Callable[[int, int], bytes]
) -> Gegl.Buffer:
    """A buffer of the photo's size, filled strip by strip from `fetch(first row, rows)`."""
    width, height = photo.get_width(), photo.get_height()
    buffer = Gegl.Buffer.new(pixel_format, 0, 0, width, height)
    for first, rows in strips(width, height, pixel_format):
        strip = Gegl.Rectangle.new(0, first, width, rows)
        buffer.set(strip, pixel_format, fetch(first, rows))
    return buffer


# --- Changing the image ------------------------------------------------------------------------


@contextlib.contextmanager
def one_undo_step(image: Gimp.Image) -> Iterator[None]:
    """All changes in the block become one undo step; the user's selected layers stay selected."""
    selected = image.get_selected_layers()
    image.undo_group_start()
    try:
        yield
        image.set_selected_layers(selected)
    finally:
        image.undo_group_end()


def make_rgb(image: Gimp.Image) -> None:
    """Convert a gray or indexed image, whose layers can't hold our colours."""
    if image.get_base_type() != Gimp.ImageBaseType.RGB:
        image.convert_rgb()


def add_label_layer(image: Gimp.Image, photo: Gimp.Layer, pixels: Gegl.Buffer) -> Gimp.Layer:
    """Insert a label layer directly above the photo, or above its colorized layer."""
    layer = Gimp.Layer.new(
        image,
        "Labels",
        photo.get_width(),
        photo.get_height(),
        Gimp.ImageType.RGBA_IMAGE,
        50.0,
        Gimp.LayerMode.NORMAL,
    )
    _insert(image, layer, photo, find_layer(image, photo, COLORIZED) or photo, LABELS, pixels)
    return layer


def add_colorized_layer(image: Gimp.Image, photo: Gimp.Layer, pixels: Gegl.Buffer) -> Gimp.Layer:
    """Insert a colorized layer directly above the photo: its hue and chroma, the photo's light."""
    layer = Gimp.Layer.new(
        image,
        "Colorized",
        photo.get_width(),
        photo.get_height(),
        Gimp.ImageType.RGB_IMAGE,
        100.0,
        Gimp.LayerMode.LCH_COLOR,
    )
    _insert(image, layer, photo, photo, COLORIZED, pixels)
    return layer


def update_colorized_layer(
    image: Gimp.Image, layer: Gimp.Layer, photo: Gimp.Layer, pixels: Gegl.Buffer
) -> None:
    """Put new pixels in a colorized layer, at the photo's place and size; its settings stay."""
    _, photo_x, photo_y = photo.get_offsets()
    _, layer_x, layer_y = layer.get_offsets()
    width, height = photo.get_width(), photo.get_height()
    layer.resize(width, height, layer_x - photo_x, layer_y - photo_y)
    # Only the shadow buffer makes an undo step. Merging it is clipped by the selection and leaves
    # out channels that the user has switched off, so both are set aside meanwhile.
    with _selection_set_aside(image), _all_channels_active(image):
        shadow = layer.get_shadow_buffer()
        _copy(pixels, shadow)
        layer.merge_shadow(True)
    layer.update(0, 0, width, height)


def _insert(
    image: Gimp.Image,
    layer: Gimp.Layer,
    photo: Gimp.Layer,
    below: Gimp.Layer,
    role: str,
    pixels: Gegl.Buffer,
) -> None:
    """Fill a new layer and insert it directly above the layer `below`."""
    # Before it is in the image, a layer is written directly: no undo, and no selection, applies.
    _copy(pixels, layer.get_buffer())
    _, x, y = photo.get_offsets()
    layer.set_offsets(x, y)
    image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
    _write_mark(layer, photo, role)


def _copy(pixels: Gegl.Buffer, target: Gegl.Buffer) -> None:
    area = pixels.get_extent()
    pixels.copy(area, Gegl.AbyssPolicy.NONE, target, area)
    target.flush()


@contextlib.contextmanager
def _selection_set_aside(image: Gimp.Image) -> Iterator[None]:
    """No selection in the block, and the same selection after it."""
    if Gimp.Selection.is_empty(image):
        yield
        return
    # Not saved as a channel, as is usual: after undo, GIMP 3.2 would have no layer selected.
    mask = image.get_selection()
    saved = Gegl.Buffer.new("Y u16", 0, 0, mask.get_width(), mask.get_height())
    _copy(mask.get_buffer(), saved)
    Gimp.Selection.none(image)
    try:
        yield
    finally:
        _copy(saved, mask.get_buffer())
        mask.update(0, 0, mask.get_width(), mask.get_height())


@contextlib.contextmanager
def _all_channels_active(image: Gimp.Image) -> Iterator[None]:
    channels = (Gimp.ChannelType.RED, Gimp.ChannelType.GREEN, Gimp.ChannelType.BLUE)
    switched_off = [c for c in channels if not image.get_component_active(c)]
    for channel in switched_off:
        image.set_component_active(channel, True)
    try:
        yield
    finally:
        for channel in switched_off:
            image.set_component_active(channel, False)
