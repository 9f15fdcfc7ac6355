"""Colour notes: which colours the objects of a photograph have, as its restorer knows them.

As a file, a line each; what follows a number sign that begins a line is nobody's business:

    # the regiment's
    clothes: #5b5a3c
    car at 31.2% 58.0%: #7a2018

The first is for all objects of the class, wherever no other note is; the second for the one object,
a connected region of the class, at this place of the photo, from its upper left corner.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .classes import LabelClass, all_classes
from .errors import Code, SemcolorError

NOTES_LIMIT = 64  # of one photo
NOTES_SUFFIX = ".txt"
_LINE = re.compile(
    r"(?P<name>[^:#]+?)(\s+at\s+(?P<x>[\d.]+)%\s+(?P<y>[\d.]+)%)?\s*:\s*(?P<color>#[0-9a-f]{6})\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ColorNote:
    """One of them. ``color``: “#rrggbb”, of which hue and chroma count.

    ``place``: x and y as shares, 0..1, of the photo's width and height; None: the whole class.
    """

    class_id: int
    color: str
    place: tuple[float, float] | None = None


def parse_notes(text: str, name: str) -> tuple[ColorNote, ...]:
    """The notes of a file, which ``name`` calls by its name.

    Raises SemcolorError: BAD_NOTES with the number of the line, TOO_MANY_TINTS.
    """
    lines = list(enumerate(text.removeprefix("\ufeff").splitlines(), start=1))
    wanted = [(number, line) for number, line in lines if line.strip() and line.strip()[0] != "#"]
    if len(wanted) > NOTES_LIMIT:
        raise SemcolorError(Code.TOO_MANY_TINTS, limit=NOTES_LIMIT)
    return tuple(_parse(line.strip(), number, name) for number, line in wanted)


def format_notes(notes: Iterable[ColorNote]) -> str:
    """The same as a file, which :func:`parse_notes` reads."""
    return "".join(f"{_subject(note)}: {note.color}\n" for note in notes)


def _subject(note: ColorNote) -> str:
    name = all_classes()[note.class_id].name
    if note.place is None:
        return name
    x, y = note.place
    return f"{name} at {100 * x:.4f}% {100 * y:.4f}%"


def _parse(line: str, number: int, name: str) -> ColorNote:
    found = _LINE.fullmatch(line)
    entry = _named(found["name"]) if found else None
    if not found or not entry:
        raise SemcolorError(Code.BAD_NOTES, file=name, line=number, text=line[:60])
    try:
        place = None if found["x"] is None else (_share(found["x"]), _share(found["y"]))
    except ValueError as error:
        raise SemcolorError(Code.BAD_NOTES, file=name, line=number, text=line[:60]) from error
    return ColorNote(entry.id, found["color"].lower(), place)


def _named(name: str) -> LabelClass | None:
    wanted = name.strip().lower()
    return next((entry for entry in all_classes() if entry.name.lower() == wanted), None)


def _share(percent: str) -> float:
    share = float(percent) / 100
    if not 0 <= share <= 1:
        raise ValueError
    return share
