#!/usr/bin/env python3
"""Make the pictures of GIMP in `docs/images`, in a real GIMP, with the real worker.

Run it as root with the Python of an environment in which semcolor is installed:

    python docs/screenshot.py
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.append(str(CHECKOUT))

from semcolor.shared.classes import gimp_palette  # noqa: E402
from tests.gimp import roots  # noqa: E402
from tests.gimp.harness import Gimp  # noqa: E402

IMAGES = CHECKOUT / "docs/images"
SAMPLES = CHECKOUT / "samples"
VERSION = "3.2"
SCREEN = (1280, 800)
CAPTION_HEIGHT = 44

# The palette and large layer thumbnails beside the photo, without the docks that don't matter here.
SESSION = """\
(session-info "toplevel"
    (factory-entry "gimp-single-image-window")
    (position 0 0)
    (size 1280 776)
    (open-on-exit)
    (aux-info (left-docks-width "150") (right-docks-width "270"))
    (gimp-toolbox
        (side left)
        (book (current-page 0) (dockable "gimp-tool-options" (tab-style icon))))
    (gimp-dock
        (side right)
        (book
            (current-page 0)
            (dockable "gimp-palette-editor" (tab-style icon) (aux-info (edit-active "true"))))
        (book
            (position 430)
            (current-page 0)
            (dockable "gimp-layer-list" (tab-style icon) (preview-size 48)))))
(single-window-mode yes)
"""

START = """
result["frames"] = []

def keys(*words):
    subprocess.run(["xdotool", *words], check=True)
    time.sleep(2)

def frame(caption, seconds, rest=1):
    time.sleep(rest)
    path = os.path.join(os.environ["HOME"], f"frame-{{len(result['frames']):02}}.png")
    subprocess.run(["scrot", "-p", "-o", path], check=True)
    result["frames"].append([path, caption, seconds])

def open_photo(path):
    image = load_gray(path, 8, 1024)
    show(image)
    keys("mousemove", "1279", "799", "key", "n")  # no brush over the photo; the Pencil
    keys("key", "ctrl+shift+j")
    Gimp.context_set_brush_size(50)
    return image

def panel_at_the_edge(image):
    panel = open_panel(image)
    keys("windowmove", panel, "952", "30")
    activate(panel)
    return panel

image = open_photo({photo!r})
"""

PICTURES = """
keys("key", "slash")
keys("type", "Add Label Layer")
keys("key", "Return")
wait(lambda: len(image.get_layers()) == 2)
frame("gimp-labels", 0, rest=3)

panel = panel_at_the_edge(image)
press("alt+v", lambda: len(image.get_layers()) == 3)  # live
labels, colors, _ = image.get_layers()
settle(colors)
choose_class(panel, "boat")
keys("key", "n")
before = content(colors)
for part in range(6):  # along the hull
    stroke(-440 + 80 * part, 265)
labels.set_opacity(25)
wait(lambda: content(colors) != before)
settle(colors)
keys("mousemove", "600", "530")
frame("gimp-panel", 0, rest=3)
"""

EDITING = """
def to_opacity(percent):
    labels.set_opacity(percent)
    Gimp.displays_flush()

def drag(x, y, to_x, to_y, caption=""):
    before = content(colors)
    mouse("mousemove", str(x), str(y), "mousedown", "1")
    for step in range(1, 5):
        mouse("mousemove", str(x + (to_x - x) * step // 4), str(y + (to_y - y) * step // 4))
        if caption:
            frame(caption, 0.4, rest=0.2)
    mouse("mouseup", "1")
    wait(lambda: content(colors) != before)

frame("A photograph from about 1875, opened in GIMP.", 3, rest=3)
panel = panel_at_the_edge(image)
frame("Filters, Semantic Color, Semantic Color Panel…", 3, rest=3)
press("alt+v", lambda: len(image.get_layers()) == 3)
labels, colors, _ = image.get_layers()
settle(colors)
frame("Live on: the labels appear, half transparent, and the colour below them.", 4, rest=3)
to_opacity(0)
frame("Sky, rocks and the firs in front are right. But the meadow was taken for rock.", 4, rest=2)
to_opacity(40)
Gimp.context_set_brush_size(80)
choose_class(panel, "grass")
keys("key", "n")
activate(panel)
press("alt+m", lambda: preferences()["smart"])
choose_class(panel, "grass")
keys("key", "n")
frame("So: pick the class “grass”, and switch Smart on …", 3)
drag(650, 575, 900, 560, "… for the whole meadow, one stroke with the Pencil.")
settle(colors)
frame("What belongs to it becomes grass, to the photo's edges, and the colour follows.", 4)
keys("mousemove", "650", "300")
activate(panel)
keys("key", "alt+g")
frame("An object can keep a colour of its own: some are suggested.", 4, rest=4)
to_opacity(0)
keys("key", "Tab", "key", "space")
settle(colors)
frame("This meadow is olive from now on.", 3)
keys("mousemove", "1279", "799")
frame("A minute's work. The photo itself was never touched.", 6, rest=2)
"""


def run(photo: str, *parts: str) -> list[tuple[Path, str, float]]:
    """Screenshots: files in a folder of GIMP's, each with its caption and its seconds."""
    folder = Path(tempfile.mkdtemp())
    gimp = Gimp(VERSION, folder)
    gimp.install(gimp_palette())
    (gimp.profile / "sessionrc").write_text(SESSION)
    script = START.format(photo=gimp.path(SAMPLES / photo)) + "".join(parts)
    try:
        result: dict[str, Any] = gimp.run_in_window(script, screen_size="{}x{}".format(*SCREEN))
    finally:
        gimp.stop_worker()
    return [(Path(path), caption, seconds) for path, caption, seconds in result["frames"]]


def captioned(path: Path, caption: str) -> Image.Image:
    """A screenshot with a line of text below it."""
    width, height = SCREEN
    picture = Image.new("RGB", (width, height + CAPTION_HEIGHT), "#202020")
    picture.paste(Image.open(path).convert("RGB"))
    font = ImageFont.load_default(22)
    middle = (width // 2, height + CAPTION_HEIGHT // 2)
    ImageDraw.Draw(picture).text(middle, caption, "#f0f0f0", font, anchor="mm")
    return picture


def main() -> None:
    """Make the single pictures, then the animated one."""
    roots.build(VERSION)
    for path, name, _ in run("nagasaki-boats.jpg", PICTURES):
        Image.open(path).convert("RGB").save(IMAGES / f"{name}.png", optimize=True)
    frames = run("french-alpine-landscape.jpg", EDITING)
    first, *others = (captioned(path, caption) for path, caption, _ in frames)
    first.save(
        IMAGES / "editing.webp",
        save_all=True,
        append_images=others,
        duration=[round(1000 * seconds) for _, _, seconds in frames],
        loop=0,
        quality=70,
        method=6,
    )


if __name__ == "__main__":
    main()
