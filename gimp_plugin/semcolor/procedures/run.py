"""What procedures do, where that is more than one action."""

import re
from collections.abc import Sequence

from actions import coloring, edits, label_files, note_files, object_colors, worker
from actions.action import Outcome
from actions.files import FileError
from gi.repository import Gio
from images.photo import LayerError
from images.roles import find_label_layer
from language import tr
from shared.color_notes import ColorNote
from shared.limits import DETAIL_STEP

from .procedure import Call

PLAIN, LCH = "rgb", "lch-color"  # kinds of colorized layers


def open_panel(call: Call) -> None:
    """Open the panel, or bring it to the front."""
    if not call.interactive:
        raise LayerError(tr("The panel needs a window: scripts use the other procedures."))
    from panel.controller import run

    run(call.photo)
    # After a success GIMP would write down the arguments in the image, which may be closed by now.


def colorize_with_settings(call: Call) -> Outcome | None:
    """Colour the photo, as the user says in a dialog, or the arguments."""
    if call.interactive:
        from windows.dialogs import ask_for_settings

        if not ask_for_settings(call.config):
            return None
    detail = round(call.value("detail") / DETAIL_STEP) * DETAIL_STEP
    plain = call.value("layer-kind") == PLAIN
    return call.ask(coloring.colorize(call.photo, detail, show_labels=False, plain=plain))


def fill_region(call: Call) -> Outcome:
    """Fill the region that the arguments, or the selection, name."""
    return edits.fill_region(call.photo, call.entry(), *_place(call), call.locked())


def snap(call: Call) -> Outcome:
    """Fit a class to edges in the selection's bounds, or everywhere."""
    selected, whole = call.photo.selection, call.photo.whole
    area = selected.clip(whole) if selected else whole
    if not area:
        raise LayerError(tr("Select an area of the photo, or nothing at all."))
    return call.ask(edits.snap(call.photo, call.entry(), area, locked=call.locked()))


def choose_color(call: Call) -> Outcome:
    """Give the object the argument's colour, or the foreground colour."""
    color = call.text("color").lower()
    if call.interactive or not color:
        color = call.foreground
    if not re.fullmatch("#[0-9a-f]{6}", color):
        message = tr("“{color}” is no colour: write it as #rrggbb, for instance #80a0c0.")
        raise LayerError(message.format(color=color))
    return _note(call, object_colors.with_color(call.photo, _place(call), color))


def automatic_color(call: Call) -> Outcome:
    """Take the object's colour back."""
    return _note(call, object_colors.with_color(call.photo, _place(call), None))


def import_color_notes(call: Call) -> Outcome | None:
    """Read colour notes from the file that is given, or chosen."""
    if not call.interactive:
        return _note(call, note_files.read_notes(_given_file(call)))
    from windows.dialogs import NOTES, ask_what_to_import

    file = ask_what_to_import(call.photo.image, NOTES)
    return _note(call, note_files.read_notes(file)) if file else None


def export_color_notes(call: Call) -> Outcome | None:
    """Write colour notes to the file that is given, or chosen."""
    if not call.interactive:
        return note_files.export_notes(call.photo, _given_file(call))
    from windows.dialogs import NOTES, ask_where_to_export

    file = ask_where_to_export(call.photo.image, NOTES)
    return note_files.export_notes(call.photo, file) if file else None


def export_labels(call: Call) -> Outcome | None:
    """Write the label layer to the file that is given, or chosen."""
    if not call.interactive:
        return call.ask(label_files.export_labels(call.photo, _given_file(call)))
    from windows.dialogs import LABELS, ask_where_to_export

    find_label_layer(call.photo)
    file = ask_where_to_export(call.photo.image, LABELS)
    return call.ask(label_files.export_labels(call.photo, file)) if file else None


def import_labels(call: Call) -> Outcome | None:
    """Read the label layer from the file that is given, or chosen."""
    if not call.interactive:
        return call.ask(label_files.import_labels(call.photo, _given_file(call)))
    from windows.dialogs import LABELS, ask_what_to_import

    file = ask_what_to_import(call.photo.image, LABELS)
    return call.ask(label_files.import_labels(call.photo, file)) if file else None


def connect(call: Call) -> Outcome | None:
    """Use the worker of the invitation that is given, or pasted."""
    if not call.interactive:
        return worker.connect(call.text("invitation"), call.report)
    from windows.dialogs import ask_for_invitation

    workers = worker.find_workers()
    line = ask_for_invitation(["local", *workers.known], workers.found)
    return None if line is None else worker.connect(line, call.report)


def check(call: Call) -> Outcome:
    """Find out what is wrong; a window shows it to the user."""
    outcome = worker.check(call.report)
    if call.interactive:
        from windows.dialogs import show_report

        show_report(outcome.values["report"])
    return outcome


def _place(call: Call) -> tuple[int, int]:
    """A pixel of the region that the arguments, or the selection, name."""
    x, y = call.value("x"), call.value("y")
    return edits.selected_region(call.photo) if call.interactive or min(x, y) < 0 else (x, y)


def _note(call: Call, notes: Sequence[ColorNote]) -> Outcome:
    if not call.value("colorize"):
        return object_colors.note(call.photo, notes)
    return call.ask(object_colors.colorize_with(call.photo, notes, call.value("detail")))


def _given_file(call: Call) -> Gio.File:
    file = call.value("file")
    if not file:
        raise FileError(tr("Say which file, with the argument “file”."))
    return file
