"""How the user sees the image: none of this is an undo step."""

import contextlib
from collections.abc import Collection

from gi.repository import Gegl, Gimp

from .photo import Photo
from .roles import CHOSEN, COLORIZED, LABELS, find_layer
from .undo import exact_choice, no_undo_step, selection_kept

ALL = (LABELS, COLORIZED, CHOSEN)


def set_opacity(photo: Photo, role: str, percent: float) -> None:
    """How strong a layer is shown."""
    layer = find_layer(photo, role)
    if layer:
        with no_undo_step(photo.image):
            layer.set_opacity(percent)


def hide(photo: Photo, roles: Collection[str]) -> list[Gimp.Layer]:
    """Hide those of our layers; returns which were shown until then, for `show`."""
    layers = [layer for role in roles if (layer := find_layer(photo, role))]
    shown = [layer for layer in layers if layer.get_visible()]
    _set_visible(photo, shown, False)
    return shown


def show(photo: Photo, layers: Collection[Gimp.Layer]) -> None:
    """Show layers again."""
    _set_visible(photo, layers, True)


def outline(photo: Photo, label_layer: Gimp.Layer, color: str) -> contextlib.ExitStack:
    """Let the selection's ants run around a class; closing what is returned brings it back."""
    image, kept = photo.image, contextlib.ExitStack()
    with no_undo_step(image):
        kept.enter_context(selection_kept(image))
        with exact_choice():
            chosen = Gegl.Color.new(color)
            image.select_color(Gimp.ChannelOps.REPLACE, label_layer, chosen)
    return kept


def end_outline(photo: Photo, kept: contextlib.ExitStack) -> None:
    """The user's selection again."""
    with no_undo_step(photo.image):
        kept.close()


def _set_visible(photo: Photo, layers: Collection[Gimp.Layer], visible: bool) -> None:
    with no_undo_step(photo.image):
        for layer in layers:
            if layer.is_valid():
                layer.set_visible(visible)
