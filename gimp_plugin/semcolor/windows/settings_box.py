"""The panel's sliders, its choice of detail, and the buttons to compare."""

from functools import partial

from gi.repository import Gtk
from language import tr

from .listener import Listener
from .widgets import Timers

LABELS, COLORIZED, CHOSEN = "labels", "colorized", "chosen colours"  # roles of layers
_COMPARED = (
    (tr("Before"), tr("Hold to see the photo as it was"), (LABELS, COLORIZED, CHOSEN)),
    (tr("Colours"), tr("Hold to see the colours without the labels"), (LABELS,)),
)
_DETAILS = (0, 256, 384, 512, 768, 1024, 1536)


class SettingsBox:
    """How strong each role's layer is shown, and detail."""

    def __init__(self, listener: Listener, timers: Timers) -> None:
        self._listener, self._timers = listener, timers
        self._quiet = False  # while the program, not the user, moves a widget
        self._sliders: dict[str, Gtk.Scale] = {}
        self._detail = self._detail_choice()
        self.widget = self._grid()

    def show_strength(self, role: str, percent: float | None) -> None:
        """How strong the layer of this role is shown; None when there is no such layer."""
        slider = self._sliders[role]
        slider.set_sensitive(percent is not None)
        if percent is not None and not self._timers.moves(role):
            self._quiet = True
            slider.set_value(percent)
            self._quiet = False

    def show_detail(self, detail: int) -> None:
        """Choose this detail."""
        self._quiet = True
        self._detail.set_active(_DETAILS.index(detail) if detail in _DETAILS else 0)
        self._quiet = False

    def _grid(self) -> Gtk.Grid:
        grid = Gtk.Grid(row_spacing=4, column_spacing=8)
        sliders = ((LABELS, tr("Label opacity"), 100), (COLORIZED, tr("Saturation"), 150))
        for row, (role, label, most) in enumerate(sliders):
            grid.attach(Gtk.Label(label=label, xalign=0), 0, row, 1, 1)
            grid.attach(self._slider(role, label, most), 1, row, 1, 1)
        detail = Gtk.Label(label=tr("_Detail"), use_underline=True, xalign=0)
        detail.set_mnemonic_widget(self._detail)
        grid.attach(detail, 0, 2, 1, 1)
        grid.attach(self._detail, 1, 2, 1, 1)
        grid.attach(self._comparing(), 0, 3, 2, 1)
        return grid

    def _comparing(self) -> Gtk.Widget:
        """Buttons to hold."""
        box = Gtk.Box(spacing=6)
        for label, tooltip, roles in _COMPARED:
            button = Gtk.Button(label=label)
            button.set_tooltip_text(tooltip)
            button.connect("pressed", lambda _, roles=roles: self._listener.compare_held(roles))
            button.connect("released", lambda _: self._listener.compare_held(()))
            box.pack_start(button, True, True, 0)
        outline = Gtk.Button(label=tr("Outline"))
        outline.set_tooltip_text(tr("Hold to see where the class is that is being painted"))
        outline.connect("pressed", lambda _: self._listener.outline_held(True))
        outline.connect("released", lambda _: self._listener.outline_held(False))
        box.pack_start(outline, True, True, 0)
        return box

    def _slider(self, role: str, label: str, most: int) -> Gtk.Scale:
        """From 0 to so many percent."""
        scale = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, most, 1)
        scale.set_value_pos(Gtk.PositionType.RIGHT)
        scale.set_hexpand(True)
        scale.get_accessible().set_name(label)
        scale.connect("value-changed", self._on_slider, role)
        self._sliders[role] = scale
        return scale

    def _detail_choice(self) -> Gtk.ComboBoxText:
        choice = Gtk.ComboBoxText()
        for pixels in _DETAILS:
            text = tr("{pixels} pixels") if pixels else tr("The model's default")
            choice.append_text(text.format(pixels=pixels))
        choice.set_hexpand(True)
        choice.set_tooltip_text(tr("How large the network sees the photo's longer side"))
        choice.connect("changed", self._on_detail)
        return choice

    def _on_detail(self, choice: Gtk.ComboBoxText) -> None:
        if not self._quiet:
            self._listener.detail_chosen(_DETAILS[choice.get_active()])

    def _on_slider(self, scale: Gtk.Scale, role: str) -> None:
        """Tell when it rests: GIMP shows the whole image anew."""
        if not self._quiet:
            tell = partial(self._listener.strength_chosen, role)
            self._timers.when_at_rest(role, lambda: tell(scale.get_value()))
