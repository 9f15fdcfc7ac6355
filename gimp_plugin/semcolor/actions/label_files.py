"""The label layer as a file, the same that the command line writes and reads."""

from functools import partial

from bridge.exchange import Exchange
from gi.repository import Gio
from images.photo import Photo
from images.roles import LABELS, check_role_unlocked, find_label_layer
from shared.errors import Code, SemcolorError

from . import files
from .action import Action, Outcome
from .coloring import Found, put
from .notes import ambiguous_note


def export_labels(photo: Photo, file: Gio.File) -> Action[tuple[bytes, int]]:
    """Write the label layer to a file as `semcolor segment` would: an indexed PNG.

    Raises:
        LayerError: there is no label layer.
        SemcolorError: the file is not called .png.
    """
    label_layer = find_label_layer(photo)
    if not file.get_basename().lower().endswith(".png"):
        raise SemcolorError(Code.NOT_PNG)

    def ask(exchange: Exchange) -> tuple[bytes, int]:
        ambiguous = exchange.send_labels(label_layer)
        return exchange.encode_labels(), ambiguous

    def apply(answer: tuple[bytes, int]) -> Outcome:
        content, ambiguous = answer
        files.write(file, content)
        notes = ambiguous_note(ambiguous, photo.whole)
        return Outcome({"ambiguous-pixels": ambiguous}, notes)

    return Action(ask, apply)


def import_labels(photo: Photo, file: Gio.File) -> Action[Found]:
    """Put a file's label map in the label layer, which is made if there is none.

    Raises:
        LayerError: the label layer is locked.
        FileError: the file can't be read.
    """
    check_role_unlocked(photo, LABELS)
    content, name = files.read(file), f"“{file.get_basename()}”"

    def ask(exchange: Exchange) -> Found:
        labels, ambiguous = exchange.decode_labels(content, name)
        return Found(labels, None, ambiguous)

    return Action(ask, partial(put, photo, replace_labels=True))
