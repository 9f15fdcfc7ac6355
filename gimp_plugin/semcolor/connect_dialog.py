"""The window that asks for an invitation. Imported only where there is a display."""

import gi

gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import GimpUi, Gtk  # noqa: E402

_TEXT = (
    "To use a worker on another machine, run there “semcolor worker invite NAME”\n"
    "and paste the line that it prints. “local” goes back to this machine's own worker."
)


def ask_for_invitation() -> str | None:
    """What the user pasted; None when the window was closed.

    The line holds a secret key, so it does not go through a procedure's dialog: GIMP would keep it
    with the last values.
    """
    GimpUi.init("semcolor")
    dialog = GimpUi.Dialog(title="Connect to a Worker", role="semcolor-connect")
    dialog.add_button("_Cancel", Gtk.ResponseType.CANCEL)
    dialog.add_button("_Connect", Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    entry = Gtk.Entry(width_chars=60, activates_default=True, placeholder_text="semcolor-1-…")
    box = dialog.get_content_area()
    box.set_spacing(12)
    box.set_border_width(12)
    box.add(Gtk.Label(label=_TEXT, xalign=0))
    box.add(entry)
    box.show_all()
    answer, line = dialog.run(), entry.get_text()
    dialog.destroy()
    return line if answer == Gtk.ResponseType.OK else None
