"""The panel's buttons, and the suggested colours."""

from gi.repository import Gdk, Gtk, Pango
from language import tr

from .color_words import word_for
from .listener import Listener
from .widgets import swatch

ADD_LABELS, COLORIZE = "add labels", "colorize"
LABEL_SELECTION, FILL_REGION, SNAP = "label selection", "fill region", "snap"
CLEAN, SUGGEST = "clean", "suggest"

_MAKING = {
    ADD_LABELS: (tr("_Add Label Layer"), tr("Let the worker find out what is where")),
    COLORIZE: (tr("C_olorize"), tr("Colour the photo by its labels")),
}
_EDITING = {
    LABEL_SELECTION: (
        tr("_Label Selection"),
        tr("The selection becomes the class being painted"),
    ),
    FILL_REGION: (
        tr("_Fill Region"),
        tr("The region around the last stroke becomes the stroke's class"),
    ),
    SNAP: (
        tr("_Snap to Edges"),
        tr(
            "The class grows or shrinks to the photo's edges, in the selection or around the last "
            "stroke"
        ),
    ),
    CLEAN: (tr("_Clean Labels"), tr("In-between colours become a class that is beside them")),
    SUGGEST: (
        tr("Su_ggest Colours"),
        tr("What colours the object may have that is selected, or was painted last"),
    ),
}


class Buttons:
    """What makes layers (`making`), and what edits labels (`editing`)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buttons: dict[str, Gtk.Button] = {}
        self._suggestions = Gtk.Grid(
            row_spacing=4, column_spacing=4, column_homogeneous=True, no_show_all=True
        )
        self._lasso = Gtk.ToggleButton(label=tr("L_asso"), use_underline=True)
        self._lasso.set_tooltip_text(
            tr("What you select becomes the class being painted as soon as it is selected")
        )
        self._lasso.connect("toggled", lambda lasso: listener.lasso_switched(lasso.get_active()))
        self.making, self.editing = self._making_box(), self._editing_box()

    def show_layers(self, has_labels: bool, has_colors: bool) -> None:
        """What can be done with the layers that there are."""
        self._buttons[ADD_LABELS].set_visible(not has_labels)
        self._buttons[COLORIZE].set_visible(not has_colors)
        for name in _EDITING:
            self._buttons[name].set_sensitive(has_labels)
        self._lasso.set_sensitive(has_labels)

    def show_suggestions(self, colors: list[tuple[str, float]]) -> None:
        """Colours to click: pairs of `#rrggbb` and how likely that is. None: they go away.

        With them come any colour of the user's own, and the way back.
        """
        for button in self._suggestions.get_children():
            button.destroy()
        choices = [self._suggestion(*color) for color in colors]
        if colors:
            choices += [self._own_color(colors[0][0]), self._automatic()]
        for index, button in enumerate(choices):
            button.show_all()
            self._suggestions.attach(button, index % 2, index // 2, 1, 1)
        self._suggestions.set_visible(bool(colors))
        if colors:
            choices[0].grab_focus()

    def _suggestion(self, color: str, share: float) -> Gtk.Button:
        word = word_for(color)
        box = Gtk.Box(spacing=6)
        box.pack_start(Gtk.Image.new_from_pixbuf(swatch(color)), False, False, 0)
        label = Gtk.Label(label=word, xalign=0, ellipsize=Pango.EllipsizeMode.END)
        box.pack_start(label, True, True, 0)
        button = Gtk.Button()
        button.add(box)
        button.set_tooltip_text(f"{word} ({color}), {round(100 * share)} %")
        button.get_accessible().set_name(word)
        button.connect("clicked", lambda _: self._listener.color_chosen(color))
        return button

    def _own_color(self, color: str) -> Gtk.Button:
        rgba = Gdk.RGBA()
        rgba.parse(color)
        button = Gtk.ColorButton(rgba=rgba, title=tr("The Object's Colour"))
        button.set_tooltip_text(tr("Any other colour"))
        button.get_accessible().set_name(tr("Any other colour"))
        button.connect("color-set", lambda _: self._listener.color_chosen(_hex(button.get_rgba())))
        return button

    def _automatic(self) -> Gtk.Button:
        button = Gtk.Button(label=tr("Automatic"))
        button.set_tooltip_text(tr("Take the object's colour back"))
        button.connect("clicked", lambda _: self._listener.color_chosen(None))
        return button

    def _making_box(self) -> Gtk.Widget:
        box = Gtk.Box(spacing=6, homogeneous=True)
        for name, texts in _MAKING.items():
            box.pack_start(self._button(name, *texts), True, True, 0)
        return box

    def _editing_box(self) -> Gtk.Widget:
        grid = Gtk.Grid(row_spacing=6, column_spacing=6, column_homogeneous=True)
        buttons = [self._button(name, *texts) for name, texts in _EDITING.items()]
        for index, button in enumerate([*buttons, self._lasso]):
            grid.attach(button, index % 2, index // 2, 1, 1)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        box.pack_start(grid, False, False, 0)
        box.pack_start(self._suggestions, False, False, 0)
        return box

    def _button(self, name: str, label: str, tooltip: str) -> Gtk.Button:
        button = Gtk.Button(label=label, use_underline=True, no_show_all=name in _MAKING)
        button.set_tooltip_text(tooltip)
        button.connect("clicked", lambda _: self._listener.button_pressed(name))
        self._buttons[name] = button
        return button


def _hex(color: Gdk.RGBA) -> str:
    red, green, blue = (round(255 * part) for part in (color.red, color.green, color.blue))
    return f"#{red:02x}{green:02x}{blue:02x}"
