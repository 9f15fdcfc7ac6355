"""What goes between one photo's layers and the bridge.

A bridge answers slowly, so the panel talks to it in a thread of its own; GIMP may be called in the
main thread only. So whatever touches GIMP goes through `in_gimp`: in the panel's thread it waits
until the main thread has made the call, in a procedure without a window it makes the call itself.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from gi.repository import Gegl, Gimp
from images.color_notes import read_notes
from images.label_colors import LabelColors
from images.photo import ImageChangedError, Photo
from images.pixels import (
    Glance,
    Snapshot,
    color_format,
    depth_of,
    glance,
    is_rgb,
    photo_format,
    read_pixels,
    row_bytes,
    strips,
)
from images.writing import pixel_file, write
from labels.merging import newer_kept
from live.tiles import Edit
from shared.bridge_schema import LABEL_FORMAT, PAYLOAD_LIMIT, SELECTION_FORMAT
from shared.color_notes import ColorNote, format_notes
from shared.geometry import NOWHERE, Rectangle

from .process import BridgeProcess

T = TypeVar("T")
InGimp = Callable[[Callable[[], Any]], Any]


class LabelChange(NamedTuple):
    """What the bridge has changed in its labels: the new pixels, in strips, and how many differ.

    To be written or dropped.
    """

    area: Rectangle
    strips: list[tuple[Rectangle, bytes]]
    pixels: int
    before: Snapshot
    """The label layer as it was before it was sent."""

    def write(self, photo: Photo) -> None:
        """Put it into the label layer, but for where was painted since: one undo step.

        Raises:
            LayerError: the layer is locked.
            ImageChangedError: the image was changed meanwhile.
        """
        try:
            if self.strips:
                strips = self.strips if self.before.is_current() else self._merged(photo)
                with pixel_file(strips, LABEL_FORMAT) as content:
                    write(photo, self.before.layer, content, undoable=True)
        finally:
            self.drop()

    def drop(self) -> None:
        """Don't write it."""
        self.before.delete()

    def _merged(self, photo: Photo) -> Iterator[tuple[Rectangle, bytes]]:
        for strip, made in self.strips:
            before, now = (
                read_pixels(photo, layer, strip, LABEL_FORMAT)
                for layer in (self.before.copy, self.before.layer)
            )
            yield strip, newer_kept(made, before, now)


def directly(call: Callable[[], T]) -> T:
    """The `in_gimp` of the main thread."""
    return call()


class Exchange:
    """One photo in GIMP, and the same photo in a bridge.

    Args:
        bridge: a bridge that nobody else uses.
        in_gimp: calls its argument where GIMP may be called, and returns what that returns.
        label_colors: of the photo's image.

    The methods raise what `BridgeProcess.request` raises. Rectangles are in the photo's pixels.
    """

    def __init__(
        self,
        bridge: BridgeProcess,
        photo: Photo,
        in_gimp: InGimp = directly,
        label_colors: LabelColors | None = None,
    ) -> None:
        self._bridge, self._photo, self._in_gimp = bridge, photo, in_gimp
        self._label_colors = label_colors or LabelColors(photo.image)
        self._whole: Rectangle = in_gimp(lambda: photo.whole)
        self._has_photo = self._has_labels = False
        self._sent: Glance | None = None  # the photo, at a glance, that the bridge has
        self.ambiguous = 0  # pixels of the label layer that are no class's colour
        self.lowered = 0  # the last result's detail, where the worker had no memory for more
        self._palette = b""  # the classes' colours as the image gave them back last
        self._notes = ""  # colour notes, as the bridge has them
        self._colored_at: int | None = None  # the detail of the colours that GIMP has

    # --- Labels ----------------------------------------------------------------------------------

    def segment(self, detail: int) -> Gegl.Buffer:
        """The predicted labels; the bridge keeps them as the photo's labels.

        Raises:
            LayerError: the image can't hold label colours.
        """
        self._require_label_colors()
        self._send_photo()
        answer, _ = self._bridge.request("segment", detail=detail)
        self.lowered = answer["lowered"]
        self._has_labels, self.ambiguous = True, 0
        return self._collect("label_rows", LABEL_FORMAT)

    def send_labels(
        self, layer: Gimp.Layer, edit: Rectangle | None = None, by_hand: bool = False
    ) -> int:
        """Send the label layer, or only `edit` when the bridge has had the rest.

        Args:
            by_hand: the user has just painted that.

        Returns:
            How many pixels of the whole layer were no class's colour, as far as they were sent.

        Raises:
            LayerError: the image can't hold label colours.
        """
        self._send_photo()
        palette = self._in_gimp(lambda: self._label_colors.stored)
        if edit is None or not self._has_labels or palette != self._palette:
            edit, self._palette = self._whole, palette
            self._bridge.request("begin_labels", palette, width=edit.width, height=edit.height)
        elif not edit:
            return self.ambiguous
        else:
            self._bridge.request("edit_labels", by_hand=by_hand, **edit._asdict())
        answer = self._send_rows(layer, edit, LABEL_FORMAT)
        self._has_labels, self.ambiguous = True, int(answer["ambiguous"])
        return self.ambiguous

    def send_selection(self, area: Rectangle) -> None:
        """Send the selection, whose bounds in the photo these are."""
        self._bridge.request("begin_mask", **area._asdict())
        selection = self._in_gimp(self._photo.image.get_selection)
        self._send_rows(selection, area, SELECTION_FORMAT)

    def change_labels(
        self, op: str, layer: Gimp.Layer, edit: Rectangle | None,
        inside: Rectangle = NOWHERE, by_hand: bool = False, **fields: Any,
    ) -> LabelChange:  # fmt: skip
        """Send the label layer as `send_labels` does, and let the bridge change its labels.

        Args:
            inside: the bounds of the selection, outside of which nothing changes, if any.
        """
        before: Snapshot = self._in_gimp(lambda: Snapshot(layer))
        try:
            self.send_labels(layer, edit, by_hand)
            if inside:
                self.send_selection(inside)
            answer, _ = self._bridge.request(op, **fields)
            area = _rectangle(answer)
            changed = list(self._fetch("label_rows", area, LABEL_FORMAT))
        except Exception:
            self._in_gimp(before.delete)
            raise
        return LabelChange(area, changed, int(answer["pixels"]), before)

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
        self._has_labels, self.ambiguous = True, 0
        return self._collect("label_rows", LABEL_FORMAT), int(answer["ambiguous"])

    # --- Colours ---------------------------------------------------------------------------------

    def colorize(self, detail: int, notes: Sequence[ColorNote] | None = None) -> Gegl.Buffer:
        """The whole photo's colours for the labels that were sent, in the image's precision.

        Args:
            notes: colours of single objects; None: those that are kept with the photo.
        """
        depth: int = self._in_gimp(lambda: depth_of(self._photo.image))
        self._send_notes(notes)
        self._colored_at = None  # until all of it has come
        self._bridge.request("colorize", detail=detail, depth=depth)
        buffer = self._collect("color_rows", color_format(depth))
        self._colored_at = detail
        return buffer

    def stroke(self, labels: Gimp.Layer, edit: Edit, detail: int, colorized: Gimp.Layer) -> int:
        """Send an edit, and write the colours that it changes into the colorized layer.

        No undo step is made, and no selection applies. Returns and raises as `send_labels`.
        """
        palette, depth = self._in_gimp(
            lambda: (self._label_colors.stored, depth_of(self._photo.image))
        )
        pixels = b""
        if self._has_labels and palette == self._palette and _fits(edit.area):
            pixels = edit.pixels or self._read(labels, edit.area, LABEL_FORMAT)
        else:
            self.send_labels(labels, edit.area, edit.is_stroke)
        place = {**edit.area._asdict(), "by_hand": edit.is_stroke}
        self._follow(colorized, detail, depth, "stroke", pixels, place)
        return self.ambiguous

    def label_object(
        self, labels: Gimp.Layer, edit: Edit, class_id: int, locked: Collection[int]
    ) -> LabelChange:
        """Send a stroke of this class, and let the object under it become that.

        Args:
            locked: classes whose pixels stay theirs.
        """
        return self.change_labels(
            "refine_labels", labels, edit.area, by_hand=True,
            class_id=class_id, selected=False, everywhere=False, locked=sorted(locked),
        )  # fmt: skip

    def take_back(self, change: LabelChange) -> None:
        """Let the bridge's labels be again what was sent before this change, which was the last."""
        try:
            self.send_labels(change.before.copy, change.area)
        except Exception:
            self._in_gimp(change.drop)
            raise

    def recolor(self, detail: int, colorized: Gimp.Layer) -> None:
        """Write the colours into the colorized layer that have changed, as `stroke` does."""
        depth = self._in_gimp(lambda: depth_of(self._photo.image))
        self._follow(colorized, detail, depth, "recolor", b"", {})

    def _follow(
        self, colorized: Gimp.Layer, detail: int, depth: int,
        op: str, payload: bytes, fields: dict[str, int],
    ) -> None:  # fmt: skip
        is_colored, self._colored_at = self._colored_at == detail, None  # until it is written
        self._send_notes()
        if is_colored:
            request = {**fields, "detail": detail, "depth": depth}
            answer, colors = self._bridge.request(op, payload, **request)
            self.ambiguous, self.lowered = int(answer["ambiguous"]), int(answer["lowered"])
            self._write(colorized, _rectangle(answer), depth, colors)
        else:
            self._bridge.request("colorize", detail=detail, depth=depth)
            self._write(colorized, self._whole, depth)
        self._colored_at = detail
        # It may have been mirrored and mirrored back just while it was sent.
        now = self._in_gimp(lambda: glance(self._photo.layer))
        if self._sent is not None and self._sent.is_other(now):
            raise ImageChangedError
        self._sent = now

    def suggest(self, part: Rectangle | tuple[int, int], detail: int) -> list[tuple[str, float]]:
        """Plausible colours for the selection, whose bounds are given, most likely first.

        Args:
            part: or a pixel of an object of the labels that were sent.

        Returns:
            Pairs of `#rrggbb` and how likely that is (0..1).
        """
        fields = {}
        if isinstance(part, Rectangle):
            self.send_selection(part)
        else:
            fields = {"x": part[0], "y": part[1]}
        answer, _ = self._bridge.request("suggest", detail=detail, **fields)
        return [(color["rgb"], color["share"]) for color in answer["colors"]]

    # --- Small things ----------------------------------------------------------------------------

    def _require_label_colors(self) -> None:
        if self._in_gimp(lambda: is_rgb(self._photo.image)):  # else it will become sRGB
            self._in_gimp(lambda: self._label_colors.stored)

    def _send_photo(self) -> None:
        if self._has_photo:
            return
        self._sent = self._in_gimp(lambda: glance(self._photo.layer))
        pixel_format = self._in_gimp(lambda: photo_format(self._photo.image))
        size = {"width": self._whole.width, "height": self._whole.height}
        self._bridge.request("begin_photo", format=pixel_format, **size)
        self._send_rows(self._photo.layer, self._whole, pixel_format)
        self._has_photo = True

    def _send_notes(self, notes: Sequence[ColorNote] | None = None) -> None:
        if notes is None:
            notes = self._in_gimp(lambda: read_notes(self._photo))
        text = format_notes(notes)
        if text != self._notes:
            self._bridge.request("color_notes", text.encode())
            self._notes = text

    def _send_rows(
        self, layer: Gimp.Drawable, area: Rectangle, pixel_format: str
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for strip in strips(area, pixel_format):
            answer, _ = self._bridge.request("rows", self._read(layer, strip, pixel_format))
        return answer

    def _read(self, layer: Gimp.Drawable, area: Rectangle, pixel_format: str) -> bytes:
        pixels: bytes = self._in_gimp(partial(read_pixels, self._photo, layer, area, pixel_format))
        return pixels

    def _write(self, layer: Gimp.Layer, area: Rectangle, depth: int, first: bytes = b"") -> None:
        """Write colours into this rectangle of a layer: its first rows, and then those to fetch."""
        if not area:
            return
        pixel_format = color_format(depth)
        rows = len(first) // row_bytes(area, pixel_format)
        rest = area._replace(y=area.y + rows, height=area.height - rows)
        strips = chain(
            _cut(area._replace(height=rows), first, pixel_format),
            self._fetch("color_rows", rest, pixel_format),
        )
        with pixel_file(strips, pixel_format) as content:
            self._in_gimp(partial(write, self._photo, layer, content, undoable=False))

    def _collect(self, op: str, pixel_format: str) -> Gegl.Buffer:
        buffer = Gegl.Buffer.new(pixel_format, *self._whole)
        for strip, pixels in self._fetch(op, self._whole, pixel_format):
            buffer.set(Gegl.Rectangle.new(*strip), pixel_format, pixels)
        return buffer

    def _fetch(
        self, op: str, area: Rectangle, pixel_format: str
    ) -> Iterator[tuple[Rectangle, bytes]]:
        for strip in strips(area, pixel_format):
            asked = {"x": strip.x, "width": strip.width}
            request = self._bridge.request
            answer, pixels = request(op, first_row=strip.y, rows=strip.height, **asked)
            self.lowered = answer.get("lowered", self.lowered)
            yield strip, pixels


def _fits(area: Rectangle) -> bool:
    """Whether the labels of this rectangle go into one request."""
    return row_bytes(area, LABEL_FORMAT) * area.height <= PAYLOAD_LIMIT


def _cut(area: Rectangle, pixels: bytes, pixel_format: str) -> Iterator[tuple[Rectangle, bytes]]:
    """These pixels in strips."""
    stride = row_bytes(area, pixel_format)
    for strip in strips(area, pixel_format):
        first = (strip.y - area.y) * stride
        yield strip, pixels[first : first + strip.height * stride]


def _rectangle(answer: dict[str, Any]) -> Rectangle:
    return Rectangle(answer["x"], answer["y"], answer["width"], answer["height"])
