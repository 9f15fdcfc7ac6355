"""The process that writes pixels for all others; see `writing`.

GIMP starts it with itself, as it does Script-Fu's, because a process that serves others can't be
started by them: they would have to wait for its end. If GIMP kills it, the same is done by
processes that are started for one write each, which takes about 0.15 s longer.
"""

from collections.abc import Iterator
from pathlib import Path

from gi.repository import Gegl, Gimp, GLib, GObject
from shared.geometry import Rectangle
from shared.timings import timed

from .photo import ImageChangedError, LayerError, Photo
from .pixels import row_bytes, strips
from .roles import check_unlocked
from .undo import filling
from .writing import WRITE, WRITE_ONCE, PixelFile

_TILE_CACHE_BYTES = 64 * 2**20  # of a process that stays as long as GIMP
_SERVE = "plug-in-semcolor-writer"
_FLAGS = GObject.ParamFlags.READWRITE
_INTEGERS = -(2**31), 2**31 - 1, 0

NAMES = _SERVE, WRITE_ONCE
"""The procedures that `create` makes."""


def create(plug_in: Gimp.PlugIn, name: str) -> Gimp.Procedure:
    """The procedure of this name, with its arguments and documentation."""
    if name == _SERVE:
        # GIMP runs by itself what is persistent and has no arguments.
        procedure = Gimp.Procedure.new(plug_in, name, Gimp.PDBProcType.PERSISTENT, _serve, None)
        procedure.set_documentation("Write pixels for Semantic Color", None, name)
        return procedure
    return _writing(plug_in, name, Gimp.PDBProcType.PLUGIN)


def _writing(plug_in: Gimp.PlugIn, name: str, kind: Gimp.PDBProcType) -> Gimp.Procedure:
    procedure = Gimp.Procedure.new(plug_in, name, kind, _write, None)
    procedure.add_image_argument("image", "Image", None, False, _FLAGS)
    for layer in ("photo", "layer"):
        procedure.add_layer_argument(layer, layer, None, False, _FLAGS)
    for field in Rectangle._fields:
        procedure.add_int_argument(field, field, None, *_INTEGERS, _FLAGS)
    for text in ("pixels", "format"):
        procedure.add_string_argument(text, text, None, "", _FLAGS)
    procedure.add_boolean_argument("undoable", "Undoable", None, False, _FLAGS)
    procedure.set_documentation(
        "Write pixels into a layer",
        "For the other procedures and the panel, which outlive it if GIMP kills it.",
        name,
    )
    return procedure


def _serve(
    procedure: Gimp.Procedure, _config: Gimp.ProcedureConfig, _data: None
) -> Gimp.ValueArray:
    plug_in = Gimp.get_plug_in()
    plug_in.add_temp_procedure(_writing(plug_in, WRITE, Gimp.PDBProcType.TEMPORARY))
    plug_in.persistent_enable()
    procedure.persistent_ready()
    GLib.MainLoop().run()  # until GIMP ends
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def _write(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, _data: None) -> Gimp.ValueArray:
    Gegl.init(None)
    Gegl.config().set_property("tile-cache-size", _TILE_CACHE_BYTES)
    value = config.get_property
    area = Rectangle(*map(value, Rectangle._fields))
    content = PixelFile(Path(value("pixels")), area, value("format"))
    photo = Photo(value("image"), value("photo"))
    try:
        _write_file(photo, value("layer"), content, value("undoable"))
    except LayerError as error:
        status, message = Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(str(error))
        return procedure.new_return_values(status, message)
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


@timed("write")
def _write_file(photo: Photo, layer: Gimp.Layer, content: PixelFile, undoable: bool) -> None:
    if photo.image.get_item_position(layer) < 0:
        raise ImageChangedError
    check_unlocked(layer)
    if undoable:
        _write_step(photo, layer, content)
        return
    buffer = layer.get_buffer()
    for strip, pixels in _rows(content):
        buffer.set(_in_layer(photo, layer, strip), content.pixel_format, pixels)
    buffer.flush()
    _update(photo, layer, content.area)


def _write_step(photo: Photo, layer: Gimp.Layer, content: PixelFile) -> None:
    area = content.area
    _, left, top = photo.layer.get_offsets()
    with filling(photo.image, layer):
        # Only merging the shadow buffer makes an undo step. All of it is taken, except where a
        # selection says otherwise.
        in_image = area._replace(x=area.x + left, y=area.y + top)
        photo.image.select_rectangle(Gimp.ChannelOps.REPLACE, *in_image)
        shadow = layer.get_shadow_buffer()
        for strip, pixels in _rows(content):
            shadow.set(_in_layer(photo, layer, strip), content.pixel_format, pixels)
        shadow.flush()
        layer.merge_shadow(True)
    _update(photo, layer, area)


def _update(photo: Photo, layer: Gimp.Layer, area: Rectangle) -> None:
    moved = _in_layer(photo, layer, area)
    layer.update(moved.x, moved.y, moved.width, moved.height)


def _rows(content: PixelFile) -> Iterator[tuple[Rectangle, bytes]]:
    stride = row_bytes(content.area, content.pixel_format)
    with content.path.open("rb") as file:
        for strip in strips(content.area, content.pixel_format):
            yield strip, file.read(strip.height * stride)


def _in_layer(photo: Photo, layer: Gimp.Drawable, area: Rectangle) -> Gegl.Rectangle:
    x, y = photo.offset_to(layer)
    return Gegl.Rectangle.new(area.x + x, area.y + y, area.width, area.height)
