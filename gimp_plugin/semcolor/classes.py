"""The classes, as the palette file that semcolor's set-up put into GIMP's folder has them."""

import struct
from collections import Counter
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import NamedTuple

UNLABELLED = 0
FILE_NAME = "semcolor.gpl"

_SHADE = 8  # of 255; two classes differ by at least 64 in a channel


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


def opaque(classes: list[LabelClass]) -> bytes:
    """The classes' colours, as opaque pixels: RGBA u8."""
    return b"".join(bytes((*entry.rgb, 255)) for entry in classes)


def present(palette: bytes, pixels: bytes, component: str, channels: int = 4) -> dict[int, float]:
    """Which classes a small picture of the label layer has, and their shares of it (0..1).

    In-between colours are left out.

    Args:
        palette: the classes' colours as GIMP shows them in such a picture: RGBA, opaque.
        component: the `struct` code of one component; integers go up to their limit, floats to 1.
        channels: the picture's; the fourth is alpha.
    """
    if channels < 3:  # the image became gray
        return {}
    ids = {}
    for class_id, pixel in enumerate(_pixels(palette, component, 4)):
        red, green, blue, _ = _levels(pixel, component)
        for off in product((-1, 0, 1), repeat=3):  # scaling rounds
            ids[red + off[0], green + off[1], blue + off[2]] = class_id
    everything = _pixels(pixels, component, channels)
    shares: dict[int, float] = {}
    for pixel, count in Counter(everything).items():
        red, green, blue, *alpha = _levels(pixel, component)
        class_id = ids.get((red, green, blue), UNLABELLED)
        if class_id != UNLABELLED and (not alpha or alpha[0] > 127):
            shares[class_id] = shares.get(class_id, 0.0) + count / len(everything)
    return shares


def by_name(classes: list[LabelClass], name: str) -> LabelClass | None:
    """The class of this name, in capitals or not; None when there is none."""
    return next((entry for entry in classes if entry.name.lower() == name.lower()), None)


def _pixels(picture: bytes, component: str, channels: int) -> list[bytes]:
    size = channels * struct.calcsize(component)
    return [pixel for (pixel,) in struct.iter_unpack(f"{size}s", picture)]


def _levels(pixel: bytes, component: str) -> list[int]:
    """The components as 8-bit levels."""
    size = struct.calcsize(component)
    scale = 255.0 if component in "efd" else 255 / (256**size - 1)
    values = struct.unpack(f"={len(pixel) // size}{component}", pixel)
    return [round(scale * value) for value in values]


def by_color(classes: list[LabelClass], stored: bytes, color: str) -> LabelClass | None:
    """The class of this `#rrggbb`; None when it is no class's.

    Args:
        stored: the classes' colours as the image gives them back, which is what a user picks from
            it: RGBA u8.
    """
    rgb = bytes.fromhex(color.removeprefix("#"))
    for entry in classes:
        if rgb in (bytes(entry.rgb), stored[4 * entry.id : 4 * entry.id + 3]):
            return entry
    return None


def nearly(classes: list[LabelClass], color: str) -> LabelClass | None:
    """The class of which this `#rrggbb` is a shade, as colour profiles make; None: of no class."""
    rgb = bytes.fromhex(color.removeprefix("#"))
    distances = {
        entry: max(abs(one - other) for one, other in zip(rgb, entry.rgb, strict=True))
        for entry in classes
    }
    nearest = min(distances, key=lambda entry: distances[entry])
    return nearest if distances[nearest] <= _SHADE else None


def matches(entry: LabelClass, search: str) -> bool:
    """Whether the name has every word that is searched for."""
    return all(word in entry.name.lower() for word in search.lower().split())


def newest_first(recent: Iterable[int], class_id: int, limit: int = 6) -> list[int]:
    """The recently used classes after this one was used."""
    return [class_id, *(other for other in recent if other != class_id)][:limit]
