#!/usr/bin/env python3
"""Make the pictures of GIMP in `docs/images`, in a real GIMP, with the real worker.

Run it as root with the Python of an environment in which semcolor is installed:

    python docs/screenshot.py [PHOTO]
"""

import shutil
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.append(str(CHECKOUT))

from semcolor.classes import gimp_palette  # noqa: E402
from tests.gimp import roots  # noqa: E402
from tests.gimp.harness import Gimp  # noqa: E402

PICTURES = ("gimp-labels.png", "gimp.png", "gimp-panel.png")
VERSION = "3.2"

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

SCRIPT = """
def keys(*words):
    subprocess.run(["xdotool", *words], check=True)
    time.sleep(2)

def choose(action, until):
    # Search Actions runs a menu entry by its text.
    keys("key", "slash")
    keys("type", action)
    keys("key", "Return")
    wait(until)

def picture(path):
    time.sleep(3)
    subprocess.run(["scrot", "-o", path], check=True)

image = load_gray({photo!r}, 8, 1024)
show(image)
keys("mousemove", "1279", "799", "key", "n")  # no brush over the photo; the Pencil
keys("key", "ctrl+shift+j")
choose("Add Label Layer", lambda: len(image.get_layers()) == 2)
picture({labels!r})
choose("black-and-white photo from its label", lambda: len(image.get_layers()) == 3)
image.get_layers()[0].set_visible(False)
Gimp.displays_flush()
picture({colors!r})

labels, colors, _ = image.get_layers()
labels.set_visible(True)
image.set_selected_layers([labels])
panel = open_panel(image)
keys("windowmove", panel, "952", "30")
activate(panel)
press("alt+v", lambda: True)  # live
settle(colors)
choose_class(panel, "water")
Gimp.context_set_brush_size(50)
keys("key", "n")
before = content(colors)
for part in range(8):  # along the shore
    stroke(-430 + 80 * part, 180)
labels.set_opacity(25)
wait(lambda: content(colors) != before)
settle(colors)
keys("mousemove", "600", "530")
picture({panel!r})
"""


def main() -> None:
    """Make the pictures from the given photo or a sample."""
    photo = Path(sys.argv[1] if sys.argv[1:] else CHECKOUT / "samples/nagasaki-boats.jpg")
    roots.build(VERSION)
    with tempfile.TemporaryDirectory() as folder:
        gimp = Gimp(VERSION, Path(folder))
        gimp.install(gimp_palette())
        (gimp.profile / "sessionrc").write_text(SESSION)
        labels, colors, panel = (str(gimp.folder / name) for name in PICTURES)
        script = SCRIPT.format(
            photo=gimp.path(photo.resolve()), labels=labels, colors=colors, panel=panel
        )
        try:
            gimp.run_in_window(script, screen_size="1280x800")
        finally:
            gimp.stop_worker()
        for name in PICTURES:
            shutil.copy(gimp.folder / name, CHECKOUT / "docs/images" / name)


if __name__ == "__main__":
    main()
