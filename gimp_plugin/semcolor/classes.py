"""The classes, as the palette file that semcolor's set-up put into GIMP's folder has them."""

import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

UNLABELLED = 0
FILE_NAME = "semcolor.gpl"


class LabelClass(NamedTuple):
    """One class: its id, its name, its colour (sRGB, 0..255)."""

    id: int
    name: str
    rgb: tuple[int, int, int]

    @property
    def hex(self) -> str:
        """The colour as `#rrggbb`."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)


def read_palette(path: Path) -> list[LabelClass]:
    """The entries of a `.gpl` file, in its order, which is that of the ids.

    Raises:
        OSError, ValueError: there is no such file, or it is no palette.
    """
    entries: list[LabelClass] = []
    for line in path.read_text("utf-8").splitlines():
        words = line.split(maxsplit=3)
        if len(words) == 4 and all(word.isdecimal() for word in words[:3]):
            red, green, blue = (int(word) for word in words[:3])
            entries.append(LabelClass(len(entries), words[3], (red, green, blue)))
    if not entries:
        raise ValueError(f"{path} has no colours")
    return entries


def present(classes: list[LabelClass], pixels: bytes, channels: int) -> dict[int, float]:
    """Which classes a small picture of the label layer has, and their shares of it (0..1).

    Args:
        pixels: u8, sRGB; the fourth channel is alpha. In-between colours are left out.
    """
    ids = {bytes(entry.rgb): entry.id for entry in classes if entry.id != UNLABELLED}
    counts: dict[int, int] = {}
    total = max(1, len(pixels) // channels)
    for (pixel,), count in Counter(struct.iter_unpack(f"{channels}s", pixels)).items():
        class_id = ids.get(pixel[:3])
        if class_id and (channels < 4 or pixel[3] > 127):
            counts[class_id] = counts.get(class_id, 0) + count
    return {class_id: count / total for class_id, count in counts.items()}


def by_name(classes: list[LabelClass], name: str) -> LabelClass | None:
    """The class of this name, in capitals or not; None when there is none."""
    return next((entry for entry in classes if entry.name.lower() == name.lower()), None)


def by_color(classes: list[LabelClass], color: str) -> LabelClass | None:
    """The class of this `#rrggbb`; None when it is no class's."""
    return next((entry for entry in classes if entry.hex == color), None)


def matches(entry: LabelClass, search: str) -> bool:
    """Whether the name has every word that is searched for."""
    return all(word in entry.name.lower() for word in search.lower().split())


def newest_first(recent: Iterable[int], class_id: int, limit: int = 6) -> list[int]:
    """The recently used classes after this one was used."""
    return [class_id, *(other for other in recent if other != class_id)][:limit]
