"""Scripts that begin with a panel that is open and live."""

from .harness import Gimp

WIDTH = 640  # of the photo, but where a test wants another

# A photo with labels and colours, and the panel open on it, live.
LIVE = """
image = load_gray({photo!r}, 8, {width})
show(image)
panel = open_panel(image)
press("alt+v", lambda: len(image.get_layers()) == 3)
labels, colors, photo = image.get_layers()
colors_before, labels_before = settle(colors), content(labels)
choose_class(panel, "grass")
press("n", lambda: True)  # the Pencil
"""


def run_live(gimp: Gimp, live: str, script: str, **environment: str) -> dict:
    """Run the script after the start (see LIVE; the fixture has it), in a window."""
    lines = [line.removeprefix("    ") for line in script.splitlines()]
    return gimp.run_in_window(live + "\n".join(lines), **environment)
