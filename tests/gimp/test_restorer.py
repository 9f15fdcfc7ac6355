"""Hours of anybody's restoring, in short: nothing dies, nothing hangs, nothing lies.

For longer, and otherwise: with `SEMCOLOR_RESTORER=2000,7` in the environment it is two thousand
steps of the seventh restorer.
"""

import os

import numpy as np

from .harness import Gimp
from .panel_script import run_live

_ADDED_UP = 3  # levels of 255
_STEPS, _SEED = map(int, os.environ.get("SEMCOLOR_RESTORER", "60,1").split(","))


def test_a_restorer_who_does_anything(gimp: Gimp, live: str) -> None:
    """The photo is what it was, to the bit, and the colours are those that *Colorize* makes."""
    script = f"""
    from restorer import Restorer
    photo_before = content(photo)
    restorer = Restorer(image, panel, {_SEED})
    try:
        restorer.work({_STEPS})
        restorer.ends()
    finally:
        print("The restorer did:", *restorer.done, file=sys.stderr)
    result["done"] = restorer.done
    result["same photo"] = content(photo) == photo_before
    result["live"] = preferences()["live"]
    result["colors"] = pixels(colors, "R'G'B' u8")
    colorize(image)
    result["colorized"] = pixels(colors, "R'G'B' u8")
    """
    result = run_live(gimp, live, script)
    assert result["same photo"]
    assert result["live"]
    # What an edit changes by less than half a level is not written, and many such add up.
    difference = np.abs(result["colors"].astype(int) - result["colorized"])
    assert difference.max() <= _ADDED_UP, result["done"]
