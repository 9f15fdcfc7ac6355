"""What the panel outlives: an image that changes under its hands, again and again.

With `SEMCOLOR_STORM=72` in the environment it is 72 times for each kind of change.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from .harness import Gimp
from .panel_script import run_live

_PAIRS = int(os.environ.get("SEMCOLOR_STORM", "8"))  # of undo and redo, for each kind of change

_CHANGES = {
    "precision": "image.convert_precision(Gimp.Precision.U16_NON_LINEAR)",
    "mode": "image.convert_grayscale()",
    "scale": "image.scale(500, 380)",
    "crop": "image.crop(400, 300, 90, 70)",
    "rotate": "image.rotate(Gimp.RotationType.DEGREES90)",
    "flip": "image.flip(Gimp.OrientationType.HORIZONTAL)",
    "layer": "image.remove_layer(colors)",
}


@pytest.mark.parametrize("change", _CHANGES)
def test_panel_outlives_undo_and_redo_while_it_reads_and_writes(
    gimp: Gimp, live: str, change: str
) -> None:
    """And in the end the colours are those that *Colorize* makes."""
    script = f"""
    import random
    chance = random.Random({change!r})
    activate_image()
    {_CHANGES[change]}
    Gimp.displays_flush()
    for _ in range({_PAIRS}):
        for keys in ("ctrl+z", "ctrl+y"):
            press(keys, lambda: True)
            time.sleep(chance.uniform(0, 1))
    press("ctrl+z", lambda: colors.is_valid() and len(image.get_layers()) == 3)
    assert panels() == [panel]
    activate(panel)
    if not preferences()["live"]:  # a photo without its layers ends it
        press("alt+v", lambda: preferences()["live"])
    settle(colors)
    assert panels() == [panel]
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    result["message"] = message_window()
    """
    result = run_live(gimp, live, script)
    assert np.abs(result["colors"].astype(int) - result["colorized"]).max() <= 1
    assert not result["message"]


def test_colours_follow_a_photo_that_is_mirrored_or_retouched(gimp: Gimp, live: str) -> None:
    script = """
    def check(name):
        wait(lambda: content(colors) != before)
        settle(colors)
        result[name] = pixels(colors, "R'G'B' u8")
        colorize(image)
        result[name + " again"] = pixels(colors, "R'G'B' u8")

    image.flip(Gimp.OrientationType.HORIZONTAL)
    before = content(colors)
    check("mirrored")
    photo.invert(False)
    before = content(colors)
    check("retouched")
    """
    result = run_live(gimp, live, script)
    for name in ("mirrored", "retouched"):
        assert np.abs(result[name].astype(int) - result[name + " again"]).max() <= 1


# A write into the colours, of which the rows come when keys have been pressed in GIMP's window.
_SLOW_WRITE = """
from images.photo import ImageChangedError
from images.roles import find_photo
from images.writing import PixelFile, write
from shared.geometry import Rectangle

def write_while(keys, undoable):
    rows = pathlib.Path(os.environ["HOME"], "rows")
    os.mkfifo(rows)

    def press_and_go_on():
        with rows.open("wb") as file:  # open as soon as the writer has opened it
            subprocess.run(["xdotool", "key", keys], check=True)
            time.sleep(2)
            file.write(bytes(500 * 380 * 3))

    threading.Thread(target=press_and_go_on).start()
    content = PixelFile(rows, Rectangle(0, 0, 500, 380), "R'G'B' u8")
    try:
        write(photo, colors, content, undoable)
    except ImageChangedError:
        result["told"] = True
    rows.unlink()

image = load_gray({photo!r}, 8, 640)
colors = colorize(image)
show(image)
photo = find_photo(image, [colors])
image.scale(500, 380)
Gimp.displays_flush()
activate_image()
Gimp.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)  # as panels do
"""


def test_an_image_that_changes_in_the_middle_of_a_write_opens_no_window(
    gimp: Gimp, photo_file: Path
) -> None:
    """Undo gives the layer another size while its rows are awaited: GIMP ends the writer."""
    script = """
write_while("ctrl+z", undoable=False)
time.sleep(1)
result["size"] = image.get_width()
result["message"] = message_window()
result["handler"] = Gimp.message_get_handler() == Gimp.MessageHandlerType.MESSAGE_BOX
"""
    result = gimp.run_in_window(_SLOW_WRITE.format(photo=gimp.path(photo_file)) + script)
    assert result == {"told": True, "size": 640, "message": "", "handler": True}


def test_what_the_user_selects_during_a_write_stays_selected(gimp: Gimp, photo_file: Path) -> None:
    """Else the next stroke would go into the photo."""
    script = """
image.set_selected_layers([photo.layer])
write_while("Page_Up", undoable=True)
result["selected"] = [layer.get_name() for layer in image.get_selected_layers()]
"""
    result = gimp.run_in_window(_SLOW_WRITE.format(photo=gimp.path(photo_file)) + script)
    assert result == {"selected": ["Colorized"]}
