"""Helpers for the scripts that tests run in GIMP's own Python (so only `gi` and the stdlib)."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

Gegl.init(None)

_LIMIT_SECONDS = 300  # far more than anything takes, also on a busy machine
_REST_SECONDS = 2
_IDLE_TICKS = 10  # of the processor's time, 10 ms each, that waiting costs in that time
_SMALLEST_EDIT = 20_000  # bytes; far more than the panel sends for other purposes
_SWATCH_PIXELS = 300  # nearly 18 × 18
_MESSAGE_PIXELS = 84  # at the panel's bottom, where xdotool places it: with the last lines there
_TEXT_COLORS = 12  # far fewer than the edges of letters have, and more than anything without them

_FORMATS = {  # babl format: (channels, numpy dtype)
    "Y' u8": (1, "uint8"),
    "Y' u16": (1, "uint16"),
    "R'G'B' u8": (3, "uint8"),
    "R'G'B' u16": (3, "uint16"),
    "R'G'B'A u8": (4, "uint8"),
    "CIE Lab float": (3, "float32"),
    "RGBA float": (4, "float32"),
}


def call(name: str, **properties: Any) -> Any:
    """Run a procedure; return its first value, if any. Raises RuntimeError with GIMP's message."""
    values = call_for_all(name, **properties)
    return values[0] if values else None


def call_for_all(name: str, **properties: Any) -> list[Any]:
    """Run a procedure; return its values. Raises RuntimeError with GIMP's message."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    assert procedure, f"GIMP doesn't know {name}"
    config = procedure.create_config()
    for key, value in properties.items():
        key = key.replace("_", "-")
        if isinstance(value, list) and key == "drawables":
            config.set_core_object_array(key, value)
        elif isinstance(value, list):
            Gimp.ProcedureConfig.set_double_array(config, key, value)
        else:
            config.set_property(key, value)
    result = procedure.run(config)
    if result.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(Gimp.get_pdb().get_last_error())
    values = [result.index(index) for index in range(1, result.length())]
    return [
        Gimp.value_get_double_array(value) if isinstance(value, Gimp.DoubleArray) else value
        for value in values
    ]


def add_labels(image: Gimp.Image, layer: Gimp.Layer | None = None) -> Gimp.Layer:
    return ours("add-label-layer", image, layer)[0]


def colorize(image: Gimp.Image, layer: Gimp.Layer | None = None) -> Gimp.Layer:
    return ours("colorize", image, layer)[0]


def ours(
    name: str, image: Gimp.Image, layer: Gimp.Layer | None = None, /, **properties: Any
) -> list[Any]:
    """Run one of our procedures on a layer, or on the lowest one; return its values."""
    properties = {"run_mode": Gimp.RunMode.NONINTERACTIVE, **properties}
    if isinstance(properties.get("file"), str):
        properties["file"] = Gio.File.new_for_path(properties["file"])
    drawables = [layer or image.get_layers()[-1]]
    name = f"plug-in-semcolor-{name}"
    return call_for_all(name, image=image, drawables=drawables, **properties)


def load(path: str) -> Gimp.Image:
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
    image.undo_enable()  # the JPEG loader switches it off, and only File ▸ Open switches it on
    return image


def load_gray(path: str, depth: int, width: int = 320) -> Gimp.Image:
    """A photo as a small gray image of this depth; at 16 bits, with values that 8 can't hold."""
    image = load(path)
    if depth == 16:
        image.convert_precision(Gimp.Precision.U16_NON_LINEAR)
    image.convert_grayscale()
    image.scale(width, round(width * image.get_height() / image.get_width()))
    return image


def save(image: Gimp.Image, path: str) -> None:
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(path), None)


def pixels(
    layer: Gimp.Drawable, pixel_format: str, area: tuple[int, int, int, int] | None = None
) -> dict:
    """A layer's pixels for the test, which gets them as a numpy array."""
    channels, dtype = _FORMATS[pixel_format]
    x, y, width, height = area or (0, 0, layer.get_width(), layer.get_height())
    area = Gegl.Rectangle.new(x, y, width, height)
    data = layer.get_buffer().get(area, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    return to_array(data, [height, width, channels], dtype)


def to_array(data: bytes, shape: list[int], dtype: str) -> dict:
    """Bytes that the test gets as a numpy array."""
    with tempfile.NamedTemporaryFile(dir=os.environ["HOME"], suffix=".raw", delete=False) as file:
        file.write(data)
    return {"pixels": file.name, "shape": shape, "dtype": dtype}


def content(layer: Gimp.Drawable, pixel_format: str = "R'G'B'A u16") -> bytes:
    """A layer's pixels, to compare within the script."""
    area = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    return layer.get_buffer().get(area, 1.0, pixel_format, Gegl.AbyssPolicy.NONE)


def visible(image: Gimp.Image, pixel_format: str) -> dict:
    """The pixels of the image as it is shown."""
    return pixels(Gimp.Layer.new_from_visible(image, image, "visible"), pixel_format)


def paint(layer: Gimp.Layer, color: str, x: int, y: int, width: int, height: int) -> None:
    """Paint a rectangle with the Pencil, in strokes, as a user would."""
    Gimp.context_push()
    Gimp.context_set_defaults()
    Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 100"))
    Gimp.context_set_brush_size(9)
    Gimp.context_set_foreground(Gegl.Color.new(color))
    left, right = x + 5, x + width - 5
    for row in range(y + 5, y + height - 4, 3):
        Gimp.pencil(layer, [left, row, right, row])
    Gimp.context_pop()


def structure(image: Gimp.Image) -> dict:
    """What the layers dock shows, from top to bottom, and what else could be left changed."""
    return {
        "mode": int(image.get_base_type()),
        "layers": [
            {
                "name": layer.get_name(),
                "offsets": list(layer.get_offsets())[1:],
                "size": [layer.get_width(), layer.get_height()],
                "opacity": round(layer.get_opacity()),
                "lch color": layer.get_mode() == Gimp.LayerMode.LCH_COLOR,
                "visible": layer.get_visible(),
            }
            for layer in image.get_layers()
        ],
        "selected layers": [layer.get_name() for layer in image.get_selected_layers()],
        "selection": list(Gimp.Selection.bounds(image))[1:],
        "channels": len(image.get_channels()),
        "foreground": foreground(),
        "background": _hex(Gimp.context_get_background()),
        "paint method": Gimp.context_get_paint_method()[-1],
    }


def foreground() -> str:
    """The user's foreground colour as `#rrggbb`."""
    return _hex(Gimp.context_get_foreground())


def _hex(color: Gegl.Color) -> str:
    return "#" + color.get_bytes(Babl.format("R'G'B' u8")).get_data().hex()


def failure(action: Callable, *arguments: Any, **properties: Any) -> str | None:
    """The message with which a procedure fails; None when it doesn't."""
    try:
        action(*arguments, **properties)
    except RuntimeError as error:
        return str(error)
    return None


def kill_plugin_at_work(killed: list[int]) -> threading.Thread:
    """Start to wait for the plug-in and its bridge; then kill the plug-in as GIMP's Cancel does.

    The bridge is stopped meanwhile, so that the plug-in surely dies while it waits for it.
    `killed` gets the numbers of the two processes.
    """

    def watch() -> None:
        wait(lambda: _plugin_and_bridge() is not None)
        plugin, bridge = _plugin_and_bridge()
        os.kill(bridge, signal.SIGSTOP)
        killed.extend([plugin, bridge])
        os.kill(plugin, signal.SIGKILL)
        os.kill(bridge, signal.SIGCONT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def ended(pid: int) -> bool:
    """Whether this process is gone (or only waits for its parent to take notice)."""
    state = _status(pid).get("State")
    return state is None or state.startswith("Z")


def _plugin_and_bridge() -> tuple[int, int] | None:
    for bridge in bridges():
        plugin = int(_status(bridge).get("PPid", 0))
        if b"semcolor/semcolor.py" in _command_line(plugin):
            return plugin, bridge
    return None


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command_line(pid: int) -> bytes:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _status(pid: int) -> dict[str, str]:
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


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
        ["xdotool", "windowactivate", "--sync", window], check=True, timeout=_LIMIT_SECONDS
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
            search, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False
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


def wait(until: Callable[[], bool]) -> None:
    """Wait for something to happen; the limit only ends a test that has failed."""
    end = time.monotonic() + _LIMIT_SECONDS
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


# --- The panel -----------------------------------------------------------------------------------

LOST, READY = "#d03030", "#40a040"  # colours of the panel's dot
PALETTE = {
    "sky": "#00c040", "grass": "#0000c0", "water": "#c04040", "ground": "#8000c0",
    "tree": "#00c0c0", "boat": "#000080",
}  # fmt: skip


def open_panel(image: Gimp.Image) -> str:
    """Open the panel on an image that is shown; return its window's number."""
    others = panels()
    new: set[str] = set()
    # The shortcut is the one that `harness` gives it.
    press("ctrl+alt+p", lambda: new.update(set(panels()) - set(others)) or new)
    (window,) = new
    subprocess.run(["xdotool", "windowmove", window, "1200", "20"], check=True)
    wait(lambda: geometry(window)["X"] >= 1200)
    activate(window)
    return window


def panels() -> list[str]:
    """The numbers of the panels' windows that are open."""
    return _find_windows("^Semantic Color:")


def preferences() -> dict[str, Any]:
    """What the panels have saved."""
    file = pathlib.Path(Gimp.directory(), "plug-in-settings/semcolor.json")
    return json.loads(file.read_text())


def close_panel(window: str) -> None:
    """Close a panel as a user does, and wait until its process has ended."""
    others = len(plug_ins()) - 1
    activate(window)
    press("alt+F4", lambda: len(plug_ins()) == others)


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
    _mouse("mousemove", x, y, "mousedown", 1, *_motion(x, y, range(10, 50, 10)))
    meanwhile()
    _mouse(*_motion(x, y, range(50, 90, 10)), "mouseup", 1)


def pick(dx: int = 0, dy: int = 0) -> None:
    """Ctrl+click with a paint tool: GIMP picks the colour (dx, dy) beside the window's middle."""
    place = geometry(activate_image())
    x, y = place["X"] + place["WIDTH"] // 2 + dx, place["Y"] + place["HEIGHT"] // 2 + dy
    # GIMP turns the tool into the Color Picker when it sees the pointer move with Ctrl held.
    _mouse("mousemove", x, y, "keydown", "ctrl", *_motion(x, y, range(3)), "click", 1)
    _mouse("keyup", "ctrl")


def shows(window: str, color: str) -> bool:
    """Whether a window shows this colour anywhere now."""
    return tuple(bytes.fromhex(color.removeprefix("#"))) in _colors(window)


def says(panel: str) -> bool:
    """Whether there is a sentence at the panel's bottom now."""
    return len(_colors(panel, lowest=_MESSAGE_PIXELS)) > _TEXT_COLORS


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
        return content(layer), _work()

    (last, work), since = state(), time.monotonic()
    end = since + _LIMIT_SECONDS
    while time.monotonic() - since < _REST_SECONDS:
        assert time.monotonic() < end, "it never rests"
        time.sleep(0.2)
        now, work_now = state()
        # A job on a busy machine takes long, but not without a share of the processor.
        if now != last or work_now - work > _IDLE_TICKS:
            last, work, since = now, work_now, time.monotonic()
    return last


def _work() -> int:
    """The processor's time that our bridges and workers have used so far, in ticks of 10 ms."""
    return sum(_ticks(pid) for pid in _own(b"semcolor.bridge") + _own(b"semcolor_worker"))


def _ticks(pid: int) -> int:
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])  # in user mode and in the kernel


def kill_worker() -> None:
    """Kill our worker, as a machine that runs out of memory does."""
    _signal_worker(signal.SIGKILL)


@contextlib.contextmanager
def worker_asleep() -> Iterator[None]:
    """A worker that answers nothing in the block."""
    _signal_worker(signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_worker(signal.SIGCONT)


def wait_for_job(action: Callable[[], None]) -> None:
    """Do something that edits labels, and wait until the one bridge has got the edit."""
    (bridge,) = bridges()
    before = _bytes_read(bridge)
    action()
    wait(lambda: _bytes_read(bridge) > before + _SMALLEST_EDIT)


def _bytes_read(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/io").read_text().split()[1])


def _signal_worker(number: int) -> None:
    for pid in _own(b"-m\0semcolor_worker\0"):
        os.kill(pid, number)


def bridges() -> list[int]:
    """The bridges that run for us."""
    return _own(b"semcolor.bridge")


def plug_ins() -> list[int]:
    """Our plug-in's processes."""
    return _own(b"semcolor/semcolor.py")


def _own(words: bytes) -> list[int]:
    """The processes of this test that have these words in their command line."""
    own = f"HOME={os.environ['HOME']}".encode()
    found = [pid for pid in _processes() if words in _command_line(pid)]
    return [pid for pid in found if own in _environment(pid) and not ended(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def activate(window: str) -> None:
    """Give a window the keyboard."""
    subprocess.run(
        ["xdotool", "windowactivate", "--sync", window], check=True, timeout=_LIMIT_SECONDS
    )
    wait(lambda: _has_keyboard(window))  # a program takes it when it comes to that


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


def _mouse(*words: object) -> None:
    """In one process, so that a busy machine does not make several strokes of one."""
    subprocess.run(["xdotool", *map(str, words)], check=True)
