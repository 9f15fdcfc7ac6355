"""A question about a large change, with a picture of it."""

from gi.repository import GdkPixbuf, Gtk
from language import tr

from .listener import Listener
from .widgets import wrapped_label


class Question:
    """It hangs from a widget, over what is below that, until it is answered.

    It takes no keyboard away from the image: painting on is an answer too.
    """

    def __init__(self, below: Gtk.Widget, listener: Listener) -> None:
        self._popover = Gtk.Popover(
            relative_to=below, modal=False, position=Gtk.PositionType.BOTTOM, border_width=8
        )
        self._picture, self._sentence = Gtk.Image(), wrapped_label()
        self._popover.add(self._box(listener))
        self._popover.get_child().show_all()

    def ask(self, picture: GdkPixbuf.Pixbuf, sentence: str) -> None:
        """Show it."""
        self._picture.set_from_pixbuf(picture)
        self._sentence.set_text(sentence)
        self._popover.popup()

    def close(self) -> None:
        """Nobody needs to answer any more."""
        self._popover.popdown()

    def _box(self, listener: Listener) -> Gtk.Widget:
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        buttons = Gtk.Box(spacing=6, homogeneous=True)
        for text, is_taken in ((tr("La_bel It"), True), (tr("_Keep as It Is"), False)):
            button = Gtk.Button(label=text, use_underline=True)
            button.connect("clicked", lambda _, is_taken: listener.change_taken(is_taken), is_taken)
            buttons.pack_start(button, True, True, 0)
        for widget in (self._picture, self._sentence, buttons):
            box.pack_start(widget, False, False, 0)
        return box
