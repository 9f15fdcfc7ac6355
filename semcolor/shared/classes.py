"""The 59 classes of PASCAL-Context: ids, names and the palette.

``classes.tsv`` is the only place where they are written down. Ids follow the paper authors' order
(not the alphabet); 0 is *unlabelled*. Colours are the PASCAL VOC colour map, which other labelling
tools use too: a 4-level RGB grid, so any two classes are at least 64 levels apart in one channel.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

UNLABELLED = 0
NUM_LABELS = 60  # 59 classes and *unlabelled*
PALETTE_NAME = "Semantic Color: PASCAL-Context 59"
PALETTE_FILE = "semcolor.gpl"  # in GIMP's folder of palettes


@dataclass(frozen=True)
class LabelClass:
    """One class: its id in a label map, its name, its palette colour (sRGB, 0..255)."""

    id: int
    name: str
    rgb: tuple[int, int, int]

    @property
    def hex(self) -> str:
        """The colour as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)


@cache
def all_classes() -> tuple[LabelClass, ...]:
    """All entries, ordered so that ``all_classes()[i].id == i``; index 0 is *unlabelled*."""
    table = resources.files(__package__).joinpath("classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return tuple(LabelClass(int(i), name, _rgb(colour)) for i, name, colour in rows)


def gimp_palette() -> str:
    """The palette as the text of a GIMP ``.gpl`` file."""
    entries = [f"{r:3d} {g:3d} {b:3d}\t{c.name}" for c in all_classes() for r, g, b in [c.rgb]]
    return "\n".join(["GIMP Palette", f"Name: {PALETTE_NAME}", "Columns: 6", "#", *entries, ""])


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
