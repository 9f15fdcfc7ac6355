"""The two things a user asks for: labels for a photo, and colours for a photo with labels.

Each first asks the bridge for everything, which may take long and may fail, and only then changes
the image, in one undo step.
"""

from dataclasses import dataclass

import layers
from bridge_client import Bridge, Progress
from exchange import Exchange
from gi.repository import Gegl, Gimp


@dataclass(frozen=True)
class Outcome:
    """What an action made, and what the user should be told about it (sentences, maybe none)."""

    layer: Gimp.Layer
    notes: list[str]


@dataclass(frozen=True)
class Found:
    """What the bridge has answered, before the image is touched."""

    labels: Gegl.Buffer | None
    """Predicted labels; None when the photo has a label layer."""
    colors: Gegl.Buffer | None
    ambiguous: int = 0
    """How many pixels of the label layer had no palette colour."""


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
        found = find_labels(Exchange(bridge, image, photo), detail)
    return apply(image, photo, found)


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
    with Bridge(report) as bridge:
        found = find_colors(Exchange(bridge, image, photo), label_layer, detail)
    return apply(image, photo, found, show_labels=False)


def find_labels(exchange: Exchange, detail: int) -> Found:
    """Predicted labels."""
    return Found(exchange.segment(detail), None)


def find_colors(exchange: Exchange, label_layer: Gimp.Layer | None, detail: int) -> Found:
    """Colours for this label layer; without one, for predicted labels."""
    labels, ambiguous = None, 0
    if label_layer:
        ambiguous = exchange.send_labels(label_layer)
    else:
        labels = exchange.segment(detail)
    return Found(labels, exchange.colorize(detail), ambiguous)


def apply(image: Gimp.Image, photo: Gimp.Layer, found: Found, show_labels: bool = True) -> Outcome:
    """Put what was found into the image: one undo step. Its layer is the colorized one if any.

    Labels that are shown are selected too: the next stroke must go there, not into the photo.
    """
    notes = _conversion_note(image) + ambiguous_note(found.ambiguous)
    label_layer = None
    with layers.one_undo_step(image):
        layers.make_rgb(image)
        if found.labels:
            label_layer = layers.add_label_layer(image, photo, found.labels)
            label_layer.set_visible(show_labels)
        made = _put_colors(image, photo, found.colors) if found.colors else label_layer
    if label_layer and show_labels:
        image.set_selected_layers([label_layer])
    return Outcome(made, notes)


def connect(invitation: str, report: Progress) -> str:
    """Use the worker of an invitation line, or with “local” this machine's; returns a sentence.

    Raises:
        BridgeError: it is no invitation, or that worker can't be reached; nothing was changed.
    """
    with Bridge(report) as bridge:
        answer, _ = bridge.request("connect", invitation=invitation)
    return str(answer["message"])


def ambiguous_note(pixels: int) -> list[str]:
    """What to tell the user about pixels that had no palette colour."""
    if not pixels:
        return []
    return [
        f"{pixels} pixels of the label layer had no palette colour, so the nearest class was "
        "taken. The Pencil paints hard edges, which avoids this."
    ]


def _put_colors(image: Gimp.Image, photo: Gimp.Layer, colors: Gegl.Buffer) -> Gimp.Layer:
    colorized = layers.find_layer(image, photo, layers.COLORIZED)
    if colorized is None:
        return layers.add_colorized_layer(image, photo, colors)
    layers.update_colorized_layer(image, colorized, photo, colors)
    return colorized


def _conversion_note(image: Gimp.Image) -> list[str]:
    if image.get_base_type() == Gimp.ImageBaseType.RGB:
        return []
    return ["The image is now in RGB mode, which holds colours; undo takes that back too."]
