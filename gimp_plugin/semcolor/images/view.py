"""How the user sees the image: none of this is an undo step."""

import contextlib
from collections.abc import Collection

from gi.repository import Gegl, Gimp
from language import tr

from .photo import Photo
from .roles import CHOSEN, COLORIZED, LABELS, find_layer
from .undo import exact_choice, no_undo_step, selection_kept

_BOOSTER = "gegl:saturation"

ALL = (LABELS, COLORIZED, CHOSEN)


def strength_of(layer: Gimp.Layer) -> float:
    """How strong a layer is shown, in percent: its opacity, times its saturation if more than 1."""
    booster = _find_booster(layer)
    opacity: float = layer.get_opacity()
    return opacity * booster.get_config().get_property("scale") if booster else opacity


def set_strength(photo: Photo, role: str, percent: float) -> None:
    """Show a layer that strong; beyond 100 % its colours are more saturated than they are."""
    layer = find_layer(photo, role)
    if not layer:
        return
    with no_undo_step(photo.image):
        layer.set_opacity(min(percent, 100))
        _boost(layer, max(percent / 100, 1))


def _boost(layer: Gimp.Layer, scale: float) -> None:
    """Let GIMP multiply chroma, as an effect that stays with the layer and changes no pixel."""
    booster = _find_booster(layer)
    if scale > 1:
        new = booster or Gimp.DrawableFilter.new(layer, _BOOSTER, tr("Saturation"))
        config = new.get_config()
        config.set_property("scale", scale)
        config.set_property("colorspace", "CIE-Lab")
        if booster:
            booster.update()
        else:
            layer.append_filter(new)
    elif booster:
        booster.delete()


def _find_booster(layer: Gimp.Layer) -> Gimp.DrawableFilter | None:
    for effect in layer.get_filters():
        if effect.get_operation_name() == _BOOSTER:
            return effect
    return None


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
