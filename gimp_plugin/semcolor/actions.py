"""What a user can ask for, in the panel as in scripts.

What needs the bridge is an `Action`, because the panel goes on while the bridge works and a script
waits for it. The others are done at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import classes
import files
import layers
from bridge_client import Bridge, Progress, sentence
from classes import LabelClass
from exchange import Exchange, LabelChange
from gi.repository import Gegl, Gimp, Gio
from layers import LayerError
from regions import mostly_selected
from shared.geometry import Rectangle
from translation import tr

T = TypeVar("T")

_THIN_SPACE = "\u202f"  # between thousands, in any language
_NOTHING = tr("There was nothing to change.")


@dataclass(frozen=True)
class Outcome:
    """What an action gives back, by name, and what the user should be told (sentences)."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Action(Generic[T]):
    """Something for which the bridge is needed.

    `ask` may take long and may fail, and leaves the image alone. `apply` takes the answer and
    changes the image, in one undo step. Both raise LayerError or FileError, `ask` BridgeError too:
    then nothing was changed, and the message says what to do.
    """

    ask: Callable[[Exchange], T]
    apply: Callable[[T], Outcome]

    def run(self, image: Gimp.Image, photo: Gimp.Layer, report: Progress) -> Outcome:
        """Do it, with a bridge that is there for this only, and wait for it."""
        with Bridge(report) as bridge:
            answer = self.ask(Exchange(bridge, image, photo))
        return self.apply(answer)


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


# --- Labels and colours for a whole photo ------------------------------------------------------


def add_label_layer(image: Gimp.Image, photo: Gimp.Layer, detail: int) -> Action[Found]:
    """Let the worker label the photo, and put the labels in a layer above it.

    Args:
        detail: longest side of the network's input in pixels; 0 is the model's default.

    Raises:
        LayerError: there is a label layer.
    """
    if layers.find_layer(image, photo, layers.LABELS):
        raise LayerError(
            tr("This photo has a label layer already. Edit that one, or delete it to start again.")
        )
    return Action(
        lambda exchange: Found(exchange.segment(detail), None, lowered=exchange.lowered),
        partial(_put, image, photo),
    )


def colorize(
    image: Gimp.Image,
    photo: Gimp.Layer,
    detail: int,
    show_labels: bool = True,
    plain: bool | None = None,
) -> Action[Found]:
    """Colour the photo from its label layer; make or update its colorized layer.

    A photo without a label layer gets one, shown or not. Else as `add_label_layer`.

    Args:
        plain: whether the colorized layer covers the photo, see `layers.set_plain`; None: not if
            it is new, and otherwise its mode stays.

    Raises:
        LayerError: the colorized layer is locked.
    """
    label_layer = layers.find_layer(image, photo, layers.LABELS)
    _check_writable(image, photo, layers.COLORIZED)

    def ask(exchange: Exchange) -> Found:
        labels, ambiguous = None, 0
        if label_layer:
            ambiguous = exchange.send_labels(label_layer)
        else:
            labels = exchange.segment(detail)
        return Found(labels, exchange.colorize(detail), ambiguous, exchange.lowered)

    return Action(ask, partial(_put, image, photo, show_labels=show_labels, plain=plain))


def export_labels(
    image: Gimp.Image, photo: Gimp.Layer, file: Gio.File
) -> Action[tuple[bytes, int]]:
    """Write the label layer to a file as `semcolor segment` would: an indexed PNG.

    Raises:
        LayerError: there is no label layer.
        FileError: the file is not called .png.
    """
    label_layer = find_label_layer(image, photo)
    if not file.get_basename().lower().endswith(".png"):
        raise files.FileError(tr("A label map is written as PNG: end the file's name in .png."))

    def ask(exchange: Exchange) -> tuple[bytes, int]:
        ambiguous = exchange.send_labels(label_layer)
        return exchange.encode_labels(), ambiguous

    def apply(answer: tuple[bytes, int]) -> Outcome:
        content, ambiguous = answer
        files.write(file, content)
        notes = ambiguous_note(ambiguous, layers.whole(photo))
        return Outcome({"ambiguous-pixels": ambiguous}, notes)

    return Action(ask, apply)


def import_labels(image: Gimp.Image, photo: Gimp.Layer, file: Gio.File) -> Action[Found]:
    """Put a file's label map in the label layer, which is made if there is none.

    Raises:
        LayerError: the label layer is locked.
        FileError: the file can't be read.
    """
    _check_writable(image, photo, layers.LABELS)
    content, name = files.read(file), f"“{file.get_basename()}”"

    def ask(exchange: Exchange) -> Found:
        labels, ambiguous = exchange.decode_labels(content, name)
        return Found(labels, None, ambiguous)

    return Action(ask, partial(_put, image, photo, replace_labels=True))


# --- Edits of the label layer ------------------------------------------------------------------


def label_selection(image: Gimp.Image, photo: Gimp.Layer, entry: LabelClass) -> Outcome:
    """Make the selection this class: one undo step.

    Raises:
        LayerError: there is no label layer, it is locked, or none of it is selected.
    """
    label_layer = find_label_layer(image, photo)
    return Outcome({"pixels": layers.label_selection(image, label_layer, _paint(entry))})


def fill_region(image: Gimp.Image, photo: Gimp.Layer, entry: LabelClass, x: int, y: int) -> Outcome:
    """Make the region of one label around a pixel of the photo this class: one undo step.

    Raises:
        LayerError: there is no label layer, it is locked, or has no such pixel.
    """
    label_layer = find_label_layer(image, photo)
    place = layers.place_in(photo, label_layer)
    if not Rectangle(x, y, 1, 1).clip(place):
        message = tr("The label layer has no pixel ({x}, {y}) of the photo.")
        raise LayerError(message.format(x=x, y=y))
    seed = x - place.x, y - place.y
    return Outcome({"pixels": layers.fill_region(image, label_layer, _paint(entry), *seed)})


def selected_region(image: Gimp.Image, photo: Gimp.Layer) -> tuple[int, int]:
    """A pixel of the photo in the region of the label layer that is mostly selected.

    Raises:
        LayerError: there is no label layer, or none of it is selected.
    """
    label_layer = find_label_layer(image, photo)

    def reader(layer: Gimp.Drawable, pixel_format: str) -> Callable[[Rectangle], bytes]:
        return lambda area: layers.read_layer(layer, photo, area, pixel_format)

    seed = mostly_selected(
        layers.selection_in(photo, image).clip(layers.place_in(photo, label_layer)),
        reader(label_layer, layers.LABEL_FORMAT),
        reader(image.get_selection(), layers.SELECTION_FORMAT),
    )
    if not seed:
        raise LayerError(
            tr("Select a part of the region first, with any of GIMP's selection tools.")
        )
    return seed


def snap(
    image: Gimp.Image,
    photo: Gimp.Layer,
    entry: LabelClass,
    area: Rectangle,
    edit: Rectangle | None = None,
) -> Action[LabelChange]:
    """Fit what is this class in an area to the photo's edges.

    Args:
        edit: where the bridge may not have the label layer as it is; None: anywhere.

    Raises:
        LayerError: there is no label layer, or it is locked.
    """
    return _label_change(image, photo, edit, "snap_labels", class_id=entry.id, **area._asdict())


def clean(
    image: Gimp.Image, photo: Gimp.Layer, edit: Rectangle | None = None
) -> Action[LabelChange]:
    """Give each pixel that is no class's colour that of a class beside it. Else as `snap`."""
    return _label_change(image, photo, edit, "clean_labels")


# --- Colours for the selection -----------------------------------------------------------------


def suggest(
    image: Gimp.Image, photo: Gimp.Layer, detail: int, edit: Rectangle | None = None
) -> Action[list[tuple[str, float]]]:
    """Find colours that the selection may have; arguments as those of `snap` and `colorize`.

    Raises:
        LayerError: there is no label layer, or nothing is selected.
    """
    label_layer = find_label_layer(image, photo)
    area = layers.selection_in(photo, image).clip(layers.whole(photo))
    if not area:
        raise LayerError(tr("Select an object first, with any of GIMP's selection tools."))

    def ask(exchange: Exchange) -> list[tuple[str, float]]:
        exchange.send_labels(label_layer, edit)
        return exchange.suggest(area, detail)

    def apply(answer: list[tuple[str, float]]) -> Outcome:
        colors, shares = [color for color, _ in answer], [share for _, share in answer]
        likely = ", ".join(f"{color} ({share:.0%})" for color, share in answer)
        return Outcome(
            {"colors": colors, "shares": shares},
            [tr("Likely colours: {colors}.").format(colors=likely)],
        )

    return Action(ask, apply)


def choose_color(image: Gimp.Image, photo: Gimp.Layer, color: str) -> Outcome:
    """Give the selection the hue and chroma of this `#rrggbb`: one undo step.

    Raises:
        LayerError: nothing is selected, or the layer of chosen colours is locked.
    """
    return Outcome({"layer": layers.choose_color(image, photo, color)})


# --- The worker --------------------------------------------------------------------------------


def worker_status(report: Progress) -> Outcome:
    """How the worker is; never starts it. Raises BridgeError."""
    with Bridge(report) as bridge:
        answer, _ = bridge.request("status")
    message = sentence(answer["sentence"])
    return Outcome({"state": answer["state"], "sentence": message}, [message])


def connect(invitation: str, report: Progress) -> Outcome:
    """Use the worker of an invitation line, or with “local” this machine's.

    Raises:
        BridgeError: it is no invitation, or that worker can't be reached; nothing was changed.
    """
    with Bridge(report) as bridge:
        answer, _ = bridge.request("connect", invitation=invitation)
    message = sentence(answer["message"])
    return Outcome({"message": message}, [message])


# --- Small things that several need ------------------------------------------------------------


def read_classes() -> list[LabelClass]:
    """All classes, *unlabelled* first. Raises LayerError when their palette is not installed."""
    try:
        return classes.read_palette(Path(Gimp.directory()) / "palettes" / classes.FILE_NAME)
    except (OSError, ValueError) as error:
        raise LayerError(
            tr(
                "The palette of the classes is missing. Run semcolor's set-up again, then restart "
                "GIMP."
            )
        ) from error


def class_of_color(image: Gimp.Image, entries: list[LabelClass], color: str) -> LabelClass | None:
    """The class whose colour, as it is or as this image gives it back, is this `#rrggbb`."""
    return classes.by_color(entries, stored_colors(image, entries), color)


def stored_colors(image: Gimp.Image, entries: list[LabelClass]) -> bytes:
    """The classes' colours as this image gives them back; unchanged if it can't hold them."""
    colors = classes.opaque(entries)
    try:
        return layers.stored(image, colors)
    except LayerError:
        return colors


def find_label_layer(image: Gimp.Image, photo: Gimp.Layer) -> Gimp.Layer:
    """The photo's label layer. Raises LayerError when there is none."""
    layer = layers.find_layer(image, photo, layers.LABELS)
    if not layer:
        raise LayerError(tr("This photo has no label layer yet: make one with Add Label Layer."))
    return layer


def our_mistake(error: Exception) -> str:
    """What to tell the user about a fault of ours."""
    return tr("semcolor made a mistake ({error}). Please report it.").format(error=repr(error))


def ambiguous_note(pixels: int, whole: Rectangle) -> list[str]:
    """What to tell the user about so many pixels of a photo's labels that were in between."""
    if not pixels:
        return []
    percent = 100 * pixels / (whole.width * whole.height)
    share = f"{percent:.1f} %" if percent >= 0.1 else tr("less than 0.1 %")
    message = tr(
        "{pixels} pixels ({share}) of the labels were in between, so each became a class beside "
        "it. The Pencil paints hard edges, which avoids this; Clean Labels makes them hard."
    )
    count = f"{pixels:,}".replace(",", _THIN_SPACE)
    return [message.format(pixels=count, share=share)]


def lowered_note(detail: int) -> list[str]:
    """What to tell the user about a result at a lowered detail; 0: at the full one."""
    if not detail:
        return []
    message = tr(
        "The worker's memory sufficed for a detail of {detail} pixels only: close other programs "
        "where it runs."
    )
    return [message.format(detail=detail)]


def _check_writable(image: Gimp.Image, photo: Gimp.Layer, role: str) -> None:
    layer = layers.find_layer(image, photo, role)
    if layer:
        layers.check_unlocked(layer)


def _put(
    image: Gimp.Image,
    photo: Gimp.Layer,
    found: Found,
    show_labels: bool = True,
    replace_labels: bool = False,
    plain: bool | None = None,
) -> Outcome:
    """Put what was found into the image: one undo step. Its layer is the colorized one if any.

    Only where that was asked for do labels replace those of a layer that there may be by now.

    Labels that are shown are selected too: the next stroke must go there, not into the photo.
    """
    notes = _conversion_note(image) + ambiguous_note(found.ambiguous, layers.whole(photo))
    notes += lowered_note(found.lowered)
    label_layer = None
    with layers.one_undo_step(image):
        layers.make_rgb(image)
        if found.labels:
            label_layer = _put_labels(image, photo, found.labels, show_labels, replace_labels)
        made = _put_colors(image, photo, found.colors) if found.colors else label_layer
        if plain is not None:
            layers.set_plain(made, plain)
    if label_layer and show_labels:
        image.set_selected_layers([label_layer])
    return Outcome({"layer": made, "ambiguous-pixels": found.ambiguous}, notes)


def _put_labels(
    image: Gimp.Image, photo: Gimp.Layer, labels: Gegl.Buffer, show: bool, replace: bool
) -> Gimp.Layer:
    layer = layers.find_layer(image, photo, layers.LABELS) if replace else None
    if layer is None:
        layer = layers.add_label_layer(image, photo, labels)
        layer.set_visible(show)
    else:
        layers.replace_pixels(image, layer, photo, labels)
    return layer


def _put_colors(image: Gimp.Image, photo: Gimp.Layer, colors: Gegl.Buffer) -> Gimp.Layer:
    colorized = layers.find_layer(image, photo, layers.COLORIZED)
    if colorized is None:
        return layers.add_colorized_layer(image, photo, colors)
    layers.replace_pixels(image, colorized, photo, colors)
    return colorized


def _conversion_note(image: Gimp.Image) -> list[str]:
    if layers.is_rgb(image):
        return []
    return [tr("The image is now in RGB mode, which holds colours; undo takes that back too.")]


def _label_change(
    image: Gimp.Image, photo: Gimp.Layer, edit: Rectangle | None, op: str, **fields: int
) -> Action[LabelChange]:
    label_layer = find_label_layer(image, photo)
    layers.check_unlocked(label_layer)

    def ask(exchange: Exchange) -> LabelChange:
        exchange.send_labels(label_layer, edit)
        return exchange.change_labels(op, **fields)

    def apply(change: LabelChange) -> Outcome:
        if change.strips:
            layers.write_labels(image, label_layer, photo, change.strips)
        return Outcome({"pixels": change.pixels}, [] if change.strips else [_NOTHING])

    return Action(ask, apply)


def _paint(entry: LabelClass) -> str | None:
    """The colour with which to fill for this class; None: clear."""
    return entry.hex if entry.id != classes.UNLABELLED else None
