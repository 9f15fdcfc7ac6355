"""Colour notes that are kept with the photo: undone, copied and saved with it."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from gi.repository import Gimp
from labels.regions import connected
from shared.bridge_schema import LABEL_FORMAT
from shared.color_notes import ColorNote, format_notes, parse_notes
from shared.errors import SemcolorError
from shared.geometry import Rectangle

from .label_colors import LabelColors
from .photo import Photo
from .pixels import read_pixels

_PARASITE = "semcolor-color-notes"
_VERSION = 1
_THUMBNAIL = 256  # pixels, the longer side
_SAME_SHAPE = 0.01  # by how much the ratio of the sides of a scaled photo may differ


def read_notes(photo: Photo) -> tuple[ColorNote, ...]:
    """The photo's notes. Those for single objects sleep while the photo is cropped or turned."""
    return tuple(kept.note for kept in _read(photo) if not kept.sleeps_in(photo))


def write_notes(photo: Photo, notes: Sequence[ColorNote]) -> None:
    """Keep these instead of those before, except the ones that sleep: one undo step."""
    _, _, width, height = photo.whole
    kept = [one for one in _read(photo) if one.sleeps_in(photo)]
    kept += [_Kept(note, (width, height)) for note in notes]
    lines = [[format_notes([note]), *size] for note, size in kept]
    content = json.dumps({"version": _VERSION, "notes": lines}).encode()
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    photo.layer.attach_parasite(Gimp.Parasite.new(_PARASITE, flags, content))


class _Kept(NamedTuple):
    """A note, and the photo's size when it was made."""

    note: ColorNote
    size: tuple[int, int]

    def sleeps_in(self, photo: Photo) -> bool:
        """Whether its place means nothing in the photo as it is now."""
        (width, height), (_, _, now_width, now_height) = self.size, photo.whole
        ratio = width * now_height / (height * now_width)
        return self.note.place is not None and abs(ratio - 1) > _SAME_SHAPE


def _read(photo: Photo) -> list[_Kept]:
    parasite = photo.layer.get_parasite(_PARASITE)
    if parasite is None:
        return []
    try:
        content = json.loads(bytes(parasite.get_data()))
        if content["version"] != _VERSION:
            return []
        return [
            _Kept(note, (width, height))
            for line, width, height in content["notes"]
            for note in parse_notes(line, _PARASITE)
        ]
    except (ValueError, KeyError, TypeError, SemcolorError):  # a later semcolor's, or damaged
        return []


def place_of(photo: Photo, at: tuple[int, int]) -> tuple[float, float]:
    """A pixel's middle as a note has it."""
    _, _, width, height = photo.whole
    return (at[0] + 0.5) / width, (at[1] + 0.5) / height


def class_at(photo: Photo, label_layer: Gimp.Layer, at: tuple[int, int]) -> int | None:
    """The class that the label layer has at a pixel of the photo; None: none, or unlabelled."""
    area = Rectangle(*at, 1, 1)
    pixel = b""
    if area.clip(photo.extent_of(label_layer)):
        pixel = read_pixels(photo, label_layer, area, LABEL_FORMAT)
    stored = LabelColors(photo.image).stored
    known = [stored[4 * class_id :][:4] for class_id in range(len(stored) // 4)]
    return known.index(pixel) or None if pixel in known else None


def notes_of_others(
    photo: Photo, label_layer: Gimp.Layer, at: tuple[int, int]
) -> tuple[ColorNote, ...]:
    """All notes but those for the object, a connected region of one class, at a pixel.

    A thumbnail tells what is connected, for which nothing of the user's must be touched.
    """
    class_id, notes = class_at(photo, label_layer, at), read_notes(photo)
    if not any(note.class_id == class_id and note.place for note in notes):
        return notes
    data, width, height, pixel_bytes = label_layer.get_thumbnail_data(_THUMBNAIL, _THUMBNAIL)
    extent, (_, _, photo_width, photo_height) = photo.extent_of(label_layer), photo.whole

    def inside(x: float, y: float) -> tuple[int, int]:
        """A place of the photo, in pixels, as one of the thumbnail."""
        column = int((x - extent.x) * width / extent.width)
        row = int((y - extent.y) * height / extent.height)
        return min(max(column, 0), width - 1), min(max(row, 0), height - 1)

    region = connected(data.get_data(), (width, height), pixel_bytes, inside(*at))

    def is_same(note: ColorNote) -> bool:
        if note.place is None or note.class_id != class_id:
            return False
        x, y = note.place
        return inside(x * photo_width, y * photo_height) in region

    return tuple(note for note in notes if not is_same(note))
