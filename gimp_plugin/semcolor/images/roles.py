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
CHOSEN = "chosen colours"
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
    mark = _read_mark(layer)
    if mark and mark["role"] != _PHOTO:
        layer = _layer_of_photo(image, mark["key"])
        if layer is None:
            raise LayerError(
                tr("This layer's photo is gone. Select the photo's layer and try again.")
            )
    _check_is_photo(image, layer)
    return Photo(image, layer)


def find_layer(photo: Photo, role: str) -> Gimp.Layer | None:
    """The photo's layer with this role, the topmost if several; None without any."""
    key = _key_of(photo)
    return next(_layers_with(photo.image, role, key), None) if key else None


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
    for layer in _all_layers(image.get_layers()):
        mark = _read_mark(layer)
        if mark and (mark["role"], mark["key"]) == (role, key):
            yield layer


def _layer_of_photo(image: Gimp.Image, key: str) -> Gimp.Layer | None:
    """The photo, not a duplicate of its layer. GIMP gives all layers of a duplicated image new
    tattoos; then it is the lowest with this key."""
    photos = list(_layers_with(image, _PHOTO, key))
    originals = [photo for photo in photos if _is_original(photo)]
    return (originals or photos or [None])[-1]


def _key_of(photo: Photo) -> str | None:
    """The key of a photo to which we have added layers; None of any other."""
    mark = _read_mark(photo.layer)
    if not mark or mark["role"] != _PHOTO:
        return None
    key: str = mark["key"]
    if _is_original(photo.layer):
        return key
    original = _layer_of_photo(photo.image, key)
    return key if original and original.get_id() == photo.layer.get_id() else None


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
