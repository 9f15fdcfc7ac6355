"""The searchable list of classes."""

from gi.repository import GLib, Gtk, Pango
from labels.classes import found
from language import tr
from shared.classes import UNLABELLED, LabelClass, all_classes

from .listener import Listener
from .widgets import checkered_swatch, swatch

_LOCK = "gimp-lock-content-symbolic"


class ClassList:
    """The searchable list of classes."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._shares: dict[int, float] = {}
        self._found: list[int] | None = None  # class ids, while something is searched for
        self._recent: list[int] = []
        self._search = Gtk.SearchEntry(placeholder_text=tr("Search a class"))
        self._list = Gtk.ListBox(activate_on_single_click=True)
        self._rows: dict[int, Gtk.ListBoxRow] = {}
        self._share_labels: dict[int, Gtk.Label] = {}
        self._key_labels: dict[int, Gtk.Label] = {}
        self._names = {entry.id: tr(entry.name) for entry in all_classes()}
        for entry in all_classes():
            self._list.add(self._row(entry))
        self._list.set_filter_func(self._is_found)
        self._list.set_sort_func(self._compare)
        self._list.set_header_func(self._set_header)
        self._list.connect("row-activated", lambda _, row: self._choose(row))
        self._search.connect("search-changed", self._on_search)
        self._search.connect("activate", self._choose_first)
        nothing = Gtk.Label(label=tr("No class has that name."), margin=12)
        nothing.show()
        self._list.set_placeholder(nothing)
        self._search.connect("stop-search", lambda _: self._search.set_text(""))
        scrolled = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER, min_content_height=60)
        scrolled.set_shadow_type(Gtk.ShadowType.IN)
        scrolled.add(self._list)
        self.widget = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.widget.pack_start(self._search, False, False, 0)
        self.widget.pack_start(scrolled, True, True, 0)

    def start_search(self) -> None:
        """Give the search the keyboard."""
        self._search.grab_focus()  # and selects what was searched for last

    def choose_recent(self, key: str) -> bool:
        """Choose one of the recently used classes by its number; whether there is one."""
        place = ord(key) - ord("1")
        if not 0 <= place < len(self._recent):
            return False
        self._choose(self._rows[self._recent[place]])
        return True

    @property
    def is_searching(self) -> bool:
        """Whether the user has typed something to find a class."""
        return self._found is not None

    def show_shares(self, shares: dict[int, float]) -> None:
        """How much of the photo each class has; the order stays."""
        for class_id, label in self._share_labels.items():
            share = shares.get(class_id)
            label.set_text(f"{max(1, round(100 * share))} %" if share else "")

    def order(self, shares: dict[int, float], recent: list[int]) -> None:
        """Put the classes in order: those in this photo, those recently used, the others."""
        self.show_shares(shares)
        self._shares, self._recent = shares, recent
        for class_id, label in self._key_labels.items():
            is_recent = class_id in recent
            label.set_markup(f"<small>{recent.index(class_id) + 1}</small>" if is_recent else "")
        self._list.invalidate_sort()
        self._list.invalidate_headers()

    def select(self, class_id: int | None) -> None:
        """The class that is painted; None: none is."""
        row = self._rows.get(class_id) if class_id is not None else None
        if not row:
            self._list.unselect_all()
        elif not row.is_selected():
            self._list.select_row(row)
            GLib.idle_add(self._scroll_to, row)  # when the rows are in place

    def _scroll_to(self, row: Gtk.ListBoxRow) -> bool:
        area = row.get_allocation()
        self._list.get_adjustment().clamp_page(area.y, area.y + area.height)
        return False

    def _row(self, entry: LabelClass) -> Gtk.ListBoxRow:
        box = Gtk.Box(spacing=8, border_width=3)
        unlabelled = entry.id == UNLABELLED
        picture = checkered_swatch() if unlabelled else swatch(entry.hex)
        box.pack_start(Gtk.Image.new_from_pixbuf(picture), False, False, 0)
        name = Gtk.Label(label=self._names[entry.id], xalign=0, ellipsize=Pango.EllipsizeMode.END)
        box.pack_start(name, True, True, 0)
        share, key = Gtk.Label(), Gtk.Label()
        for label in (share, key):
            label.get_style_context().add_class("dim-label")
        if not unlabelled:
            box.pack_end(self._lock(entry.id), False, False, 0)
        box.pack_end(key, False, False, 0)
        box.pack_end(share, False, False, 4)
        row = Gtk.ListBoxRow()
        row.class_id = entry.id
        row.add(box)
        row.get_accessible().set_name(self._names[entry.id])
        self._rows[entry.id], self._share_labels[entry.id] = row, share
        self._key_labels[entry.id] = key
        return row

    def _lock(self, class_id: int) -> Gtk.Widget:
        lock = Gtk.CheckButton(image=Gtk.Image(icon_name=_LOCK), always_show_image=True)
        lock.set_relief(Gtk.ReliefStyle.NONE)
        lock.set_tooltip_text(tr("Locked: only plain strokes change what is of this class"))
        lock.get_accessible().set_name(tr("Locked"))
        lock.connect("toggled", lambda _: self._listener.class_locked(class_id, lock.get_active()))
        return lock

    def _group(self, class_id: int) -> int:
        if class_id == UNLABELLED:
            return 0
        if class_id in self._shares:
            return 1
        return 2 if class_id in self._recent else 3

    def _key(self, row: Gtk.ListBoxRow) -> tuple[int, float, str]:
        class_id = row.class_id
        if self._found is not None:
            place = self._found.index(class_id) if class_id in self._found else len(self._rows)
            return 0, place, ""
        group = self._group(class_id)
        within = {1: -self._shares.get(class_id, 0.0)}
        if group == 2:
            within[2] = float(self._recent.index(class_id))
        return group, within.get(group, 0.0), self._names[class_id]

    def _compare(self, one: Gtk.ListBoxRow, other: Gtk.ListBoxRow) -> int:
        return (self._key(one) > self._key(other)) - (self._key(one) < self._key(other))

    def _set_header(self, row: Gtk.ListBoxRow, before: Gtk.ListBoxRow | None) -> None:
        group = self._group(row.class_id)
        if (
            self._found is not None
            or group == 0
            or (before and self._group(before.class_id) == group)
        ):
            row.set_header(None)
            return
        title = {1: tr("In this photo"), 2: tr("Recently used"), 3: tr("Other classes")}[group]
        label = Gtk.Label(xalign=0, margin_start=6, margin_top=6, margin_bottom=2)
        label.set_markup(f"<small><b>{title}</b></small>")
        label.get_style_context().add_class("dim-label")
        label.show()
        row.set_header(label)

    def _is_found(self, row: Gtk.ListBoxRow) -> bool:
        return self._found is None or row.class_id in self._found

    def _on_search(self, _: Gtk.SearchEntry) -> None:
        text = self._search.get_text().strip()
        names = [(entry, self._names[entry.id]) for entry in all_classes()]
        self._found = [entry.id for entry in found(text, names)] if text else None
        self._list.invalidate_filter()
        self._list.invalidate_sort()
        self._list.invalidate_headers()

    def _choose_first(self, search: Gtk.SearchEntry) -> None:
        self._on_search(search)  # it is told of the last keys with a delay
        if self._found:
            self._choose(self._rows[self._found[0]])

    def _choose(self, row: Gtk.ListBoxRow) -> None:
        self._search.set_text("")
        self._listener.class_chosen(row.class_id)
