"""Edits of the label layer: filled at once, or changed by the bridge."""

from collections.abc import Callable, Collection
from typing import Any

from bridge.exchange import Exchange, LabelChange
from gi.repository import Gimp
from images import fills
from images.color_notes import class_at
from images.photo import LayerError, Photo
from images.pixels import read_pixels
from images.roles import check_unlocked, find_label_layer
from labels.regions import mostly_selected
from language import tr
from shared.bridge_schema import LABEL_FORMAT, SELECTION_FORMAT
from shared.classes import UNLABELLED, LabelClass, all_classes
from shared.geometry import NOWHERE, Rectangle

from .action import Action, Outcome

_NOTHING = tr("There was nothing to change.")


def fill_selection(photo: Photo, entry: LabelClass, locked: Collection[int] = ()) -> Outcome:
    """Make the selection this class, but for what is of a locked one: one undo step.

    Raises:
        LayerError: there is no label layer, it is locked, or none of it is selected.
    """
    label_layer = find_label_layer(photo)
    kept = [all_classes()[class_id].hex for class_id in locked]
    pixels = fills.fill_selection(photo.image, label_layer, _paint(entry), kept)
    return Outcome({"pixels": pixels})


def fill_region(
    photo: Photo, entry: LabelClass, x: int, y: int, locked: Collection[int] = ()
) -> Outcome:
    """Make the region of one label around a pixel of the photo this class: one undo step.

    Raises:
        LayerError: there is no label layer, it or the region's class is locked, or it has no such
            pixel.
    """
    label_layer = find_label_layer(photo)
    extent = photo.extent_of(label_layer)
    if not Rectangle(x, y, 1, 1).clip(extent):
        message = tr("The label layer has no pixel ({x}, {y}) of the photo.")
        raise LayerError(message.format(x=x, y=y))
    for class_id in locked:
        if class_at(photo, label_layer, (x, y)) == class_id:
            message = tr("“{name}” is locked: unlock it in the panel's list first.")
            raise LayerError(message.format(name=tr(all_classes()[class_id].name)))
    seed = x - extent.x, y - extent.y
    return Outcome({"pixels": fills.fill_region(photo.image, label_layer, _paint(entry), *seed)})


def selected_region(photo: Photo) -> tuple[int, int]:
    """A pixel of the photo in the region of the label layer that is mostly selected.

    Raises:
        LayerError: there is no label layer, or none of it is selected.
    """
    label_layer = find_label_layer(photo)

    def reader(layer: Gimp.Drawable, pixel_format: str) -> Callable[[Rectangle], bytes]:
        return lambda area: read_pixels(photo, layer, area, pixel_format)

    seed = mostly_selected(
        photo.selection.clip(photo.extent_of(label_layer)).clip(photo.whole),
        reader(label_layer, LABEL_FORMAT),
        reader(photo.image.get_selection(), SELECTION_FORMAT),
    )
    if not seed:
        raise LayerError(
            tr("Select a part of the region first, with any of GIMP's selection tools.")
        )
    return seed


def snap(
    photo: Photo,
    entry: LabelClass,
    area: Rectangle,
    edit: Rectangle | None = None,
    locked: Collection[int] = (),
) -> Action[LabelChange]:
    """Fit what is this class in an area to the photo's edges, inside the selection if any.

    Args:
        locked: classes whose pixels stay theirs.
        edit: where the bridge may not have the label layer as it is; None: anywhere.

    Raises:
        LayerError: there is no label layer, or it is locked.
    """
    inside = photo.selection.clip(photo.whole)
    fields = {"class_id": entry.id, "selected": bool(inside), "locked": sorted(locked)}
    fields |= area._asdict()
    return _label_change(photo, tr("_Snap to Edges"), edit, "snap_labels", inside, **fields)


def clean(photo: Photo, edit: Rectangle | None = None) -> Action[LabelChange]:
    """Give each pixel that is no class's colour that of a class beside it. Else as `snap`."""
    return _label_change(photo, tr("_Clean Labels"), edit, "clean_labels", NOWHERE)


def _label_change(
    photo: Photo, step: str, edit: Rectangle | None, op: str, inside: Rectangle, **fields: Any
) -> Action[LabelChange]:
    label_layer = find_label_layer(photo)
    check_unlocked(label_layer)

    def ask(exchange: Exchange) -> LabelChange:
        return exchange.change_labels(op, label_layer, edit, inside, **fields)

    def apply(change: LabelChange) -> Outcome:
        change.write(photo)
        return Outcome({"pixels": change.pixels}, [] if change.strips else [_NOTHING])

    return Action(ask, apply, step)


def _paint(entry: LabelClass) -> str | None:
    """The colour with which to fill for this class; None: clear."""
    return entry.hex if entry.id != UNLABELLED else None
