"""Everything semcolor knows about an image in GIMP: which layer is what, and its pixels.

A *photo* is a plain raster layer that semcolor only ever reads. Above it lie its *colorized layer*,
the layer of *chosen colours* when the user has chosen some, and, on top, its *label layer*; a
parasite on each names its role and the photo's key, so that they are found again after renaming,
moving, saving, loading, and in a duplicate of the image.

Pixels travel in strips of full rows, tightly packed, in native byte order. Results are collected in
a `Gegl.Buffer` (which can swap to disk) before the image is touched, so that a plug-in which is
killed while it waits leaves the image as it was.
"""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import gi

# Converting 8-bit RGBA to 16 bits of another colour space, babl halves the colours once it has made
# itself a table, which it does after some thousand pixels.
os.environ.setdefault("BABL_LUT", "0")
gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp  # noqa: E402
from shared.geometry import NOWHERE, Rectangle  # noqa: E402
from shared.timings import timed  # noqa: E402
from translation import tr  # noqa: E402

LABELS = "labels"
COLORIZED = "colorized"
CHOSEN = "chosen colours"
_PHOTO = "photo"
LABEL_FORMAT = "R'G'B'A u8"
SELECTION_FORMAT = "Y u8"

_PARASITE = "semcolor-layer"
_PARASITE_VERSION = 2
_STAMP = "semcolor-colors"
_STRIP_PIXELS = 4_000_000
_STRIP_BYTES = 16 * 2**20
_BYTES_PER_PIXEL = {
    "Y' u8": 1,
    SELECTION_FORMAT: 1,
    "Y' u16": 2,
    "R'G'B' u8": 3,
    "R'G'B' u16": 6,
    LABEL_FORMAT: 4,
}
_COMPONENTS = {1: "B", 2: "H", 3: "I", 5: "e", 6: "f", 7: "d"}  # by hundreds of Gimp.Precision


class LayerError(Exception):
    """This can't be done with this image or layer. The message says what to do."""


# --- Which layer is what ---------------------------------------------------------------------


def find_photo(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> Gimp.Layer:
    """The photo that the user means: the selected layer, or the one that our layer belongs to.

    Raises:
        LayerError: not exactly one layer is selected, or it can't be a photo.
    """
    if len(drawables) != 1:
        raise LayerError(tr("Select one layer, the photo, and try again."))
    layer = drawables[0]
    mark = _read_mark(layer)
    if mark and mark["role"] != _PHOTO:
        layer = _photo_with_key(image, mark["key"])
        if layer is None:
            raise LayerError(
                tr("This layer's photo is gone. Select the photo's layer and try again.")
            )
    _check_is_photo(image, layer)
    return layer


def find_layer(image: Gimp.Image, photo: Gimp.Layer, role: str) -> Gimp.Layer | None:
    """The photo's layer with this role, the topmost if several; None without any."""
    key = _key_of(image, photo)
    return next(_layers_with(image, role, key), None) if key else None


def check_unlocked(layer: Gimp.Layer) -> None:
    """Raises LayerError when the user has locked this layer's pixels."""
    item = layer
    while item:  # a group's lock holds for all that is in it
        if item.get_lock_content():
            message = tr("The layer “{layer}” is locked. Unlock its pixels first.")
            raise LayerError(message.format(layer=item.get_name()))
        item = item.get_parent()


def _check_is_photo(image: Gimp.Image, layer: Gimp.Drawable) -> None:
    if image.get_floating_sel() is not None:
        raise LayerError(tr("Anchor the floating selection first (Layer ▸ Anchor Layer)."))
    if not layer.is_layer():
        raise LayerError(tr("Select the photo's layer itself, not a mask or channel."))
    # Asked by name: GIMP 3.0 has no link and vector layers to ask about.
    kind = type(layer).__name__
    if layer.is_group() or kind in ("TextLayer", "VectorLayer", "LinkLayer"):
        raise LayerError(
            tr(
                "Text, vector, link and group layers can't be coloured. "
                "Select a photo, or merge or rasterize this layer first."
            )
        )
    if layer.get_parent():
        check_unlocked(layer.get_parent())  # our layers go there


def _all_layers(layers: list[Gimp.Item]) -> Iterator[Gimp.Layer]:
    """These layers and those in groups among them, from top to bottom."""
    for layer in layers:
        yield layer
        if layer.is_group():
            yield from _all_layers(layer.get_children())


def _layers_with(image: Gimp.Image, role: str, key: str) -> Iterator[Gimp.Layer]:
    for layer in _all_layers(image.get_layers()):
        mark = _read_mark(layer)
        if mark and (mark["role"], mark["key"]) == (role, key):
            yield layer


def _photo_with_key(image: Gimp.Image, key: str) -> Gimp.Layer | None:
    """The photo, not a duplicate of its layer. GIMP gives all layers of a duplicated image new
    tattoos; then it is the lowest with this key."""
    photos = list(_layers_with(image, _PHOTO, key))
    originals = [photo for photo in photos if _is_original(photo)]
    return (originals or photos or [None])[-1]


def _key_of(image: Gimp.Image, photo: Gimp.Layer) -> str | None:
    """The key of a photo to which we have added layers; None of any other."""
    mark = _read_mark(photo)
    if not mark or mark["role"] != _PHOTO:
        return None
    key: str = mark["key"]
    if _is_original(photo):
        return key
    original = _photo_with_key(image, key)
    return key if original and original.get_id() == photo.get_id() else None


def _is_original(photo: Gimp.Layer) -> bool:
    mark = _read_mark(photo)
    return bool(mark and mark["tattoo"] == photo.get_tattoo())


def _read_mark(layer: Gimp.Item) -> dict[str, Any] | None:
    """What our parasite says of this layer: {"version", "role", "key", "tattoo"}; None if none."""
    parasite = layer.get_parasite(_PARASITE)
    if parasite is None:
        return None
    try:
        mark: dict[str, Any] = json.loads(bytes(parasite.get_data()))
        return mark if mark["version"] == _PARASITE_VERSION else None
    except (ValueError, KeyError, TypeError):  # somebody else's, or a later semcolor's
        return None


def _write_mark(layer: Gimp.Layer, role: str, key: str) -> None:
    mark = {"version": _PARASITE_VERSION, "role": role, "key": key, "tattoo": layer.get_tattoo()}
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    layer.attach_parasite(Gimp.Parasite.new(_PARASITE, flags, json.dumps(mark).encode()))


# --- Pixels out of and into strips -------------------------------------------------------------


def hex_of(color: Gegl.Color) -> str:
    """A colour as `#rrggbb`, in sRGB."""
    red, green, blue = color.get_bytes(Babl.format("R'G'B' u8")).get_data()
    return f"#{red:02x}{green:02x}{blue:02x}"


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


def stored(image: Gimp.Image, colors: bytes) -> bytes:
    """These label colours as a layer of this image gives them back.

    An 8-bit image with a colour profile of its own rounds them: by 2 levels with AdobeRGB, by 7 if
    it is linear as well. Painting a colour and writing it come to the same.

    Args:
        colors: opaque pixels, in `LABEL_FORMAT`, all different.

    Raises:
        LayerError: different colours became the same, so labels would be lost.
    """
    if not is_rgb(image):
        raise LayerError(
            tr(
                "The label layer lost its colours when the image left RGB mode. Undo that, or "
                "delete the label layer and start again."
            )
        )
    with _row_of(image, colors) as layer:
        area = Gegl.Rectangle.new(0, 0, layer.get_width(), 1)
        buffer = layer.get_buffer()
        found: bytes = buffer.get(area, 1.0, LABEL_FORMAT, Gegl.AbyssPolicy.NONE)
    if len(set(memoryview(found).cast("I"))) < area.width:
        raise LayerError(
            tr(
                "The image's colour profile is too small for the label colours. Convert the image "
                "to sRGB first (Image ▸ Color Management)."
            )
        )
    return found


def shown_in_thumbnail(image: Gimp.Image, colors: bytes) -> bytes:
    """These label colours as the thumbnail of a layer of this image has them.

    GIMP 3.0 makes thumbnails in the image's precision and profile, GIMP 3.2 in 8 bits.
    """
    with _row_of(image, colors) as layer:
        data: bytes = layer.get_thumbnail_data(layer.get_width(), 1)[0].get_data()
    return data


def thumbnail_component(image: Gimp.Image) -> str:
    """The `struct` code of one component in the thumbnails of this image's layers."""
    if (Gimp.MAJOR_VERSION, Gimp.MINOR_VERSION) >= (3, 2):
        return "B"
    return _COMPONENTS[int(image.get_precision()) // 100]


@contextlib.contextmanager
def _row_of(image: Gimp.Image, colors: bytes) -> Iterator[Gimp.Layer]:
    """A layer with these pixels that is not in the image, for a moment."""
    size, kind = (len(colors) // 4, 1), Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, "", *size, kind, 100.0, Gimp.LayerMode.NORMAL)
    try:
        buffer = layer.get_buffer()
        buffer.set(Gegl.Rectangle.new(0, 0, *size), LABEL_FORMAT, colors)
        buffer.flush()
        yield layer
    finally:
        layer.delete()


def photo_format(image: Gimp.Image) -> str:
    """The babl format in which a photo of this image is read."""
    components = "Y'" if image.get_base_type() == Gimp.ImageBaseType.GRAY else "R'G'B'"
    return f"{components} u{depth_of(image)}"


def color_format(image: Gimp.Image) -> str:
    """The babl format in which this image's colorized layer is written."""
    return f"R'G'B' u{depth_of(image)}"


def whole(photo: Gimp.Layer) -> Rectangle:
    """The photo's own rectangle, from (0, 0)."""
    return Rectangle(0, 0, photo.get_width(), photo.get_height())


def strips(area: Rectangle, pixel_format: str) -> Iterator[Rectangle]:
    """This rectangle in strips of full rows, from top to bottom; none when it is empty."""
    if not area:
        return
    fit = min(_STRIP_PIXELS, _STRIP_BYTES // _BYTES_PER_PIXEL[pixel_format]) // area.width
    rows = max(1, fit)
    for first in range(area.y, area.y + area.height, rows):
        yield area._replace(y=first, height=min(rows, area.y + area.height - first))


@timed("read")
def read_layer(layer: Gimp.Layer, photo: Gimp.Layer, area: Rectangle, pixel_format: str) -> bytes:
    """The layer's pixels in this rectangle of the photo; transparent black outside of the layer."""
    x, y = _offset(photo, layer)
    moved = Gegl.Rectangle.new(area.x + x, area.y + y, area.width, area.height)
    # A buffer that was asked for before does not know what the user has painted since.
    pixels: bytes = layer.get_buffer().get(moved, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    return pixels


def read_buffer(buffer: Gegl.Buffer, pixel_format: str) -> Iterator[bytes]:
    """All pixels of a buffer, in strips."""
    extent = buffer.get_extent()
    area = Rectangle(extent.x, extent.y, extent.width, extent.height)
    for strip in strips(area, pixel_format):
        yield buffer.get(Gegl.Rectangle.new(*strip), 1.0, pixel_format, Gegl.AbyssPolicy.NONE)


def place_in(photo: Gimp.Layer, layer: Gimp.Layer) -> Rectangle:
    """Where a layer lies, in the photo's pixels."""
    x, y = _offset(photo, layer)
    return Rectangle(-x, -y, layer.get_width(), layer.get_height())


def selection_in(photo: Gimp.Layer, image: Gimp.Image) -> Rectangle:
    """The bounds of the selection, in the photo's pixels; empty when nothing is selected."""
    _, is_there, left, top, right, bottom = Gimp.Selection.bounds(image)
    if not is_there:
        return NOWHERE
    _, x, y = photo.get_offsets()
    return Rectangle(left - x, top - y, right - left, bottom - top)


def _offset(photo: Gimp.Layer, layer: Gimp.Layer) -> tuple[int, int]:
    """What to add to a place in the photo to have it in the layer."""
    _, photo_x, photo_y = photo.get_offsets()
    _, layer_x, layer_y = layer.get_offsets()
    return photo_x - layer_x, photo_y - layer_y


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
    if not is_rgb(image):
        image.convert_rgb()


def add_label_layer(image: Gimp.Image, photo: Gimp.Layer, pixels: Gegl.Buffer) -> Gimp.Layer:
    """Insert a label layer directly above the photo, or above its colorized layer."""
    layer = Gimp.Layer.new(
        image,
        tr("Labels"),
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
        tr("Colorized"),
        photo.get_width(),
        photo.get_height(),
        Gimp.ImageType.RGB_IMAGE,
        100.0,
        Gimp.LayerMode.LCH_COLOR,
    )
    _insert(image, layer, photo, photo, COLORIZED, pixels)
    return layer


def replace_pixels(
    image: Gimp.Image, layer: Gimp.Layer, photo: Gimp.Layer, pixels: Gegl.Buffer
) -> None:
    """Put new pixels in one of our layers, at the photo's place and size; its settings stay."""
    _, photo_x, photo_y = photo.get_offsets()
    _, layer_x, layer_y = layer.get_offsets()
    width, height = photo.get_width(), photo.get_height()
    layer.resize(width, height, layer_x - photo_x, layer_y - photo_y)
    # Only the shadow buffer makes an undo step. Merging it is clipped by the selection and leaves
    # out channels that the user has switched off, so both are set aside meanwhile.
    with _selection_set_aside(image), _all_channels_active(image), _alpha_unlocked(layer):
        shadow = layer.get_shadow_buffer()
        _copy(pixels, shadow)
        layer.merge_shadow(True)
    stamp = os.urandom(8).hex().encode()
    layer.attach_parasite(Gimp.Parasite.new(_STAMP, Gimp.PARASITE_UNDOABLE, stamp))
    layer.update(0, 0, width, height)


def colors_stamp(layer: Gimp.Layer) -> bytes:
    """Another one after each `replace_pixels`, and after its undo and redo."""
    parasite = layer.get_parasite(_STAMP)
    return bytes(parasite.get_data()) if parasite else b""


def set_plain(layer: Gimp.Layer, plain: bool) -> None:
    """Let a colorized layer cover the photo, or give it only hue and chroma."""
    layer.set_mode(Gimp.LayerMode.NORMAL if plain else Gimp.LayerMode.LCH_COLOR)


@timed("write")
def write_directly(
    layer: Gimp.Layer, photo: Gimp.Layer, area: Rectangle, pixel_format: str, pixels: bytes
) -> None:
    """Write pixels into a rectangle of the photo: no undo step is made, no selection applies.

    Raises:
        LayerError: the layer is locked.
    """
    check_unlocked(layer)  # GIMP would kill us
    x, y = _offset(photo, layer)
    moved = Gegl.Rectangle.new(area.x + x, area.y + y, area.width, area.height)
    buffer = layer.get_buffer()
    buffer.set(moved, pixel_format, pixels)
    buffer.flush()
    layer.update(moved.x, moved.y, moved.width, moved.height)


def write_labels(
    image: Gimp.Image, layer: Gimp.Layer, photo: Gimp.Layer, strips: list[tuple[Rectangle, bytes]]
) -> None:
    """Put new pixels in a rectangle of the label layer, which the strips make up: one undo step."""
    area = NOWHERE
    for strip, _ in strips:
        area = strip.join(area)
    x, y = _offset(photo, layer)
    _, layer_x, layer_y = layer.get_offsets()
    with _filling(image, layer):
        # Merging the shadow buffer takes all of it, except where a selection says otherwise.
        _select_rectangle(image, area._replace(x=area.x + x + layer_x, y=area.y + y + layer_y))
        shadow = layer.get_shadow_buffer()
        for strip, pixels in strips:
            place = Gegl.Rectangle.new(strip.x + x, strip.y + y, strip.width, strip.height)
            shadow.set(place, LABEL_FORMAT, pixels)
        shadow.flush()
        layer.merge_shadow(True)
    layer.update(area.x + x, area.y + y, area.width, area.height)


def label_selection(image: Gimp.Image, layer: Gimp.Layer, color: str | None) -> int:
    """Fill the selection in the label layer with a class's colour; None: clear it. One undo step.

    Returns:
        How many pixels were filled.

    Raises:
        LayerError: nothing is selected, or the layer is locked.
    """
    _require_selection(image, layer)
    with _filling(image, layer):
        Gimp.Selection.sharpen(image)  # a soft edge would make colours of no class
        return _fill_selected(layer, color)


def choose_color(image: Gimp.Image, photo: Gimp.Layer, color: str) -> Gimp.Layer:
    """Give the selection this colour's hue and chroma, in a layer of its own: one undo step.

    Live colouring leaves that layer alone.

    Raises:
        LayerError: nothing is selected, or the layer is locked.
    """
    _require_selection(image, photo)
    with one_undo_step(image):
        layer = find_layer(image, photo, CHOSEN) or _add_chosen_layer(image, photo)
        with _filling(image, layer):
            _fill_selected(layer, color)
    return layer


def fill_region(image: Gimp.Image, layer: Gimp.Layer, color: str | None, x: int, y: int) -> int:
    """Fill the connected region of one colour around a pixel of the layer: one undo step.

    Returns:
        How many pixels the region has.
    """
    _, layer_x, layer_y = layer.get_offsets()
    with _filling(image, layer):
        Gimp.context_set_antialias(False)
        Gimp.context_set_sample_threshold(0.0)
        Gimp.context_set_sample_transparent(True)
        image.select_contiguous_color(Gimp.ChannelOps.REPLACE, layer, x + layer_x, y + layer_y)
        return _fill_selected(layer, color)


def _require_selection(image: Gimp.Image, layer: Gimp.Layer) -> None:
    if Gimp.Selection.is_empty(image) or not layer.mask_intersect()[0]:
        raise LayerError(
            tr("Select an area of the photo first, with any of GIMP's selection tools.")
        )


def _add_chosen_layer(image: Gimp.Image, photo: Gimp.Layer) -> Gimp.Layer:
    """Insert a transparent layer above the colorized layer."""
    layer = Gimp.Layer.new(
        image,
        tr("Chosen Colours"),
        photo.get_width(),
        photo.get_height(),
        Gimp.ImageType.RGBA_IMAGE,
        100.0,
        Gimp.LayerMode.LCH_COLOR,
    )
    nothing = Gegl.Buffer.new(LABEL_FORMAT, *whole(photo))
    below = find_layer(image, photo, COLORIZED) or photo
    _insert(image, layer, photo, below, CHOSEN, nothing)
    return layer


def _fill_selected(layer: Gimp.Layer, color: str | None) -> int:
    """Fill, or clear, and return how many pixels of the layer are selected."""
    if color is None:
        layer.edit_clear()
    else:
        Gimp.context_set_foreground(Gegl.Color.new(color))
        layer.edit_fill(Gimp.FillType.FOREGROUND)
    return int(layer.histogram(Gimp.HistogramChannel.ALPHA, 0.0, 1.0).pixels)


def _select_rectangle(image: Gimp.Image, area: Rectangle) -> None:
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *area)


@contextlib.contextmanager
def _filling(image: Gimp.Image, layer: Gimp.Layer) -> Iterator[None]:
    """One undo step in which the selection may be changed, with GIMP's own settings for filling.

    Raises:
        LayerError: the layer is locked.
    """
    check_unlocked(layer)
    with (
        one_undo_step(image),
        _selection_kept(image),
        _all_channels_active(image),
        _alpha_unlocked(layer),
    ):
        Gimp.context_push()
        try:
            Gimp.context_set_defaults()
            yield
        finally:
            Gimp.context_pop()


@contextlib.contextmanager
def _alpha_unlocked(layer: Gimp.Layer) -> Iterator[None]:
    locked = layer.get_lock_alpha()
    layer.set_lock_alpha(False)
    try:
        yield
    finally:
        layer.set_lock_alpha(locked)


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
    key = _key_of(image, photo)
    if key is None:
        key = uuid.uuid4().hex
        _write_mark(photo, _PHOTO, key)
    _write_mark(layer, role, key)


def _copy(pixels: Gegl.Buffer, target: Gegl.Buffer) -> None:
    area = pixels.get_extent()
    pixels.copy(area, Gegl.AbyssPolicy.NONE, target, area)
    target.flush()


@contextlib.contextmanager
def _selection_set_aside(image: Gimp.Image) -> Iterator[None]:
    """No selection in the block, and the same selection after it."""
    with _selection_kept(image):
        if not Gimp.Selection.is_empty(image):
            Gimp.Selection.none(image)
        yield


@contextlib.contextmanager
def _selection_kept(image: Gimp.Image) -> Iterator[None]:
    """The same selection after the block as before it, whatever the block does."""
    if Gimp.Selection.is_empty(image):
        yield
        if not Gimp.Selection.is_empty(image):
            Gimp.Selection.none(image)
        return
    # Not saved as a channel, as is usual: after undo, GIMP 3.2 would have no layer selected.
    mask = image.get_selection()
    saved = Gegl.Buffer.new("Y u16", 0, 0, mask.get_width(), mask.get_height())
    _copy(mask.get_buffer(), saved)
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
