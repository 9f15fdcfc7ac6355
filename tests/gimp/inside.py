"""Helpers for the scripts that tests run in GIMP's own Python (so only `gi` and the stdlib).

`processes` has those for the plug-in's and the worker's processes, `screen` those for windows,
mouse and keyboard. A script has the names of all three.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

Gegl.init(None)
sys.path.insert(1, f"{Gimp.directory()}/plug-ins/semcolor")  # its modules, for some tests

LIMIT_SECONDS = 300  # far more than anything takes, also on a busy machine

_FORMATS = {  # babl format: (channels, numpy dtype)
    "Y u8": (1, "uint8"),
    "Y' u8": (1, "uint8"),
    "Y' u16": (1, "uint16"),
    "R'G'B' u8": (3, "uint8"),
    "R'G'B' u16": (3, "uint16"),
    "R'G'B'A u8": (4, "uint8"),
    "CIE Lab float": (3, "float32"),
    "RGBA float": (4, "float32"),
}


def call(name: str, **properties: Any) -> Any:
    """Run a procedure; return its first value, if any. Raises RuntimeError with GIMP's message."""
    values = call_for_all(name, **properties)
    return values[0] if values else None


def call_for_all(name: str, **properties: Any) -> list[Any]:
    """Run a procedure; return its values. Raises RuntimeError with GIMP's message."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    assert procedure, f"GIMP doesn't know {name}"
    config = procedure.create_config()
    for key, value in properties.items():
        key = key.replace("_", "-")
        if isinstance(value, list) and key == "drawables":
            config.set_core_object_array(key, value)
        elif isinstance(value, list) and not isinstance(value[0], str):
            Gimp.ProcedureConfig.set_double_array(config, key, value)
        else:
            config.set_property(key, value)
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(Gimp.get_pdb().get_last_error())
    values = [result.index(index) for index in range(1, result.length())]
    return [
        Gimp.value_get_double_array(value) if isinstance(value, Gimp.DoubleArray) else value
        for value in values
    ]


def add_labels(image: Gimp.Image, layer: Gimp.Layer | None = None) -> Gimp.Layer:
    return ours("add-label-layer", image, layer)[0]


def colorize(image: Gimp.Image, layer: Gimp.Layer | None = None) -> Gimp.Layer:
    return ours("colorize", image, layer)[0]


def ours(
    name: str, image: Gimp.Image, layer: Gimp.Layer | None = None, /, **properties: Any
) -> list[Any]:
    """Run one of our procedures on a layer, or on the lowest one; return its values."""
    properties = {"run_mode": Gimp.RunMode.NONINTERACTIVE, **properties}
    if isinstance(properties.get("file"), str):
        properties["file"] = Gio.File.new_for_path(properties["file"])
    drawables = [layer or image.get_layers()[-1]]
    name = f"plug-in-semcolor-{name}"
    return call_for_all(name, image=image, drawables=drawables, **properties)


def load(path: str) -> Gimp.Image:
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
    image.undo_enable()  # the JPEG loader switches it off, and only File ▸ Open switches it on
    return image


def load_gray(path: str, depth: int, width: int = 320) -> Gimp.Image:
    """A photo as a small gray image of this depth; at 16 bits, with values that 8 can't hold."""
    image = load(path)
    if depth == 16:
        image.convert_precision(Gimp.Precision.U16_NON_LINEAR)
    image.convert_grayscale()
    image.scale(width, round(width * image.get_height() / image.get_width()))
    return image


def save(image: Gimp.Image, path: str) -> None:
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(path), None)


def pixels(
    layer: Gimp.Drawable, pixel_format: str, area: tuple[int, int, int, int] | None = None
) -> dict:
    """A layer's pixels for the test, which gets them as a numpy array."""
    channels, dtype = _FORMATS[pixel_format]
    x, y, width, height = area or (0, 0, layer.get_width(), layer.get_height())
    area = Gegl.Rectangle.new(x, y, width, height)
    data = layer.get_buffer().get(area, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    return to_array(data, [height, width, channels], dtype)


def to_array(data: bytes, shape: list[int], dtype: str) -> dict:
    """Bytes that the test gets as a numpy array."""
    with tempfile.NamedTemporaryFile(dir=os.environ["HOME"], suffix=".raw", delete=False) as file:
        file.write(data)
    return {"pixels": file.name, "shape": shape, "dtype": dtype}


def content(layer: Gimp.Drawable, pixel_format: str = "R'G'B'A u16") -> bytes:
    """A layer's pixels, to compare within the script."""
    area = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    return layer.get_buffer().get(area, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)


def visible(image: Gimp.Image, pixel_format: str) -> dict:
    """The pixels of the image as it is shown."""
    return pixels(Gimp.Layer.new_from_visible(image, image, "visible"), pixel_format)


def paint(layer: Gimp.Layer, color: str, x: int, y: int, width: int, height: int) -> None:
    """Paint a rectangle with the Pencil, in strokes, as a user would."""
    Gimp.context_push()
    Gimp.context_set_defaults()
    Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 100"))
    Gimp.context_set_brush_size(9)
    Gimp.context_set_foreground(Gegl.Color.new(color))
    left, right = x + 5, x + width - 5
    for row in range(y + 5, y + height - 4, 3):
        Gimp.pencil(layer, [left, row, right, row])
    Gimp.context_pop()


def structure(image: Gimp.Image) -> dict:
    """What the layers dock shows, from top to bottom, and what else could be left changed."""
    return {
        "mode": int(image.get_base_type()),
        "layers": [
            {
                "name": layer.get_name(),
                "offsets": list(layer.get_offsets())[1:],
                "size": [layer.get_width(), layer.get_height()],
                "opacity": round(layer.get_opacity()),
                "lch color": layer.get_mode() == Gimp.LayerMode.LCH_COLOR,
                "visible": layer.get_visible(),
            }
            for layer in image.get_layers()
        ],
        "selected layers": [layer.get_name() for layer in image.get_selected_layers()],
        "selection": list(Gimp.Selection.bounds(image))[1:],
        "channels": len(image.get_channels()),
        "foreground": foreground(),
        "background": _hex(Gimp.context_get_background()),
        "paint method": Gimp.context_get_paint_method()[-1],
    }


def foreground() -> str:
    """The user's foreground colour as `#rrggbb`."""
    return _hex(Gimp.context_get_foreground())


def _hex(color: Gegl.Color) -> str:
    return "#" + color.get_bytes(Babl.format("R'G'B' u8")).get_data().hex()


def failure(action: Callable, *arguments: Any, **properties: Any) -> str | None:
    """The message with which a procedure fails; None when it doesn't."""
    try:
        action(*arguments, **properties)
    except RuntimeError as error:
        return str(error)
    return None


def wait(until: Callable[[], bool]) -> None:
    """Wait for something to happen; the limit only ends a test that has failed."""
    end = time.monotonic() + LIMIT_SECONDS
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)
