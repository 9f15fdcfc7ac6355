"""Labels and colours for a whole photo: predicted, made, put into the image."""

from dataclasses import dataclass
from functools import partial

from bridge.exchange import Exchange
from gi.repository import Gegl, Gimp
from images import layers
from images.photo import LayerError, Photo
from images.pixels import color_format, depth_of, is_rgb
from images.roles import COLORIZED, LABELS, check_role_unlocked, find_layer
from images.undo import one_undo_step
from language import tr
from shared.bridge_schema import LABEL_FORMAT

from .action import Action, Outcome
from .notes import ambiguous_note, lowered_note


@dataclass(frozen=True)
class Found:
    """What the bridge has answered, before the image is touched."""

    labels: Gegl.Buffer | None
    """Labels for the label layer; None: it stays as it is."""
    colors: Gegl.Buffer | None
    ambiguous: int = 0
    """How many pixels of the label layer, or of the file, were no class's colour."""
    lowered: int = 0
    """At which detail it was made, where the worker had no memory for more."""


def add_label_layer(photo: Photo, detail: int) -> Action[Found]:
    """Let the worker label the photo, and put the labels in a layer above it.

    Args:
        detail: longest side of the network's input in pixels; 0 is the model's default.

    Raises:
        LayerError: there is a label layer.
    """
    if find_layer(photo, LABELS):
        raise LayerError(
            tr("This photo has a label layer already. Edit that one, or delete it to start again.")
        )
    return Action(
        lambda exchange: Found(exchange.segment(detail), None, lowered=exchange.lowered),
        partial(put, photo),
        tr("_Add Label Layer"),
    )


def colorize(
    photo: Photo,
    detail: int,
    show_labels: bool = True,
    plain: bool | None = None,
) -> Action[Found]:
    """Colour the photo from its label layer; make or update its colorized layer.

    A photo without a label layer gets one, shown or not. Else as `add_label_layer`.

    Args:
        plain: whether the colorized layer covers the photo, see `images.layers.set_plain`; None:
            not if it is new, and otherwise its mode stays.

    Raises:
        LayerError: the colorized layer is locked.
    """
    label_layer = find_layer(photo, LABELS)
    check_role_unlocked(photo, COLORIZED)

    def ask(exchange: Exchange) -> Found:
        labels, ambiguous = None, 0
        if label_layer:
            ambiguous = exchange.send_labels(label_layer)
        else:
            labels = exchange.segment(detail)
        return Found(labels, exchange.colorize(detail), ambiguous, exchange.lowered)

    apply = partial(put, photo, show_labels=show_labels, plain=plain)
    return Action(ask, apply, tr("_Colorize"))


def put(
    photo: Photo,
    found: Found,
    show_labels: bool = True,
    replace_labels: bool = False,
    plain: bool | None = None,
) -> Outcome:
    """Put what was found into the image: one undo step. Its layer is the colorized one if any.

    Only where that was asked for do labels replace those of a layer that there may be by now.

    Labels that are shown are selected too: the next stroke must go there, not into the photo.
    """
    notes = _conversion_note(photo.image) + ambiguous_note(found.ambiguous, photo.whole)
    notes += lowered_note(found.lowered)
    label_layer = None
    with one_undo_step(photo.image):
        layers.make_rgb(photo.image)
        if found.labels:
            label_layer = _put_labels(photo, found.labels, show_labels, replace_labels)
        made = _put_colors(photo, found.colors) if found.colors else label_layer
        if plain is not None:
            layers.set_plain(made, plain)
    if label_layer and show_labels:
        photo.image.set_selected_layers([label_layer])
    return Outcome({"layer": made, "ambiguous-pixels": found.ambiguous}, notes)


def _put_labels(photo: Photo, labels: Gegl.Buffer, show: bool, replace: bool) -> Gimp.Layer:
    layer = find_layer(photo, LABELS) if replace else None
    if layer is None:
        layer = layers.add_label_layer(photo, labels)
        layer.set_visible(show)
    else:
        layers.replace_pixels(photo, layer, labels, LABEL_FORMAT)
    return layer


def _put_colors(photo: Photo, colors: Gegl.Buffer) -> Gimp.Layer:
    colorized = find_layer(photo, COLORIZED)
    if colorized is None:
        return layers.add_colorized_layer(photo, colors)
    pixel_format = color_format(depth_of(photo.image))
    layers.replace_pixels(photo, colorized, colors, pixel_format)
    return colorized


def _conversion_note(image: Gimp.Image) -> list[str]:
    if is_rgb(image):
        return []
    return [tr("The image is now in RGB mode, which holds colours; undo takes that back too.")]
