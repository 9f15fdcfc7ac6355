"""The two things a user asks for: labels for a photo, and colours for a photo with labels.

Each first asks the bridge for everything, which may take long and may fail, and only then changes
the image, in one undo step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import layers
from bridge_client import Bridge, Progress
from gi.repository import Gegl, Gimp


@dataclass(frozen=True)
class Outcome:
    """What an action made, and what the user should be told about it (sentences, maybe none)."""

    layer: Gimp.Layer
    notes: list[str]


def add_label_layer(
    image: Gimp.Image, drawables: list[Gimp.Drawable], detail: int, report: Progress
) -> Outcome:
    """Let the worker label the selected photo, and put the labels in a layer above it.

    Args:
        detail: longest side of the network's input in pixels; 0 is the model's default.
        report: called with (fraction in 0..1, text) now and then.

    Raises:
        LayerError, BridgeError: nothing was changed; the message says what to do.
    """
    photo = layers.find_photo(image, drawables)
    if layers.find_layer(image, photo, layers.LABELS):
        raise layers.LayerError(
            "This photo has a label layer already. Edit that one, or delete it to start again."
        )
    with Bridge(report) as bridge:
        _send_photo(bridge, image, photo)
        labels = _fetch_labels(bridge, photo, detail)
    notes = _conversion_note(image)
    with layers.one_undo_step(image):
        layers.make_rgb(image)
        layer = layers.add_label_layer(image, photo, labels)
    image.set_selected_layers([layer])  # the next stroke must go here, not into the photo
    return Outcome(layer, notes)


def colorize(
    image: Gimp.Image, drawables: list[Gimp.Drawable], detail: int, report: Progress
) -> Outcome:
    """Colour the selected photo from its label layer; make or update its colorized layer.

    A photo without a label layer gets one, hidden, so that what appears is the coloured photo.
    Arguments and errors are those of `add_label_layer`.
    """
    photo = layers.find_photo(image, drawables)
    label_layer = layers.find_layer(image, photo, layers.LABELS)
    colorized = layers.find_layer(image, photo, layers.COLORIZED)
    if colorized:
        layers.check_unlocked(colorized)
    found_labels = None
    with Bridge(report) as bridge:
        _send_photo(bridge, image, photo)
        if label_layer:
            labels = layers.read_layer(label_layer, photo, layers.LABEL_FORMAT)
        else:
            found_labels = _fetch_labels(bridge, photo, detail)
            area = found_labels.get_extent()
            labels = layers.read_buffer(found_labels, area, layers.LABEL_FORMAT)
        ambiguous = _send_labels(bridge, photo, labels)
        colors = _fetch_colors(bridge, image, photo, detail)
    notes = _conversion_note(image) + _ambiguous_note(ambiguous)
    with layers.one_undo_step(image):
        layers.make_rgb(image)
        if found_labels:
            layers.add_label_layer(image, photo, found_labels).set_visible(False)
        if colorized:
            layers.update_colorized_layer(image, colorized, photo, colors)
        else:
            colorized = layers.add_colorized_layer(image, photo, colors)
    return Outcome(colorized, notes)


def connect(invitation: str, report: Progress) -> str:
    """Use the worker of an invitation line, or with “local” this machine's; returns a sentence.

    Raises:
        BridgeError: it is no invitation, or that worker can't be reached; nothing was changed.
    """
    with Bridge(report) as bridge:
        answer, _ = bridge.request("connect", invitation=invitation)
    return str(answer["message"])


def _send_photo(bridge: Bridge, image: Gimp.Image, photo: Gimp.Layer) -> None:
    pixel_format = layers.photo_format(image)
    width, height = photo.get_width(), photo.get_height()
    bridge.request("begin_photo", format=pixel_format, width=width, height=height)
    for strip in layers.read_layer(photo, photo, pixel_format):
        bridge.request("rows", strip)


def _send_labels(bridge: Bridge, photo: Gimp.Layer, labels: Iterator[bytes]) -> int:
    """Returns how many pixels had no palette colour."""
    answer, _ = bridge.request("begin_labels", width=photo.get_width(), height=photo.get_height())
    for strip in labels:
        answer, _ = bridge.request("rows", strip)
    return int(answer["ambiguous"])


def _fetch_labels(bridge: Bridge, photo: Gimp.Layer, detail: int) -> Gegl.Buffer:
    bridge.request("segment", detail=detail)
    return layers.collect(photo, layers.LABEL_FORMAT, _row_reader(bridge, "label_rows"))


def _fetch_colors(bridge: Bridge, image: Gimp.Image, photo: Gimp.Layer, detail: int) -> Gegl.Buffer:
    bridge.request("colorize", detail=detail, depth=layers.depth_of(image))
    return layers.collect(photo, layers.color_format(image), _row_reader(bridge, "color_rows"))


def _row_reader(bridge: Bridge, op: str) -> Callable[[int, int], bytes]:
    def read(first_row: int, rows: int) -> bytes:
        return bridge.request(op, first_row=first_row, rows=rows)[1]

    return read


def _conversion_note(image: Gimp.Image) -> list[str]:
    if image.get_base_type() == Gimp.ImageBaseType.RGB:
        return []
    return ["The image is now in RGB mode, which holds colours; undo takes that back too."]


def _ambiguous_note(pixels: int) -> list[str]:
    if not pixels:
        return []
    return [
        f"{pixels} pixels of the label layer had no palette colour, so the nearest class was "
        "taken. The Pencil paints hard edges, which avoids this."
    ]
