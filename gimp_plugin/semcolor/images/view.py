"""How the user sees the image: none of this is an undo step."""

from collections.abc import Collection

from gi.repository import Gimp

from .photo import Photo
from .roles import CHOSEN, COLORIZED, LABELS, find_layer
from .undo import no_undo_step

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


def _set_visible(photo: Photo, layers: Collection[Gimp.Layer], visible: bool) -> None:
    with no_undo_step(photo.image):
        for layer in layers:
            if layer.is_valid():
                layer.set_visible(visible)
