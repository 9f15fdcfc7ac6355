"""Whether what the user paints arrives in the label layer."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gi.repository import Gimp
from language import tr

from .photo import Photo

_HARD = ("gimp-pencil", "gimp-eraser")
"""Paint methods that make no in-between colours, or none that matter."""


class Obstacle(NamedTuple):
    """What is in the way, as a sentence, and what puts it right."""

    sentence: str
    remove: Callable[[], object]


def find_obstacle(photo: Photo, labels: Gimp.Layer) -> Obstacle | None:
    """The first thing that keeps a stroke from becoming a label; None without any."""
    image = photo.image
    floating = image.get_floating_sel()
    if floating is not None:
        return Obstacle(
            tr("Strokes go to the floating selection."),
            partial(Gimp.floating_sel_anchor, floating),
        )
    if image.get_selected_channels():
        return Obstacle(
            tr("Strokes go to a channel, or to the Quick Mask."), partial(_select, photo, labels)
        )
    selected = image.get_selected_layers()
    if selected != [labels]:
        names = ", ".join(f"“{layer.get_name()}”" for layer in selected)
        text = tr("Strokes go to {layers}, not to the labels.") if names else ""
        return Obstacle(
            text.format(layers=names) or tr("No layer is selected."),
            partial(_select, photo, labels),
        )
    return _on_layer(labels) or _in_brush()


def _on_layer(labels: Gimp.Layer) -> Obstacle | None:
    if labels.get_mask() is not None and labels.get_edit_mask():
        return Obstacle(
            tr("Strokes go to the layer mask of the labels."), partial(labels.set_edit_mask, False)
        )
    for item in _with_parents(labels):
        if not item.get_visible():
            return Obstacle(
                tr("“{layer}” is hidden.").format(layer=item.get_name()),
                partial(item.set_visible, True),
            )
        if item.get_lock_content():
            return Obstacle(
                tr("The pixels of “{layer}” are locked.").format(layer=item.get_name()),
                partial(item.set_lock_content, False),
            )
    if labels.get_lock_alpha():
        return Obstacle(
            tr("The labels' alpha channel is locked: what is unlabelled stays so."),
            partial(labels.set_lock_alpha, False),
        )
    return None


def _in_brush() -> Obstacle | None:
    method = Gimp.context_get_paint_method()[-1]
    if method in _HARD or (method == "gimp-paintbrush" and Gimp.context_get_brush_hardness() >= 1):
        return None
    if method == "gimp-paintbrush":
        return Obstacle(
            tr("This brush is soft: its edges are of no class."),
            partial(Gimp.context_set_brush_hardness, 1.0),
        )
    return None


def _with_parents(layer: Gimp.Item) -> list[Gimp.Item]:
    items = [layer]
    while items[-1].get_parent():
        items.append(items[-1].get_parent())
    return items


def _select(photo: Photo, labels: Gimp.Layer) -> None:
    photo.image.set_selected_layers([labels])
