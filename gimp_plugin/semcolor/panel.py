"""The panel's window: widgets, and nothing that knows of layers or of the bridge."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import classes
import gi
from classes import LabelClass
from live import Pointer
from shared.geometry import Rectangle
from translation import tr

gi.require_version("Gdk", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GdkPixbuf, GimpUi, GLib, Gtk, Pango  # noqa: E402

_SWATCH = 18  # pixels
_MARGIN = 12
_TWO_LINES = 36  # pixels
_DETAILS = (0, 256, 384, 512, 768, 1024, 1536)
_REST_MS = 300
_STATES = {
    "stopped": (tr("Stopped"), "#888888"),
    "starting": (tr("Starting"), "#d09000"),
    "loading": (tr("Loading"), "#d09000"),
    "ready": (tr("Ready"), "#40a040"),
    "busy": (tr("Busy"), "#3080d0"),
    "lost": (tr("Lost"), "#d03030"),
}
_MAKING = {
    "add labels": (tr("_Add Label Layer"), tr("Let the worker find out what is where")),
    "colorize": (tr("C_olorize"), tr("Colour the photo by its labels")),
}
_EDITING = {
    "label selection": (
        tr("_Label Selection"),
        tr("The selection becomes the class being painted"),
    ),
    "fill region": (
        tr("_Fill Region"),
        tr("The region around the last stroke becomes the stroke's class"),
    ),
    "snap": (
        tr("_Snap to Edges"),
        tr(
            "The class grows or shrinks to the photo's edges, in the selection or around the last "
            "stroke"
        ),
    ),
    "clean": (tr("_Clean Labels"), tr("In-between colours become a class that is beside them")),
    "suggest": (tr("Su_ggest Colours"), tr("What other colours the selected object may have")),
}
_HINT = tr("Click a class, then paint with the Pencil on the label layer.")


class Listener(Protocol):
    """Who is told what the user does in the panel."""

    def class_chosen(self, class_id: int) -> None:
        """The next stroke shall paint this class."""

    def button_pressed(self, name: str) -> None:
        """A button was pressed; see `_MAKING` and `_EDITING`."""

    def live_switched(self, on: bool) -> None:
        """Colour shall follow the strokes, or not."""

    def detail_chosen(self, detail: int) -> None:
        """The network shall look at the photo at this size."""

    def color_chosen(self, color: str) -> None:
        """The selection shall have this suggested colour (`#rrggbb`)."""

    def opacity_chosen(self, role: str, percent: float) -> None:
        """The layer with this role shall have this opacity."""

    def window_placed(self, place: Rectangle) -> None:
        """The window lies there now, in pixels of the whole desktop."""

    def closed(self) -> None:
        """The window shall close."""


class Panel:
    """A window that stays open beside the image.

    Args:
        title: what the window is called.
        entries: all classes, *unlabelled* first.
        listener: gets every action of the user.
        place: where the window was last time, as `window_placed` told.
    """

    def __init__(
        self,
        title: str,
        entries: list[LabelClass],
        listener: Listener,
        place: Rectangle | None = None,
    ) -> None:
        GimpUi.init("semcolor")
        self._listener, self._entries = listener, entries
        self._quiet = False  # while the program, not the user, moves a widget
        self._state = Gtk.Label(xalign=0, use_markup=True)
        self._sentence = _wrapped_label()
        self._sentence.set_size_request(-1, _TWO_LINES)  # so that the list below stays in place
        self._message = _wrapped_label()
        self._current = Gtk.Label(xalign=0, ellipsize=Pango.EllipsizeMode.END)
        self._current_swatch = Gtk.Image()
        self._list = _ClassList(entries, listener.class_chosen)
        self._live = Gtk.Switch(valign=Gtk.Align.CENTER)
        self._detail = Gtk.ComboBoxText()
        self._suggestions = Gtk.Box(spacing=6, homogeneous=True, no_show_all=True)
        self._buttons: dict[str, Gtk.Button] = {}
        self._sliders: dict[str, Gtk.Scale] = {}
        self._timers: dict[str, int] = {}  # of what moves: a slider, by its role, or the window
        self._window = self._make_window(title, place)
        self.say(_HINT)

    def close(self) -> None:
        """Take the window away. Timers end."""
        for timer in self._timers.values():
            GLib.source_remove(timer)
        self._window.destroy()

    def pointer(self) -> Pointer:
        """Where the pointer is now, on the whole screen where the desktop tells."""
        device = self._window.get_display().get_default_seat().get_pointer()
        screen = self._window.get_screen().get_root_window()
        _, x, y, state = screen.get_device_position(device)
        return Pointer(x, y, bool(state & Gdk.ModifierType.BUTTON1_MASK))

    def raise_window(self) -> None:
        """Bring the window to the front, for a user who looks for it."""
        self._window.present_with_time(Gdk.CURRENT_TIME)

    def show_state(self, state: str, sentence: str) -> None:
        """The worker's state, and the sentence that helps."""
        name, color = _STATES[state]
        self._state.set_markup(f'<span foreground="{color}">●</span>  <b>{name}</b>')
        self._sentence.set_text(sentence)

    def say(self, message: str) -> None:
        """A sentence about what the user has just done."""
        self._message.set_text(message)

    def show_order(self, shares: dict[int, float], recent: list[int]) -> None:
        """Put the classes in order: those in this photo, those recently used, the others."""
        self._list.show_shares(shares)
        self._list.order(shares, recent)

    def show_shares(self, shares: dict[int, float]) -> None:
        """How much of the photo each class has; the order stays."""
        self._list.show_shares(shares)

    def show_current(self, entry: LabelClass | None, color: str) -> None:
        """The class that the foreground colour paints; None: that colour is no class's."""
        self._current_swatch.set_from_pixbuf(_swatch(color))
        self._current.set_text(tr(entry.name) if entry else tr("no class: pick one below"))
        self._list.select(entry.id if entry else None)

    def show_suggestions(self, colors: list[tuple[str, float]]) -> None:
        """Swatches to click: pairs of `#rrggbb` and how likely that is. None: the row goes away."""
        for button in self._suggestions.get_children():
            button.destroy()
        for color, share in colors:
            button = Gtk.Button(image=Gtk.Image.new_from_pixbuf(_swatch(color)))
            button.set_tooltip_text(f"{color}, {round(100 * share)} %")
            button.connect("clicked", lambda _, color=color: self._listener.color_chosen(color))
            button.show_all()
            self._suggestions.pack_start(button, True, True, 0)
        self._suggestions.set_visible(bool(colors))
        if colors:
            self._suggestions.get_children()[0].grab_focus()

    def show_live(self, on: bool) -> None:
        """Move the switch."""
        self._silently(lambda: self._live.set_active(on))

    def show_detail(self, detail: int) -> None:
        """Choose this detail."""
        index = _DETAILS.index(detail) if detail in _DETAILS else 0
        self._silently(lambda: self._detail.set_active(index))

    def show_layers(self, opacities: dict[str, float | None]) -> None:
        """The opacity in percent of the layer of each role; None when there is no such layer."""
        for role, percent in opacities.items():
            slider = self._sliders[role]
            slider.set_sensitive(percent is not None)
            if percent is not None and role not in self._timers:
                self._silently(partial(slider.set_value, percent))
        has_labels = opacities["labels"] is not None
        self._buttons["add labels"].set_visible(not has_labels)
        self._buttons["colorize"].set_visible(opacities["colorized"] is None)
        for name in _EDITING:
            self._buttons[name].set_sensitive(has_labels)

    def _make_window(self, title: str, place: Rectangle | None) -> Gtk.Window:
        window = GimpUi.Dialog(title=title, role="semcolor-panel")
        window.set_default_size(300, 720)
        GimpUi.window_set_transient(window)
        window.connect("response", lambda *_: self._listener.closed())
        window.connect("configure-event", self._on_configure)
        window.connect("delete-event", self._on_delete)
        window.connect("key-press-event", self._on_key)
        box = window.get_content_area()
        box.set_spacing(8)
        box.set_border_width(_MARGIN)
        box.pack_start(self._state_box(), False, False, 0)
        box.pack_start(self._making_box(), False, False, 0)
        box.pack_start(self._current_box(), False, False, 0)
        box.pack_start(self._list.widget, True, True, 0)
        box.pack_start(self._editing_box(), False, False, 0)
        box.pack_start(self._settings_box(), False, False, 0)
        box.pack_start(Gtk.Separator(), False, False, 0)
        box.pack_start(self._message, False, False, 0)
        if place:
            _place(window, place)
        window.show_all()
        self._list.start_search()
        return window

    def _state_box(self) -> Gtk.Widget:
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2)
        line = Gtk.Box(spacing=8)
        line.pack_start(self._state, True, True, 0)
        line.pack_end(self._live, False, False, 0)
        live = Gtk.Label(label=tr("Li_ve"), use_underline=True, mnemonic_widget=self._live)
        line.pack_end(live, False, False, 0)
        self._live.set_tooltip_text(tr("Colour follows each stroke on the label layer"))
        self._live.connect("notify::active", self._on_live)
        box.pack_start(line, False, False, 0)
        box.pack_start(self._sentence, False, False, 0)
        return box

    def _making_box(self) -> Gtk.Widget:
        box = Gtk.Box(spacing=6, homogeneous=True)
        for name, texts in _MAKING.items():
            box.pack_start(self._button(name, *texts), True, True, 0)
        return box

    def _current_box(self) -> Gtk.Widget:
        box = Gtk.Box(spacing=8)
        box.pack_start(Gtk.Label(label=tr("Painting")), False, False, 0)
        box.pack_start(self._current_swatch, False, False, 0)
        box.pack_start(self._current, True, True, 0)
        return box

    def _editing_box(self) -> Gtk.Widget:
        grid = Gtk.Grid(row_spacing=6, column_spacing=6, column_homogeneous=True)
        for index, (name, texts) in enumerate(_EDITING.items()):
            last = index == len(_EDITING) - 1
            button = self._button(name, *texts)
            grid.attach(button, index % 2, index // 2, 2 if last and index % 2 == 0 else 1, 1)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        box.pack_start(grid, False, False, 0)
        box.pack_start(self._suggestions, False, False, 0)
        return box

    def _settings_box(self) -> Gtk.Widget:
        grid = Gtk.Grid(row_spacing=4, column_spacing=8)
        sliders = (("labels", tr("Label opacity")), ("colorized", tr("Saturation")))
        for row, (role, label) in enumerate(sliders):
            grid.attach(Gtk.Label(label=label, xalign=0), 0, row, 1, 1)
            grid.attach(self._slider(role), 1, row, 1, 1)
        detail = Gtk.Label(label=tr("_Detail"), use_underline=True, xalign=0)
        detail.set_mnemonic_widget(self._detail)
        grid.attach(detail, 0, 2, 1, 1)
        for pixels in _DETAILS:
            text = tr("{pixels} pixels") if pixels else tr("The model's default")
            self._detail.append_text(text.format(pixels=pixels))
        self._detail.set_hexpand(True)
        self._detail.set_tooltip_text(tr("How large the network sees the photo's longer side"))
        self._detail.connect("changed", self._on_detail)
        grid.attach(self._detail, 1, 2, 1, 1)
        return grid

    def _button(self, name: str, label: str, tooltip: str) -> Gtk.Button:
        button = Gtk.Button(label=label, use_underline=True, no_show_all=name in _MAKING)
        button.set_tooltip_text(tooltip)
        button.connect("clicked", lambda _: self._listener.button_pressed(name))
        self._buttons[name] = button
        return button

    def _slider(self, role: str) -> Gtk.Scale:
        scale = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, 100, 1)
        scale.set_value_pos(Gtk.PositionType.RIGHT)
        scale.set_hexpand(True)
        scale.connect("value-changed", self._on_slider, role)
        self._sliders[role] = scale
        return scale

    def _silently(self, change: Callable[[], None]) -> None:
        self._quiet = True
        change()
        self._quiet = False

    def _on_live(self, *_: object) -> None:
        if not self._quiet:
            self._listener.live_switched(self._live.get_active())

    def _on_detail(self, *_: object) -> None:
        if not self._quiet:
            self._listener.detail_chosen(_DETAILS[self._detail.get_active()])

    def _on_slider(self, scale: Gtk.Scale, role: str) -> None:
        """Tell when it rests: each change of a layer's opacity is one undo step."""
        if not self._quiet:
            tell = self._listener.opacity_chosen
            self._when_at_rest(role, lambda: tell(role, scale.get_value()))

    def _on_configure(self, window: Gtk.Window, _: Gdk.Event) -> bool:
        tell = self._listener.window_placed
        self._when_at_rest(
            "window", lambda: tell(Rectangle(*window.get_position(), *window.get_size()))
        )
        return False

    def _when_at_rest(self, what: str, action: Callable[[], None]) -> None:
        """Act when this has not moved for a moment."""

        def rested() -> bool:
            del self._timers[what]
            action()
            return False

        if what in self._timers:
            GLib.source_remove(self._timers[what])
        self._timers[what] = GLib.timeout_add(_REST_MS, rested)

    def _on_key(self, _: Gtk.Widget, event: Gdk.EventKey) -> bool:
        if event.state & Gdk.ModifierType.CONTROL_MASK and event.keyval == Gdk.KEY_f:
            self._list.start_search()
            return True
        return False

    def _on_delete(self, *_: object) -> bool:
        self._listener.closed()
        return True  # `close` destroys the window


class _ClassList:
    """The searchable list of classes."""

    def __init__(self, entries: list[LabelClass], chosen: Callable[[int], None]) -> None:
        self._shares: dict[int, float] = {}
        self._recent: list[int] = []
        self._search = Gtk.SearchEntry(placeholder_text=tr("Search a class"))
        self._list = Gtk.ListBox(activate_on_single_click=True)
        self._rows: dict[int, Gtk.ListBoxRow] = {}
        self._share_labels: dict[int, Gtk.Label] = {}
        self._entries = {entry.id: entry._replace(name=tr(entry.name)) for entry in entries}
        self._in_english = {entry.id: entry for entry in entries}
        for entry in self._entries.values():
            self._list.add(self._row(entry))
        self._list.set_filter_func(self._is_found)
        self._list.set_sort_func(self._compare)
        self._list.set_header_func(self._set_header)
        self._chosen = chosen
        self._list.connect("row-activated", lambda _, row: self._choose(row))
        self._search.connect("search-changed", lambda _: self._list.invalidate_filter())
        self._search.connect("activate", self._choose_first)
        self._search.connect("stop-search", lambda _: self._search.set_text(""))
        scrolled = Gtk.ScrolledWindow(
            hscrollbar_policy=Gtk.PolicyType.NEVER, min_content_height=200
        )
        scrolled.set_shadow_type(Gtk.ShadowType.IN)
        scrolled.add(self._list)
        self.widget = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.widget.pack_start(self._search, False, False, 0)
        self.widget.pack_start(scrolled, True, True, 0)

    def start_search(self) -> None:
        self._search.grab_focus()  # and selects what was searched for last

    def show_shares(self, shares: dict[int, float]) -> None:
        for class_id, label in self._share_labels.items():
            share = shares.get(class_id)
            label.set_text(f"{max(1, round(100 * share))} %" if share else "")

    def order(self, shares: dict[int, float], recent: list[int]) -> None:
        self._shares, self._recent = shares, recent
        self._list.invalidate_sort()
        self._list.invalidate_headers()

    def select(self, class_id: int | None) -> None:
        row = self._rows.get(class_id) if class_id is not None else None
        if not row:
            self._list.unselect_all()
        elif not row.is_selected():
            self._list.select_row(row)
            GLib.idle_add(self._scroll_to, row)  # when the rows are in place

    def _scroll_to(self, row: Gtk.ListBoxRow) -> bool:
        place = row.get_allocation()
        self._list.get_adjustment().clamp_page(place.y, place.y + place.height)
        return False

    def _row(self, entry: LabelClass) -> Gtk.ListBoxRow:
        box = Gtk.Box(spacing=8, border_width=3)
        unlabelled = entry.id == classes.UNLABELLED
        swatch = _checkered_swatch() if unlabelled else _swatch(entry.hex)
        box.pack_start(Gtk.Image.new_from_pixbuf(swatch), False, False, 0)
        name = Gtk.Label(label=entry.name, xalign=0, ellipsize=Pango.EllipsizeMode.END)
        box.pack_start(name, True, True, 0)
        share = Gtk.Label()
        share.get_style_context().add_class("dim-label")
        box.pack_end(share, False, False, 4)
        row = Gtk.ListBoxRow()
        row.class_id = entry.id
        row.add(box)
        self._rows[entry.id], self._share_labels[entry.id] = row, share
        return row

    def _group(self, class_id: int) -> int:
        if class_id == classes.UNLABELLED:
            return 0
        if class_id in self._shares:
            return 1
        return 2 if class_id in self._recent else 3

    def _key(self, row: Gtk.ListBoxRow) -> tuple[int, float, str]:
        class_id = row.class_id
        group = self._group(class_id)
        within = {1: -self._shares.get(class_id, 0.0)}
        if group == 2:
            within[2] = float(self._recent.index(class_id))
        return group, within.get(group, 0.0), self._entries[class_id].name

    def _compare(self, one: Gtk.ListBoxRow, other: Gtk.ListBoxRow) -> int:
        return (self._key(one) > self._key(other)) - (self._key(one) < self._key(other))

    def _set_header(self, row: Gtk.ListBoxRow, before: Gtk.ListBoxRow | None) -> None:
        group = self._group(row.class_id)
        if group == 0 or (before and self._group(before.class_id) == group):
            row.set_header(None)
            return
        title = {1: tr("In this photo"), 2: tr("Recently used"), 3: tr("Other classes")}[group]
        label = Gtk.Label(xalign=0, margin_start=6, margin_top=6, margin_bottom=2)
        label.set_markup(f"<small><b>{title}</b></small>")
        label.get_style_context().add_class("dim-label")
        label.show()
        row.set_header(label)

    def _is_found(self, row: Gtk.ListBoxRow) -> bool:
        names = (self._entries[row.class_id], self._in_english[row.class_id])
        return any(classes.matches(entry, self._search.get_text()) for entry in names)

    def _choose_first(self, _: Gtk.SearchEntry) -> None:
        self._list.invalidate_filter()  # the search itself is told of the last keys with a delay
        found = [row for row in self._list.get_children() if self._is_found(row)]
        if found:
            self._choose(found[0])

    def _choose(self, row: Gtk.ListBoxRow) -> None:
        self._search.set_text("")
        self._chosen(row.class_id)


def _place(window: Gtk.Window, place: Rectangle) -> None:
    """As near as the screen, which may be another one by now, allows."""
    area = window.get_display().get_monitor_at_point(place.x, place.y).get_workarea()
    width, height = min(place.width, area.width), min(place.height, area.height)
    window.set_default_size(width, height)
    window.move(
        min(max(place.x, area.x), area.x + area.width - width),
        min(max(place.y, area.y), area.y + area.height - height),
    )


def _wrapped_label() -> Gtk.Label:
    return Gtk.Label(xalign=0, yalign=0, wrap=True, width_chars=32, max_width_chars=32)


def _swatch(color: str) -> GdkPixbuf.Pixbuf:
    pixbuf = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, _SWATCH, _SWATCH)
    pixbuf.fill(int(color.removeprefix("#") + "ff", 16))
    return pixbuf


def _checkered_swatch() -> GdkPixbuf.Pixbuf:
    """How GIMP shows what is transparent."""
    pixbuf, half = _swatch("#999999"), _SWATCH // 2
    for place in (0, half):
        pixbuf.new_subpixbuf(place, place, half, half).fill(0x666666FF)
    return pixbuf
