"""Which layer is what.

A parasite on each of our layers, and on the photo, names its role and the photo's key, so that they
are found again after renaming, moving, saving, loading, and in a duplicate of the image.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from gi.repository import Gimp
from language import tr

from .photo import LayerError, Photo

LABELS = "labels"
COLORIZED = "colorized"
CHOSEN = "chosen colours"  # a layer that semcolor made before there were colour notes
_PHOTO = "photo"

_PARASITE = "semcolor-layer"
_PARASITE_VERSION = 2


def find_photo(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> Photo:
    """The photo that the user means: the selected layer, or the one that our layer belongs to.

    Raises:
        LayerError: not exactly one layer is selected, or it can't be a photo.
    """
    if len(drawables) != 1:
        raise LayerError(tr("Select one layer, the photo, and try again."))
    layer = drawables[0]
    if layer.get_image() != image:
        raise LayerError(tr("This layer is of another image."))
    mark = _read_mark(layer)
    if mark and mark["role"] != _PHOTO:
        ours = _original(image, mark["role"], mark["key"])
        if ours and ours != layer:
            message = tr(
                "“{copy}” is a copy of “{layer}”, which alone counts. Select that, or the photo."
            )
            raise LayerError(message.format(copy=layer.get_name(), layer=ours.get_name()))
        layer = _original(image, _PHOTO, mark["key"])
        if layer is None:
            raise LayerError(
                tr("This layer's photo is gone. Select the photo's layer and try again.")
            )
    _check_is_photo(image, layer)
    return Photo(image, layer)


def find_layer(photo: Photo, role: str) -> Gimp.Layer | None:
    """The photo's layer with this role; None without one. A copy of it has none."""
    key = _key_of(photo)
    return _original(photo.image, role, key) if key else None


def find_label_layer(photo: Photo) -> Gimp.Layer:
    """The photo's label layer. Raises LayerError when there is none."""
    layer = find_layer(photo, LABELS)
    if not layer:
        raise LayerError(tr("This photo has no label layer yet: make one with Add Label Layer."))
    return layer


def give_role(photo: Photo, layer: Gimp.Layer, role: str) -> None:
    """Mark a layer as this photo's, with this role."""
    key = _key_of(photo)
    if key is None:
        key = uuid.uuid4().hex
        _write_mark(photo.layer, _PHOTO, key)
    elif not _is_original(photo.layer):  # in a duplicated image: its layers are originals now
        roles = (_PHOTO, LABELS, COLORIZED, CHOSEN)
        found = {role: _original(photo.image, role, key) for role in roles}
        for its_role, duplicate in found.items():
            if duplicate:
                _write_mark(duplicate, its_role, key)
    _write_mark(layer, role, key)


def check_unlocked(layer: Gimp.Layer) -> None:
    """Raises LayerError when the user has locked this layer's pixels."""
    item = layer
    while item:  # a group's lock holds for all that is in it
        if item.get_lock_content():
            message = tr("The layer “{layer}” is locked. Unlock its pixels first.")
            raise LayerError(message.format(layer=item.get_name()))
        item = item.get_parent()


def check_role_unlocked(photo: Photo, role: str) -> None:
    """Raises LayerError when the photo has a layer with this role, and it is locked."""
    layer = find_layer(photo, role)
    if layer:
        check_unlocked(layer)


def _check_is_photo(image: Gimp.Image, layer: Gimp.Drawable) -> None:
    if image.get_floating_sel() is not None:
        raise LayerError(tr("Anchor the floating selection first (Layer ▸ Anchor Layer)."))
    if not layer.is_layer():
        raise LayerError(tr("Select the photo's layer itself, not a mask or channel."))
    # Asked by name: GIMP 3.0 has no link and vector layers to ask about.
    kind = type(layer).__name__
    if layer.is_group() or kind in ("TextLayer", "VectorLayer", "LinkLayer"):
        raise LayerError(
            tr(
                "Text, vector, link and group layers can't be coloured. "
                "Select a photo, or merge or rasterize this layer first."
            )
        )
    if layer.get_parent():
        check_unlocked(layer.get_parent())  # our layers go there


def _all_layers(layers: list[Gimp.Item]) -> Iterator[Gimp.Layer]:
    """These layers and those in groups among them, from top to bottom."""
    for layer in layers:
        yield layer
        if layer.is_group():
            yield from _all_layers(layer.get_children())


def _layers_with(image: Gimp.Image, role: str, key: str) -> Iterator[Gimp.Layer]:
    for layer in _all_ours(image, key):
        mark = _read_mark(layer)
        if mark and mark["role"] == role:
            yield layer


def _all_ours(image: Gimp.Image, key: str) -> Iterator[Gimp.Layer]:
    """The photo with this key, its layers, and copies of them."""
    for layer in _all_layers(image.get_layers()):
        mark = _read_mark(layer)
        if mark and mark["key"] == key:
            yield layer


def _original(image: Gimp.Image, role: str, key: str) -> Gimp.Layer | None:
    """The layer that was given this role, not a copy, which has the same parasite.

    GIMP gives all layers of a duplicated image new tattoos; then it is the lowest with this key.
    """
    found = list(_layers_with(image, role, key))
    originals = [layer for layer in found if _is_original(layer)]
    if originals:
        return originals[-1]
    # Copied alone into another image, or left over there, it has no photo.
    is_duplicate = not any(map(_is_original, _all_ours(image, key)))
    return found[-1] if found and is_duplicate else None


def _key_of(photo: Photo) -> str | None:
    """The key of a photo to which we have added layers; None of any other."""
    mark = _read_mark(photo.layer)
    if not mark or mark["role"] != _PHOTO:
        return None
    key: str = mark["key"]
    return key if _original(photo.image, _PHOTO, key) == photo.layer else None


def _is_original(layer: Gimp.Layer) -> bool:
    mark = _read_mark(layer)
    return bool(mark and mark["tattoo"] == layer.get_tattoo())


def _read_mark(layer: Gimp.Item) -> dict[str, Any] | None:
    """What our parasite says of this layer: {"version", "role", "key", "tattoo"}; None if none."""
    parasite = layer.get_parasite(_PARASITE)
    if parasite is None:
        return None
    try:
        mark: dict[str, Any] = json.loads(bytes(parasite.get_data()))
        return mark if mark["version"] == _PARASITE_VERSION else None
    except (ValueError, KeyError, TypeError):  # somebody else's, or a later semcolor's
        return None


def _write_mark(layer: Gimp.Layer, role: str, key: str) -> None:
    mark = {"version": _PARASITE_VERSION, "role": role, "key": key, "tattoo": layer.get_tattoo()}
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    layer.attach_parasite(Gimp.Parasite.new(_PARASITE, flags, json.dumps(mark).encode()))
