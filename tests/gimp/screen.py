"""Inside GIMP with a window: windows, mouse and keyboard, and what the panel shows."""

import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from gi.repository import Gimp, Gio
from inside import LIMIT_SECONDS, content, foreground, wait
from processes import ended, ticks_used

_REST_SECONDS = 2

_DROPPED_SECONDS = 60  # what has no effect by then was not heard

_IDLE_TICKS = 10  # of the processor's time, 10 ms each, that waiting costs in that time

_SWATCH_PIXELS = 300  # nearly 18 × 18

_MESSAGE_PIXELS = 84  # at the panel's bottom, where xdotool places it: with the last lines there

_BRIGHT = 150  # of 255: so are letters that are not dim, and the window's frame, in three colours
_TEXT_COLORS = 12  # far fewer than the edges of letters have, and more than anything without them

WATER_ON_WHITE = "#c78787"  # as the picture beside a question has it
LOST, READY = "#d03030", "#40a040"  # colours of the panel's dot

PALETTE = {
    "sky": "#00c040", "grass": "#0000c0", "water": "#c04040", "ground": "#8000c0",
    "tree": "#00c0c0", "boat": "#000080",
}  # fmt: skip


def show(image: Gimp.Image) -> None:
    """Open a window on the image, and wait until it takes key presses."""
    Gimp.Display.new(image)
    # A GIMP that was never used before opens this over the image, and takes its time to hear keys.
    _find_window("^Welcome to GIMP", "--sync")
    while welcome := _find_window("^Welcome to GIMP"):
        subprocess.run(["xdotool", "windowactivate", welcome, "key", "Escape"], check=False)
        time.sleep(0.5)  # pressed again, should it not have heard: Escape does no harm
    window = _find_window("GIMP$", "--sync")
    subprocess.run(
        ["xdotool", "windowactivate", "--sync", window], check=True, timeout=LIMIT_SECONDS
    )


def show_another(image: Gimp.Image) -> None:
    """Open a second image in the window, in front of the first."""
    Gimp.Display.new(image)
    size = f"{image.get_width()}x{image.get_height()}"
    _find_window(f"{size}.* GIMP$", "--sync")
    activate_image()


def _find_window(name: str, *options: str) -> str:
    """The number of a visible window of this name, "" when there is none; may wait for it."""
    return "".join(_find_windows(name, "--limit", "1", *options))


def _find_windows(name: str, *options: str) -> list[str]:
    search = ["xdotool", "search", "--onlyvisible", *options, "--name", name]
    while True:
        done = subprocess.run(
            search, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
        if "BadWindow" not in done.stderr:  # a window that went away stops the search
            return done.stdout.split()


def press(keys: str, until: Callable[[], bool]) -> None:
    """Press keys in GIMP's window once, and wait until that has had its effect."""
    subprocess.run(["xdotool", "key", keys], check=True)
    wait(until)


def confirm(title: str) -> None:
    """Press Return in the dialog of this title, as soon as it has opened."""

    def press_until_it_is_gone() -> None:
        dialog = _find_window(title, "--sync")
        while dialog:
            activate(dialog)
            subprocess.run(["xdotool", "key", "Return"], check=False)
            time.sleep(1)
            dialog = _find_window(title)

    threading.Thread(target=press_until_it_is_gone).start()


def open_panel(image: Gimp.Image) -> str:
    """Open the panel on an image that is shown; return its window's number."""
    others = panels()
    new: set[str] = set()
    pressed_at = float("-inf")

    def is_open() -> bool:
        """GIMP drops a key that comes at a bad moment; pressed twice, it opens no second panel."""
        nonlocal pressed_at
        if time.monotonic() - pressed_at > _DROPPED_SECONDS:
            pressed_at = time.monotonic()
            # The shortcut is the one that `harness` gives it.
            subprocess.run(["xdotool", "key", "ctrl+alt+p"], check=True)
        new.update(set(panels()) - set(others))
        return bool(new)

    wait(is_open)
    (window,) = new
    subprocess.run(["xdotool", "windowmove", window, "1200", "20"], check=True)
    wait(lambda: geometry(window)["X"] >= 1200)
    activate(window)
    return window


def panels() -> list[str]:
    """The numbers of the panels' windows that are open."""
    return _find_windows("^Semantic Color:")


def preferences() -> dict[str, Any]:
    """What the panels have saved, as soon as they have."""
    file = pathlib.Path(Gimp.directory(), "plug-in-settings/semcolor.json")
    wait(file.exists)
    return json.loads(file.read_text())


def close_panel(window: str) -> None:
    """Close a panel as a user does, and wait until its process has ended."""
    command = ["xdotool", "getwindowpid", window]
    panel = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    activate(window)
    # The next panel's window may have the same number: so this one's must be gone.
    press("alt+F4", lambda: window not in panels() and ended(panel))


def close_image(image: Gimp.Image) -> None:
    """Close the image in front without saving it."""
    activate_image()
    press("ctrl+w", closing_window)
    activate(closing_window())
    press("ctrl+d", lambda: not image.is_valid())


def is_active(window: str) -> bool:
    """Whether this window has the keyboard."""
    command = ["xdotool", "getactivewindow"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() == window


def closing_window() -> str:
    """The number of the window that asks whether to save an image that is closed, or ""."""
    return _find_window("^Close")


def settings_dialog() -> str:
    """The number of the window of Colorize with Settings, or ""."""
    return _find_window("^Colorize with Settings")


def message_window() -> str:
    """The number of a window in which GIMP complains, or ""."""
    return _find_window("^GIMP Message")


def choose_class(panel: str, name: str) -> None:
    """Search a class in the panel and choose it; then the keyboard is the image's again."""
    activate(panel)
    for words in (("key", "ctrl+f"), ("type", name), ("sleep", "0.5"), ("key", "Return")):
        subprocess.run(["xdotool", *words], check=True)
    wait(lambda: foreground() == PALETTE[name])
    activate_image()


def stroke(dx: int = 0, dy: int = 0, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Paint a stroke of 80 pixels with the mouse, beginning (dx, dy) beside the window's middle."""
    window = activate_image()
    place = geometry(window)
    x, y = place["X"] + place["WIDTH"] // 2 + dx, place["Y"] + place["HEIGHT"] // 2 + dy
    mouse("mousemove", x, y, "mousedown", 1, *_motion(x, y, range(10, 50, 10)))
    meanwhile()
    mouse(*_motion(x, y, range(50, 90, 10)), "mouseup", 1)


def drag(corners: list[tuple[int, int]]) -> None:
    """Drag the mouse along these places, each counted from the window's middle."""
    place = geometry(activate_image())
    x, y = place["X"] + place["WIDTH"] // 2, place["Y"] + place["HEIGHT"] // 2
    (first, *others) = [(x + right, y + down) for right, down in corners]
    mouse("mousemove", *first, "mousedown", 1)
    for corner in others:
        mouse("mousemove", *corner, "sleep", "0.1")
    mouse("mouseup", 1)


def pick(dx: int = 0, dy: int = 0) -> None:
    """Ctrl+click with a paint tool: GIMP picks the colour (dx, dy) beside the window's middle."""
    place = geometry(activate_image())
    x, y = place["X"] + place["WIDTH"] // 2 + dx, place["Y"] + place["HEIGHT"] // 2 + dy
    # GIMP turns the tool into the Color Picker when it sees the pointer move with Ctrl held.
    mouse("mousemove", x, y, "keydown", "ctrl", *_motion(x, y, range(3)), "click", 1)
    mouse("keyup", "ctrl")


def shows(window: str, color: str) -> bool:
    """Whether a window shows this colour anywhere now."""
    return tuple(bytes.fromhex(color.removeprefix("#"))) in _colors(window)


def says(panel: str) -> bool:
    """Whether there is a message at the panel's bottom now, over the dim sentence on the worker."""
    bright = [color for color in _colors(panel, lowest=_MESSAGE_PIXELS) if min(color) > _BRIGHT]
    return len(bright) > _TEXT_COLORS


def swatches(window: str) -> set[tuple[int, int, int]]:
    """The vivid colours (R, G, B) of which a window shows a swatch now."""
    counts = _colors(window)
    return {c for c in counts if counts[c] >= _SWATCH_PIXELS and max(c) - min(c) > 60}


def _colors(window: str, lowest: int | None = None) -> "Counter[tuple[int, int, int]]":
    """How many pixels of each colour a window shows, or only so many of its lowest rows."""
    place = geometry(window)
    if lowest:
        place["Y"] += place["HEIGHT"] - lowest
        place["HEIGHT"] = lowest
    with tempfile.NamedTemporaryFile(dir=os.environ["HOME"], suffix=".png") as file:
        area = ",".join(str(place[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
        subprocess.run(["scrot", "-o", "-a", area, file.name], check=True)
        picture = Gio.File.new_for_path(file.name)
        screen = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, picture)
    data = content(screen.get_layers()[0], "R'G'B' u8")
    screen.delete()
    return Counter(zip(data[0::3], data[1::3], data[2::3], strict=True))


def settle(layer: Gimp.Drawable) -> bytes:
    """Wait until a layer does not change and nobody works at it; return its pixels."""

    def state() -> tuple[bytes, int]:
        return content(layer), ticks_used()

    (last, work), since = state(), time.monotonic()
    end = since + LIMIT_SECONDS
    while time.monotonic() - since < _REST_SECONDS:
        assert time.monotonic() < end, "it never rests"
        time.sleep(0.2)
        now, work_now = state()
        # A job on a busy machine takes long, but not without a share of the processor.
        if now != last or work_now - work > _IDLE_TICKS:
            last, work, since = now, work_now, time.monotonic()
    return last


def activate(window: str) -> None:
    """Give a window the keyboard, which a program may ask for itself at the same moment."""

    def has_it() -> bool:
        if _has_keyboard(window):
            return True
        command = ["xdotool", "windowactivate", "--sync", window]
        subprocess.run(command, check=True, timeout=LIMIT_SECONDS)
        return False  # a program takes it when it comes to that

    wait(has_it)


def _has_keyboard(window: str) -> bool:
    command = ["xdotool", "getwindowfocus"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == window


def activate_image() -> str:
    """Give GIMP's main window the keyboard; return its number."""
    window = _find_window("GIMP$", "--sync")
    activate(window)
    return window


def geometry(window: str) -> dict[str, int]:
    """X, Y, WIDTH and HEIGHT of a window on the screen."""
    command = ["xdotool", "getwindowgeometry", "--shell", window]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    found = {name: int(value) for name, _, value in (line.partition("=") for line in lines)}
    return {name: found[name] for name in ("X", "Y", "WIDTH", "HEIGHT")}


def _motion(x: int, y: int, steps: range) -> list[str | int]:
    """Words for xdotool: along a row, with the moments of a hand."""
    return [word for step in steps for word in ("mousemove", x + step, y, "sleep", 0.03)]


def mouse(*words: object) -> None:
    """In one process, so that a busy machine does not make several strokes of one."""
    subprocess.run(["xdotool", *map(str, words)], check=True)
