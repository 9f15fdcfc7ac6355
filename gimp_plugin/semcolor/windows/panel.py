"""The panel's window."""

from gi.repository import Gdk, GimpUi, GLib, Gtk, Pango
from language import tr
from live.watch import Pointer
from shared.classes import LabelClass
from shared.geometry import Rectangle

from .buttons import Buttons
from .class_list import ClassList
from .listener import Listener
from .question import Question
from .settings_box import SettingsBox
from .state_box import StateBox
from .widgets import Timers, swatch, wrapped_label

_MARGIN = 10
_MESSAGE_LINES = 3
_BORDER = 12  # pixels; between classes and buttons
_LOWER_HEIGHT = 72  # pixels; what the buttons get at least, which scroll there
_READ_SECONDS = 20
_HINT = tr("Click a class, then paint with the Pencil on the label layer.")


class PanelWindow:
    """A window that stays open beside the image.

    Args:
        title: what the window is called.
        listener: gets every action of the user.
        area: where the window was last time, as `window_moved` told.
    """

    def __init__(self, title: str, listener: Listener, area: Rectangle | None = None) -> None:
        GimpUi.init("semcolor")
        self._listener, self._timers = listener, Timers()
        self.state = StateBox(listener)
        self.classes = ClassList(listener)
        self.buttons = Buttons(listener)
        self.settings = SettingsBox(listener, self._timers)
        self.question = Question(self.state.widget, listener)
        self._message = wrapped_label()
        self._obstacle = Gtk.Label(xalign=0, ellipsize=Pango.EllipsizeMode.END)
        self._put_right = Gtk.Button(label=tr("_Put Right"), use_underline=True)
        self._put_right.connect("clicked", lambda _: listener.obstacle_removed())
        self._current = Gtk.Label(xalign=0, ellipsize=Pango.EllipsizeMode.END)
        self._current_swatch = Gtk.Image()
        self._window = self._make_window(title, area)
        self.say(_HINT)
        self.show_obstacle("")

    def close(self) -> None:
        """Take the window away. Timers end."""
        self._timers.stop()
        self._window.destroy()

    def pointer(self) -> Pointer:
        """Where the pointer is now, on the whole screen where the desktop tells."""
        device = self._window.get_display().get_default_seat().get_pointer()
        screen = self._window.get_screen().get_root_window()
        _, x, y, state = screen.get_device_position(device)
        return Pointer(x, y, bool(state & Gdk.ModifierType.BUTTON1_MASK))

    def to_front(self) -> None:
        """For a user who looks for it."""
        self._window.present_with_time(Gdk.CURRENT_TIME)

    def say(self, message: str) -> None:
        """A sentence about what the user has just done; it goes after a while."""
        self._message.set_text(message)
        self._timers.cancel("message")
        if message:
            self._timers.later("message", _READ_SECONDS, lambda: self._message.set_text(""))

    def show_obstacle(self, sentence: str) -> None:
        """What keeps strokes from the label layer; "": nothing does."""
        self._obstacle.set_text(sentence)
        self._obstacle.set_tooltip_text(sentence)
        self._put_right.set_opacity(1.0 if sentence else 0.0)  # so that nothing moves
        self._put_right.set_sensitive(bool(sentence))

    def show_current(self, entry: LabelClass | None, color: str) -> None:
        """The class that the foreground colour paints; None: that colour is no class's."""
        self._current_swatch.set_from_pixbuf(swatch(color))
        self._current.set_text(tr(entry.name) if entry else tr("no class: pick one below"))
        self.classes.select(entry.id if entry else None)

    def _make_window(self, title: str, area: Rectangle | None) -> Gtk.Window:
        window = GimpUi.Dialog(title=title, role="semcolor-panel")
        window.set_default_size(300, 720)
        GimpUi.window_set_transient(window)
        window.connect("response", lambda *_: self._listener.closed())
        window.connect("configure-event", self._on_configure)
        window.connect("delete-event", self._on_delete)
        window.connect("key-press-event", self._on_key)
        box = window.get_content_area()
        box.set_spacing(6)
        box.set_border_width(_MARGIN)
        box.pack_start(self.state.widget, False, False, 0)
        box.pack_start(self.buttons.making, False, False, 0)
        box.pack_start(self._current_box(), False, False, 0)
        box.pack_start(self._obstacle_box(), False, False, 0)
        box.pack_start(self._parts(), True, True, 0)
        box.pack_start(Gtk.Separator(), False, False, 0)
        box.pack_start(self._messages(), False, False, 0)
        if area:
            _move_to(window, area)
        window.show_all()
        window.get_action_area().hide()  # a dialog's, which has no buttons here
        self.classes.start_search()
        return window

    def _parts(self) -> Gtk.Widget:
        """The classes above, the buttons below, which scroll; the border is where the user wants.

        It stays there whatever the buttons show, so that nothing jumps.
        """
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        box.pack_start(self.buttons.editing, False, False, 0)
        view = Gtk.Expander(label=tr("View and detail"), expanded=True)
        view.add(self.settings.widget)
        box.pack_start(view, False, False, 0)
        lower = _scrolled(box, min_content_height=_LOWER_HEIGHT, propagate_natural_height=True)
        box.set_focus_vadjustment(lower.get_vadjustment())  # what gets the keyboard is seen
        parts = Gtk.Paned(orientation=Gtk.Orientation.VERTICAL)
        parts.pack1(self.classes.widget, True, False)
        parts.pack2(lower, False, False)
        lower.set_margin_top(6)
        parts.connect("map", lambda *_: GLib.idle_add(_set_border, parts))
        return parts

    def _messages(self) -> Gtk.Widget:
        """As high with a message as without: nothing above it moves."""
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2)
        box.pack_start(self._message, False, False, 0)
        box.pack_start(self.state.sentence, False, False, 0)
        _, line_height = self._message.create_pango_layout("X").get_pixel_size()
        return _scrolled(box, min_content_height=_MESSAGE_LINES * line_height)

    def _current_box(self) -> Gtk.Widget:
        box = Gtk.Box(spacing=8)
        box.pack_start(Gtk.Label(label=tr("Painting")), False, False, 0)
        box.pack_start(self._current_swatch, False, False, 0)
        box.pack_start(self._current, True, True, 0)
        return box

    def _obstacle_box(self) -> Gtk.Widget:
        box = Gtk.Box(spacing=8)
        box.pack_start(self._obstacle, True, True, 0)
        box.pack_end(self._put_right, False, False, 0)
        return box

    def _on_configure(self, window: Gtk.Window, _: Gdk.Event) -> bool:
        tell = self._listener.window_moved
        self._timers.when_at_rest(
            "window", lambda: tell(Rectangle(*window.get_position(), *window.get_size()))
        )
        return False

    def _on_key(self, _: Gtk.Widget, event: Gdk.EventKey) -> bool:
        held = event.state & Gtk.accelerator_get_default_mod_mask()
        if held == Gdk.ModifierType.CONTROL_MASK and event.keyval == Gdk.KEY_f:
            self.classes.start_search()
            return True
        if not held and self.classes.choose_recent(chr(Gdk.keyval_to_unicode(event.keyval))):
            return True
        # A dialog would close: but this one is a tool, and the user means what he types into it.
        return bool(event.keyval == Gdk.KEY_Escape and not self.classes.is_searching)

    def _on_delete(self, *_: object) -> bool:
        self._listener.closed()
        return True  # `close` destroys the window


def _set_border(parts: Gtk.Paned) -> bool:
    """So that the lower part is seen as a whole, if there is room, when the window opens."""
    _, wanted = parts.get_child2().get_preferred_height()
    parts.set_position(parts.get_allocated_height() - wanted - _BORDER)
    return False


def _scrolled(content: Gtk.Widget, **properties: object) -> Gtk.Widget:
    never = Gtk.PolicyType.NEVER
    scrolled = Gtk.ScrolledWindow(hscrollbar_policy=never, shadow_type=Gtk.ShadowType.NONE)
    for name, value in properties.items():
        scrolled.set_property(name.replace("_", "-"), value)
    scrolled.add(content)
    return scrolled


def _move_to(window: Gtk.Window, wanted: Rectangle) -> None:
    """As near as the screen, which may be another one by now, allows."""
    area = window.get_display().get_monitor_at_point(wanted.x, wanted.y).get_workarea()
    width, height = min(wanted.width, area.width), min(wanted.height, area.height)
    window.set_default_size(width, height)
    window.move(
        min(max(wanted.x, area.x), area.x + area.width - width),
        min(max(wanted.y, area.y), area.y + area.height - height),
    )
