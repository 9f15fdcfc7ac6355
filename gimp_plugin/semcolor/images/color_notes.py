"""Colour notes that are kept with the photo: undone, copied and saved with it."""

import json
from collections.abc import Sequence

from gi.repository import Gimp
from language import tr
from shared.bridge_schema import LABEL_FORMAT
from shared.classes import UNLABELLED
from shared.color_notes import ColorNote, format_notes, parse_notes
from shared.errors import SemcolorError
from shared.geometry import Rectangle

from .label_colors import LabelColors
from .photo import LayerError, Photo
from .pixels import read_pixels
from .undo import exact_choice, no_undo_step, selection_kept

_PARASITE = "semcolor-color-notes"
_VERSION = 1
_SAME_SHAPE = 0.01  # by how much the ratio of the sides of a scaled photo may differ


def read_notes(photo: Photo) -> tuple[ColorNote, ...]:
    """The photo's notes. Those for single objects sleep while the photo is cropped or turned."""
    parasite = photo.layer.get_parasite(_PARASITE)
    if parasite is None:
        return ()
    try:
        kept = json.loads(bytes(parasite.get_data()))
        if kept["version"] != _VERSION:
            return ()
        width, height = kept["size"]
        notes = parse_notes(kept["notes"], _PARASITE)
    except (ValueError, KeyError, TypeError, SemcolorError):  # a later semcolor's, or damaged
        return ()
    _, _, now_width, now_height = photo.whole
    if abs(width / height / (now_width / now_height) - 1) < _SAME_SHAPE:
        return notes
    return tuple(note for note in notes if note.place is None)


def write_notes(photo: Photo, notes: Sequence[ColorNote]) -> None:
    """Keep these instead of those before: one undo step."""
    _, _, width, height = photo.whole
    kept = {"version": _VERSION, "size": [width, height], "notes": format_notes(notes)}
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    photo.layer.attach_parasite(Gimp.Parasite.new(_PARASITE, flags, json.dumps(kept).encode()))


def place_of(photo: Photo, at: tuple[int, int]) -> tuple[float, float]:
    """A pixel's middle as a note has it."""
    _, _, width, height = photo.whole
    return (at[0] + 0.5) / width, (at[1] + 0.5) / height


def class_at(photo: Photo, label_layer: Gimp.Layer, at: tuple[int, int]) -> int:
    """The class that the label layer has at a pixel of the photo.

    Raises:
        LayerError: it has none there.
    """
    area = Rectangle(*at, 1, 1)
    pixel = b""
    if area.clip(photo.extent_of(label_layer)):
        pixel = read_pixels(photo, label_layer, area, LABEL_FORMAT)
    stored = LabelColors(photo.image).stored
    known = [stored[4 * class_id :][:4] for class_id in range(len(stored) // 4)]
    if pixel not in known or known.index(pixel) == UNLABELLED:
        raise LayerError(tr("There is no object: label it first, then give it a colour."))
    return known.index(pixel)


def notes_of_others(
    photo: Photo, label_layer: Gimp.Layer, at: tuple[int, int]
) -> tuple[ColorNote, ...]:
    """All notes but those for the object, a connected region of one class, at a pixel."""
    class_id, notes = class_at(photo, label_layer, at), read_notes(photo)
    if not any(note.class_id == class_id and note.place for note in notes):
        return notes
    image = photo.image
    _, left, top = photo.layer.get_offsets()
    x, y = photo.offset_to(label_layer)
    _, layer_x, layer_y = label_layer.get_offsets()
    seed = at[0] + x + layer_x, at[1] + y + layer_y
    with no_undo_step(image), selection_kept(image), exact_choice():
        image.select_contiguous_color(Gimp.ChannelOps.REPLACE, label_layer, *seed)
        return tuple(note for note in notes if not _is_selected(photo, note, left, top))


def _is_selected(photo: Photo, note: ColorNote, left: int, top: int) -> bool:
    if note.place is None:
        return False
    _, _, width, height = photo.whole
    x, y = int(note.place[0] * width), int(note.place[1] * height)
    return bool(Gimp.Selection.value(photo.image, left + x, top + y))
