"""Colour notes as a file, the same that the command line reads."""

from collections import Counter
from dataclasses import replace

from gi.repository import Gio
from images import color_notes
from images.photo import LayerError, Photo
from language import tr
from shared.color_notes import ColorNote, format_notes, parse_notes

from . import files
from .action import Outcome


def export_notes(photo: Photo, file: Gio.File) -> Outcome:
    """Write the photo's notes. A class of which one object has a colour gives it to all of them.

    Raises:
        LayerError: there are none.
        SemcolorError: the file can't be written.
    """
    notes = color_notes.read_notes(photo)
    if not notes:
        raise LayerError(tr("No object of this photo has a colour of its own yet."))
    times = Counter(note.class_id for note in notes)
    general = [replace(one, place=None) if times[one.class_id] == 1 else one for one in notes]
    files.write(file, format_notes(general).encode())
    return Outcome()


def read_notes(file: Gio.File) -> tuple[ColorNote, ...]:
    """The notes of such a file.

    Raises:
        FileError, SemcolorError: it can't be read, or is no such file.
    """
    return parse_notes(files.read(file).decode("utf-8", "replace"), f"“{file.get_basename()}”")
