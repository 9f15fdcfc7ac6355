"""Colours that objects have as the user wishes: suggested, chosen, taken back."""

from collections.abc import Sequence

from bridge.exchange import Exchange
from gi.repository import Gegl
from images import color_notes
from images.photo import LayerError, Photo
from images.roles import COLORIZED, check_role_unlocked, find_label_layer, find_layer
from images.undo import one_undo_step
from language import tr
from shared.color_notes import NOTES_LIMIT, ColorNote
from shared.errors import Code, SemcolorError
from shared.geometry import Rectangle

from .action import Action, Outcome
from .coloring import Found, put

Pixel = tuple[int, int]
"""x and y in the photo."""


def suggest(
    photo: Photo, detail: int, edit: Rectangle | None = None, at: Pixel | None = None
) -> Action[list[tuple[str, float]]]:
    """Find colours that a part may have; arguments as `edits.snap`, `coloring.colorize`.

    Args:
        at: a pixel of the object that is meant; None: the selection.

    Raises:
        LayerError: there is no label layer, or nothing is selected.
    """
    label_layer = find_label_layer(photo)
    area = photo.selection.clip(photo.whole)
    if at is None and not area:
        raise LayerError(tr("Select an object first, with any of GIMP's selection tools."))

    def ask(exchange: Exchange) -> list[tuple[str, float]]:
        exchange.send_labels(label_layer, edit)
        return exchange.suggest(area if at is None else at, detail)

    def apply(answer: list[tuple[str, float]]) -> Outcome:
        colors, shares = [color for color, _ in answer], [share for _, share in answer]
        likely = ", ".join(f"{color} ({share:.0%})" for color, share in answer)
        return Outcome(
            {"colors": colors, "shares": shares},
            [tr("Likely colours: {colors}.").format(colors=likely)],
        )

    return Action(ask, apply)


def with_color(photo: Photo, at: Pixel, color: str | None) -> tuple[ColorNote, ...]:
    """The photo's colour notes, with this `#rrggbb` for the object at a pixel; None: with none.

    Raises:
        LayerError: there is no label layer, or no class at that pixel.
        SemcolorError: there are too many notes.
    """
    label_layer = find_label_layer(photo)
    class_id = color_notes.class_at(photo, label_layer, at)
    if class_id is None:
        raise LayerError(tr("There is no object: label it first, then give it a colour."))
    notes = color_notes.notes_of_others(photo, label_layer, at)
    if color:
        notes = (*notes, ColorNote(class_id, color, color_notes.place_of(photo, at)))
    if len(notes) > NOTES_LIMIT:
        raise SemcolorError(Code.TOO_MANY_TINTS, limit=NOTES_LIMIT)
    return notes


def note(photo: Photo, notes: Sequence[ColorNote]) -> Outcome:
    """Keep colour notes with the photo: one undo step. Colours follow with the next colouring."""
    color_notes.write_notes(photo, notes)
    return Outcome({"layer": find_layer(photo, COLORIZED)})


def colorize_with(photo: Photo, notes: Sequence[ColorNote], detail: int) -> Action[Found]:
    """Keep colour notes with the photo, and colour it by them: one undo step.

    Raises:
        LayerError: there is no label layer, or the colorized layer is locked.
    """
    label_layer = find_label_layer(photo)
    check_role_unlocked(photo, COLORIZED)

    def ask(exchange: Exchange) -> Found:
        ambiguous = exchange.send_labels(label_layer)
        colors: Gegl.Buffer = exchange.colorize(detail, notes)
        return Found(None, colors, ambiguous, exchange.lowered)

    def apply(found: Found) -> Outcome:
        with one_undo_step(photo.image):
            color_notes.write_notes(photo, notes)
            return put(photo, found)

    return Action(ask, apply)
