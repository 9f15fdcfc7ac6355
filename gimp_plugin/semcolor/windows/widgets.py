"""Small things of which windows are made."""

from collections.abc import Callable

from gi.repository import GdkPixbuf, GLib, Gtk

_SWATCH = 18  # pixels
_REST_SECONDS = 0.3


class Timers:
    """Acts on what moves (a slider, a window) when it has come to rest."""

    def __init__(self) -> None:
        self._timers: dict[str, int] = {}

    def when_at_rest(self, what: str, action: Callable[[], None]) -> None:
        """Act when this has not moved for a moment."""
        self.later(what, _REST_SECONDS, action)

    def later(self, what: str, seconds: float, action: Callable[[], None]) -> None:
        """Act when so much time has passed, unless this is called again, or cancelled."""

        def passed() -> bool:
            del self._timers[what]
            action()
            return False

        self.cancel(what)
        self._timers[what] = GLib.timeout_add(round(1000 * seconds), passed)

    def cancel(self, what: str) -> None:
        """Don't act."""
        if what in self._timers:
            GLib.source_remove(self._timers.pop(what))

    def moves(self, what: str) -> bool:
        """Whether this has moved a moment ago."""
        return what in self._timers

    def stop(self) -> None:
        """Act on nothing any more."""
        for timer in self._timers.values():
            GLib.source_remove(timer)
        self._timers.clear()


def wrapped_label() -> Gtk.Label:
    """A label for sentences."""
    return Gtk.Label(xalign=0, yalign=0, wrap=True, width_chars=32, max_width_chars=32)


def swatch(color: str) -> GdkPixbuf.Pixbuf:
    """A square of this `#rrggbb`."""
    pixbuf = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, _SWATCH, _SWATCH)
    pixbuf.fill(int(color.removeprefix("#") + "ff", 16))
    return pixbuf


def checkered_swatch() -> GdkPixbuf.Pixbuf:
    """How GIMP shows what is transparent."""
    pixbuf, half = swatch("#999999"), _SWATCH // 2
    for corner in (0, half):
        pixbuf.new_subpixbuf(corner, corner, half, half).fill(0x666666FF)
    return pixbuf
