"""What the panel outlives: an image that changes under its hands, again and again.

With `SEMCOLOR_STORM=72` in the environment it is 72 times for each kind of change.
"""

import os

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
