"""Inside GIMP: label layers with in-between colours."""

from collections.abc import Callable
from typing import Any

from bridge.process import BridgeProcess
from gi.repository import Gegl, Gimp
from images import layers
from images.label_colors import LabelColors
from images.photo import Photo
from inside import pixels, to_array
from pictures import make
from rows import HEIGHT, KINDS, SOFT, STROKES, WIDTH
from shared.bridge_schema import LABEL_FORMAT
from shared.classes import all_classes
from work import Check, Work, named


def check_soft(gray: bytes) -> Check:
    """For `run`: reads a label layer with in-between colours, cleans it, and reads it again."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        way, kind = SOFT[row]
        image = make(KINDS[kind], gray)
        work = Work(bridge, image, image.get_layers()[0])
        labels = _two_halves(work)
        result: dict[str, Any] = {"before": _read(work, labels)}
        _WAYS[way](image, labels, named(STROKES[2]).hex)
        work = Work(bridge, image, work.photo)  # its size may be another
        result["soft"] = _read(work, labels)
        work.clean()
        result["clean"] = _read(work, labels)
        stored = LabelColors(image).stored
        result["stored"] = to_array(stored, [len(all_classes()), 4], "uint8")
        image.delete()
        return result

    return check


def _two_halves(work: Work) -> Gimp.Layer:
    """A label layer with two classes side by side, and nothing in its lowest rows."""
    left, right, _ = (bytes((*named(name).rgb, 255)) for name in STROKES)
    row = left * (WIDTH // 2) + right * (WIDTH // 2)
    rows = row * (HEIGHT - 12) + bytes(4 * WIDTH * 12)
    photo = Photo(work.image, work.photo)
    buffer = Gegl.Buffer.new(LABEL_FORMAT, *photo.whole)
    buffer.set(Gegl.Rectangle.new(*photo.whole), LABEL_FORMAT, rows)
    return layers.add_label_layer(photo, buffer)


def _read(work: Work, labels: Gimp.Layer) -> dict[str, Any]:
    ambiguous = work.exchange.send_labels(labels)
    area = Photo(work.image, labels).extent_of(work.photo)  # in the label layer
    colors = pixels(labels, "R'G'B'A u8", area)
    return {"colors": colors, "labels": work.labels(), "ambiguous": ambiguous}


def _brush(size: float) -> Callable[[Gimp.Image, Gimp.Layer, str], None]:
    def way(_: Gimp.Image, labels: Gimp.Layer, color: str) -> None:
        Gimp.context_push()
        Gimp.context_set_defaults()
        Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 050"))
        Gimp.context_set_brush_size(size)
        Gimp.context_set_foreground(Gegl.Color.new(color))
        Gimp.paintbrush_default(labels, [20, 10, 70, 40, 50, 65])
        Gimp.context_pop()

    return way


def _scaled(factor: float, how: Gimp.InterpolationType) -> Callable[..., None]:
    def way(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
        Gimp.context_set_interpolation(how)
        labels.scale(round(WIDTH * factor), round(HEIGHT * factor), True)

    return way


def _rotated(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.CUBIC)
    labels.transform_rotate(0.3, True, 0, 0)


def _perspective(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.LINEAR)
    labels.transform_perspective(5, 3, WIDTH - 9, 7, -4, HEIGHT + 8, WIDTH + 6, HEIGHT - 5)


def _image_scaled(image: Gimp.Image, _: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.CUBIC)
    image.scale(round(WIDTH * 1.37), round(HEIGHT * 1.37))


_WAYS: dict[str, Callable[[Gimp.Image, Gimp.Layer, str], None]] = {
    "soft brush": _brush(16),
    "large soft brush": _brush(60),
    "halved": _scaled(0.49, Gimp.InterpolationType.LINEAR),
    "enlarged": _scaled(1.7, Gimp.InterpolationType.LINEAR),
    "enlarged smoothly": _scaled(2.3, Gimp.InterpolationType.NOHALO),
    "rotated": _rotated,
    "perspective": _perspective,
    "image scaled": _image_scaled,
}
