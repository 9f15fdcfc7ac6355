"""What goes between one photo's layers and the bridge.

A bridge answers slowly, so the panel talks to it in a thread of its own; GIMP may be called in the
main thread only. So whatever touches GIMP goes through `in_gimp`: in the panel's thread it waits
until the main thread has made the call, in a procedure without a window it makes the call itself.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import layers
from bridge_client import Bridge
from gi.repository import Gegl, Gimp
from shared.geometry import Rectangle

T = TypeVar("T")
InGimp = Callable[[Callable[[], Any]], Any]


class LabelChange(NamedTuple):
    """What the bridge has changed in its labels: the new pixels, in strips, and how many differ."""

    strips: list[tuple[Rectangle, bytes]]
    pixels: int


def directly(call: Callable[[], T]) -> T:
    """The `in_gimp` of the main thread."""
    return call()


class Exchange:
    """One photo in GIMP, and the same photo in a bridge.

    Args:
        bridge: a bridge that nobody else uses.
        photo: the photo's layer.
        in_gimp: calls its argument where GIMP may be called, and returns what that returns.

    The methods raise what `Bridge.request` raises. Rectangles are in the photo's pixels.
    """

    def __init__(
        self, bridge: Bridge, image: Gimp.Image, photo: Gimp.Layer, in_gimp: InGimp = directly
    ) -> None:
        self._bridge, self._image, self._photo, self._in_gimp = bridge, image, photo, in_gimp
        self._whole: Rectangle = in_gimp(lambda: layers.whole(photo))
        self._has_photo = self._has_labels = False
        self._ambiguous = 0
        self.lowered = 0  # the last result's detail, where the worker had no memory for more
        self._classes = b""  # the classes' colours
        self._palette = b""  # ... as the image gave them back last
        self._colored_at: int | None = None  # the detail of the colours that GIMP has

    def segment(self, detail: int) -> Gegl.Buffer:
        """The predicted labels; the bridge keeps them as the photo's labels.

        Raises:
            LayerError: the image can't hold label colours.
        """
        self._require_label_colors()
        self._send_photo()
        answer, _ = self._bridge.request("segment", detail=detail)
        self.lowered = answer["lowered"]
        self._has_labels, self._ambiguous = True, 0
        return self._collect("label_rows", layers.LABEL_FORMAT)

    def send_labels(self, layer: Gimp.Layer, edit: Rectangle | None = None) -> int:
        """Send the label layer, or only `edit` when the bridge has had the rest.

        Returns:
            How many pixels of the whole layer were no class's colour, as far as they were sent.

        Raises:
            LayerError: the image can't hold label colours.
        """
        self._send_photo()
        palette = self._stored_palette()
        if edit is None or not self._has_labels or palette != self._palette:
            edit, self._palette = self._whole, palette
            self._bridge.request("begin_labels", palette, width=edit.width, height=edit.height)
        elif not edit:
            return self._ambiguous
        else:
            self._bridge.request("edit_labels", **edit._asdict())
        answer = self._send_rows(layer, edit, layers.LABEL_FORMAT)
        self._has_labels, self._ambiguous = True, int(answer["ambiguous"])
        return self._ambiguous

    def colorize(self, detail: int) -> Gegl.Buffer:
        """The whole photo's colours for the labels that were sent, in the image's precision."""
        self._ask_for_colors("colorize", detail)
        return self._collect("color_rows", self._in_gimp(self._color_format))

    def recolor(self, detail: int, layer: Gimp.Layer) -> None:
        """Write the colours that differ from the last ones into the colorized layer.

        No undo step is made, and no selection applies.
        """
        area = self._whole
        if self._colored_at == detail:
            area = _rectangle(self._ask_for_colors("recolor", detail))
        else:
            self._ask_for_colors("colorize", detail)
        color_format = self._in_gimp(self._color_format)
        for strip, pixels in self._fetch("color_rows", area, color_format):
            write = partial(layers.write_directly, layer, self._photo, strip, color_format, pixels)
            self._in_gimp(write)

    def change_labels(self, op: str, **fields: int) -> LabelChange:
        """Let the bridge change its labels."""
        answer, _ = self._bridge.request(op, **fields)
        strips = self._fetch("label_rows", _rectangle(answer), layers.LABEL_FORMAT)
        return LabelChange(list(strips), int(answer["pixels"]))

    def encode_labels(self) -> bytes:
        """The labels that were sent, as the file that the command line writes."""
        return self._bridge.request("encode_labels")[1]

    def decode_labels(self, content: bytes, name: str) -> tuple[Gegl.Buffer, int]:
        """The labels of such a file; the bridge keeps them as the photo's labels.

        Returns:
            With them, how many pixels had no palette colour.

        Raises:
            LayerError: the image can't hold label colours.
        """
        self._require_label_colors()
        self._send_photo()
        answer, _ = self._bridge.request("decode_labels", content, name=name)
        self._has_labels, self._ambiguous = True, 0
        return self._collect("label_rows", layers.LABEL_FORMAT), int(answer["ambiguous"])

    def suggest(self, area: Rectangle, detail: int) -> list[tuple[str, float]]:
        """Plausible colours for the selection, whose bounds are given, most likely first.

        Returns:
            Pairs of `#rrggbb` and how likely that is (0..1).
        """
        self._bridge.request("begin_mask", **area._asdict())
        selection = self._in_gimp(self._image.get_selection)
        self._send_rows(selection, area, layers.SELECTION_FORMAT)
        answer, _ = self._bridge.request("suggest", detail=detail)
        return [(color["rgb"], color["share"]) for color in answer["colors"]]

    def _require_label_colors(self) -> None:
        if self._in_gimp(lambda: layers.is_rgb(self._image)):  # else it will become sRGB
            self._stored_palette()

    def _stored_palette(self) -> bytes:
        if not self._classes:
            self._classes = self._bridge.request("palette")[1]
        stored: bytes = self._in_gimp(lambda: layers.stored(self._image, self._classes))
        return stored

    def _send_photo(self) -> None:
        if self._has_photo:
            return
        pixel_format = self._in_gimp(lambda: layers.photo_format(self._image))
        size = {"width": self._whole.width, "height": self._whole.height}
        self._bridge.request("begin_photo", format=pixel_format, **size)
        self._send_rows(self._photo, self._whole, pixel_format)
        self._has_photo = True

    def _send_rows(self, layer: Gimp.Layer, area: Rectangle, pixel_format: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for strip in layers.strips(area, pixel_format):
            pixels = self._in_gimp(
                partial(layers.read_layer, layer, self._photo, strip, pixel_format)
            )
            answer, _ = self._bridge.request("rows", pixels)
        return answer

    def _ask_for_colors(self, op: str, detail: int) -> dict[str, Any]:
        depth = self._in_gimp(lambda: layers.depth_of(self._image))
        self._colored_at = None
        answer, _ = self._bridge.request(op, detail=detail, depth=depth)
        self._colored_at = detail
        return answer

    def _color_format(self) -> str:
        return layers.color_format(self._image)

    def _collect(self, op: str, pixel_format: str) -> Gegl.Buffer:
        buffer = Gegl.Buffer.new(pixel_format, *self._whole)
        for strip, pixels in self._fetch(op, self._whole, pixel_format):
            buffer.set(Gegl.Rectangle.new(*strip), pixel_format, pixels)
        return buffer

    def _fetch(
        self, op: str, area: Rectangle, pixel_format: str
    ) -> Iterator[tuple[Rectangle, bytes]]:
        for strip in layers.strips(area, pixel_format):
            place = {"x": strip.x, "width": strip.width}
            request = self._bridge.request
            answer, pixels = request(op, first_row=strip.y, rows=strip.height, **place)
            self.lowered = answer.get("lowered", self.lowered)
            yield strip, pixels


def _rectangle(answer: dict[str, Any]) -> Rectangle:
    return Rectangle(answer["x"], answer["y"], answer["width"], answer["height"])
