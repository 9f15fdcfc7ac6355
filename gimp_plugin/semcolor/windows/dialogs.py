"""The windows that ask the user something. Imported only where there is a display."""

from typing import NamedTuple

from gi.repository import Gimp, GimpUi, Gio, Gtk
from language import tr

_TEXT = tr(
    "To use a worker on another machine, run there “semcolor worker invite NAME”\n"
    "and paste the line that it prints. “local” goes back to this machine's own worker."
)


_FOUND = tr("Found in your network: {addresses}. Ask the owner for an invitation.")


class FileKind(NamedTuple):
    """A kind of file of ours: what to call it, and how its name ends."""

    importing: str
    exporting: str
    files: str
    name: str
    suffix: str


LABELS = FileKind(
    tr("Import Labels"), tr("Export Labels"), tr("Label maps (PNG)"), "labels", ".png"
)
NOTES = FileKind(
    tr("Import Colour Notes"), tr("Export Colour Notes"), tr("Colour notes (text)"), "colours",
    ".txt",
)  # fmt: skip


def ask_for_invitation(known: list[str], found: list[str]) -> str | None:
    """What the user pasted or chose of what is known; None when the window was closed.

    Those that were only found are shown: their owners may invite.

    The line holds a secret key, so it does not go through a procedure's dialog: GIMP would keep it
    with the last values.
    """
    GimpUi.init("semcolor")
    dialog = GimpUi.Dialog(title=tr("Connect to a Worker"), role="semcolor-connect")
    dialog.add_button(tr("_Cancel"), Gtk.ResponseType.CANCEL)
    dialog.add_button(tr("_Connect"), Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    choice = Gtk.ComboBoxText.new_with_entry()
    for address in known:
        choice.append_text(address)
    entry = choice.get_child()
    entry.set_width_chars(60)
    entry.set_activates_default(True)
    entry.set_placeholder_text("semcolor-2-…")
    box = dialog.get_content_area()
    box.set_spacing(12)
    box.set_border_width(12)
    box.add(Gtk.Label(label=_TEXT, xalign=0))
    box.add(choice)
    if found:
        others = _FOUND.format(addresses=", ".join(found))
        box.add(Gtk.Label(label=others, xalign=0, wrap=True, selectable=True))
    box.show_all()
    entry.grab_focus()
    answer, line = dialog.run(), entry.get_text()
    dialog.destroy()
    return line if answer == Gtk.ResponseType.OK else None


def ask_for_settings(config: Gimp.ProcedureConfig) -> bool:
    """Let the user set a procedure's arguments; whether to go on. GIMP keeps them for next time."""
    GimpUi.init("semcolor")
    dialog = GimpUi.ProcedureDialog.new(config.get_procedure(), config, None)
    dialog.fill(None)
    answer: bool = dialog.run()
    dialog.destroy()
    return answer


def ask_where_to_export(image: Gimp.Image, kind: FileKind) -> Gio.File | None:
    """Where the user wants the file, beside the photo at first; None: nowhere."""
    chooser = _chooser(kind.exporting, kind, Gtk.FileChooserAction.SAVE, tr("_Export"))
    chooser.set_do_overwrite_confirmation(True)
    folder, name = _beside(image, kind)
    if folder:
        chooser.set_current_folder_file(folder)
    chooser.set_current_name(name)
    file = _answer(chooser)
    while file and not file.get_basename().lower().endswith(kind.suffix):
        chooser.set_current_name(file.get_basename() + kind.suffix)  # which may exist: so ask again
        file = _answer(chooser)
    chooser.destroy()
    return file


def ask_what_to_import(image: Gimp.Image, kind: FileKind) -> Gio.File | None:
    """The file that the user chose, the one beside the photo at first; None: none."""
    chooser = _chooser(kind.importing, kind, Gtk.FileChooserAction.OPEN, tr("_Import"))
    folder, name = _beside(image, kind)
    if folder:
        chooser.set_current_folder_file(folder)
        if folder.get_child(name).query_exists(None):
            chooser.set_file(folder.get_child(name))
    file = _answer(chooser)
    chooser.destroy()
    return file


def _chooser(
    title: str, kind: FileKind, action: Gtk.FileChooserAction, verb: str
) -> Gtk.FileChooserDialog:
    GimpUi.init("semcolor")
    chooser = Gtk.FileChooserDialog(title=title, action=action, local_only=False)
    chooser.add_button(tr("_Cancel"), Gtk.ResponseType.CANCEL)
    chooser.add_button(verb, Gtk.ResponseType.OK)
    chooser.set_default_response(Gtk.ResponseType.OK)
    GimpUi.window_set_transient(chooser)
    files = Gtk.FileFilter()
    files.set_name(kind.files)
    files.add_pattern(f"*{kind.suffix}")
    files.add_pattern(f"*{kind.suffix.upper()}")
    chooser.add_filter(files)
    return chooser


def _answer(chooser: Gtk.FileChooserDialog) -> Gio.File | None:
    return chooser.get_file() if chooser.run() == Gtk.ResponseType.OK else None


def _beside(image: Gimp.Image, kind: FileKind) -> tuple[Gio.File | None, str]:
    """The photo's folder, None when it has no file, and what such a file of it is called."""
    photo = image.get_imported_file() or image.get_file()
    if not photo:
        return None, kind.name + kind.suffix
    return photo.get_parent(), f"{photo.get_basename().rpartition('.')[0]}-{kind.name}{kind.suffix}"


def show_report(report: str) -> None:
    """A text that the user may want to copy."""
    GimpUi.init("semcolor")
    dialog = GimpUi.Dialog(title=tr("semcolor's State"), role="semcolor-check")
    dialog.add_button(tr("_Copy"), Gtk.ResponseType.APPLY)
    dialog.add_button(tr("_Close"), Gtk.ResponseType.CLOSE)
    dialog.set_default_response(Gtk.ResponseType.CLOSE)
    text = Gtk.TextView(editable=False, monospace=True, wrap_mode=Gtk.WrapMode.WORD_CHAR)
    text.get_buffer().set_text(report)
    scrolled = Gtk.ScrolledWindow(min_content_width=760, min_content_height=320, margin=12)
    scrolled.add(text)
    dialog.get_content_area().pack_start(scrolled, True, True, 0)
    dialog.show_all()
    while dialog.run() == Gtk.ResponseType.APPLY:
        clipboard = Gtk.Clipboard.get_default(dialog.get_display())
        clipboard.set_text(report, -1)
        clipboard.store()
    dialog.destroy()
