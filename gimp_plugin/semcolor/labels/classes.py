"""Which class a colour, a name, or a pixel of a thumbnail means."""

import struct
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

from shared.classes import UNLABELLED, LabelClass, all_classes

CLASS_COLORS = b"".join(bytes((*entry.rgb, 255)) for entry in all_classes())
"""The classes' colours in the order of their ids, as opaque pixels: RGBA u8."""

_SHADE = 8  # of 255; two classes differ by at least 64 in a channel


def by_name(name: str) -> LabelClass | None:
    """The class of this name, in capitals or not; None when there is none."""
    return next((entry for entry in all_classes() if entry.name.lower() == name.lower()), None)


def by_color(stored: bytes, color: str) -> LabelClass | None:
    """The class of this `#rrggbb`; None when it is no class's.

    Args:
        stored: the classes' colours as the image gives them back, which is what a user picks from
            it: RGBA u8.
    """
    rgb = bytes.fromhex(color.removeprefix("#"))
    for entry in all_classes():
        if rgb in (bytes(entry.rgb), stored[4 * entry.id : 4 * entry.id + 3]):
            return entry
    return None


def nearly(color: str) -> LabelClass | None:
    """The class of which this `#rrggbb` is a shade, as colour profiles make; None: of no class."""
    rgb = bytes.fromhex(color.removeprefix("#"))
    distances = {
        entry: max(abs(one - other) for one, other in zip(rgb, entry.rgb, strict=True))
        for entry in all_classes()
    }
    nearest = min(distances, key=lambda entry: distances[entry])
    return nearest if distances[nearest] <= _SHADE else None


def found(search: str, names: list[tuple[LabelClass, str]]) -> list[LabelClass]:
    """The classes that a search means, the likeliest first; all of them for an empty one.

    First those whose name begins like that, then those for which an everyday word does (street,
    face; `words.tsv`), then those that have it somewhere else.

    Args:
        names: the classes with their names in the user's language.
    """
    wanted = " ".join(search.lower().split())
    ranks = {entry: _rank(wanted, (name, entry.name), entry) for entry, name in names}
    likely = [entry for entry, _ in names if ranks[entry] is not None]
    return sorted(likely, key=lambda entry: ranks[entry] or 0)


def _rank(wanted: str, names: tuple[str, str], entry: LabelClass) -> int | None:
    """How well a class fits, 0 is best; None: not at all."""
    own = [name.lower() for name in names]
    words = [word.lower() for word in _everyday_words().get(entry.name, ())]
    tests = (
        wanted in own,
        any(name.startswith(wanted) for name in own),
        wanted in words,
        any(word.startswith(wanted) for word in words),
        any(all(part in name for part in wanted.split()) for name in own),
    )
    return next((rank for rank, fits in enumerate(tests) if fits), None)


@cache
def _everyday_words() -> dict[str, list[str]]:
    """What people also call the classes, in all languages, by the class's name."""
    rows = (Path(__file__).parent / "words.tsv").read_text("utf-8").splitlines()[1:]
    return {name: " ".join(words).split() for name, *words in (row.split("\t") for row in rows)}


def shares_of(shown: bytes, pixels: bytes, component: str, channels: int = 4) -> dict[int, float]:
    """Which classes a small picture of the label layer has, and their shares of it (0..1).

    In-between colours are left out.

    Args:
        shown: the classes' colours as GIMP shows them in such a picture: RGBA, opaque.
        component: the `struct` code of one component; integers go up to their limit, floats to 1.
        channels: the picture's; the fourth is alpha.
    """
    if channels < 3:  # the image became gray
        return {}
    ids = {}
    for class_id, pixel in enumerate(_pixels(shown, component, 4)):
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


def _pixels(picture: bytes, component: str, channels: int) -> list[bytes]:
    size = channels * struct.calcsize(component)
    return [pixel for (pixel,) in struct.iter_unpack(f"{size}s", picture)]


def _levels(pixel: bytes, component: str) -> list[int]:
    """The components as 8-bit levels."""
    size = struct.calcsize(component)
    scale = 255.0 if component in "efd" else 255 / (256**size - 1)
    values = struct.unpack(f"={len(pixel) // size}{component}", pixel)
    return [round(scale * value) for value in values]
