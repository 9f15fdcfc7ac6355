"""The worker's state, and the switches for what follows a stroke."""

from gi.repository import Gtk
from language import tr
from shared.states import WorkerState

from .listener import Listener
from .widgets import wrapped_label

_STATES = {
    WorkerState.STOPPED: (tr("Stopped"), "#888888"),
    WorkerState.STARTING: (tr("Starting"), "#d09000"),
    WorkerState.LOADING: (tr("Loading"), "#d09000"),
    WorkerState.READY: (tr("Ready"), "#40a040"),
    WorkerState.BUSY: (tr("Busy"), "#3080d0"),
    WorkerState.LOST: (tr("Lost"), "#d03030"),
}


class StateBox:
    """A dot and a word, with two switches (`widget`), and a sentence elsewhere (`sentence`)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._quiet = False  # while the program, not the user, moves the switch
        self._state = Gtk.Label(xalign=0, use_markup=True)
        self.sentence = wrapped_label()
        self.sentence.get_style_context().add_class("dim-label")
        self._live = Gtk.Switch(valign=Gtk.Align.CENTER)
        self._live.set_tooltip_text(tr("Colour follows each stroke on the label layer"))
        self._live.get_accessible().set_name(tr("Live colouring"))
        self._live.connect("notify::active", self._on_live)
        self._smart = Gtk.CheckButton(label=tr("S_mart"), use_underline=True)
        self._smart.set_tooltip_text(
            tr("A stroke, or a click, labels the whole object under it, to the photo's edges")
        )
        self._smart.connect("toggled", self._on_smart)
        self.widget = self._box()

    def show_state(self, state: WorkerState, sentence: str) -> None:
        """The worker's state, and the sentence that helps."""
        name, color = _STATES[state]
        self._state.set_markup(f'<span foreground="{color}">●</span>  <b>{name}</b>')
        self.sentence.set_text(sentence)

    def show_live(self, on: bool) -> None:
        """Move the switch."""
        self._quiet = True
        self._live.set_active(on)
        self._quiet = False

    def show_smart(self, on: bool) -> None:
        """Move that switch."""
        self._quiet = True
        self._smart.set_active(on)
        self._quiet = False

    def _box(self) -> Gtk.Widget:
        line = Gtk.Box(spacing=8)
        line.pack_start(self._state, True, True, 0)
        line.pack_end(self._live, False, False, 0)
        live = Gtk.Label(label=tr("Li_ve"), use_underline=True, mnemonic_widget=self._live)
        line.pack_end(live, False, False, 0)
        line.pack_end(self._smart, False, False, 0)
        return line

    def _on_live(self, *_: object) -> None:
        if not self._quiet:
            self._listener.live_switched(self._live.get_active())

    def _on_smart(self, *_: object) -> None:
        if not self._quiet:
            self._listener.smart_switched(self._smart.get_active())
