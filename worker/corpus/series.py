"""Which photos are held out from training: whole series, never one photo of several alike.

Photos are of one series when they are nearly the same picture (also mirrored, scaled or
compressed), or when their names say so: frames of a film, crops of one photo, a walk through one
street. What names say is known of a few public datasets (``series.tsv`` here beside). A corpus
folder can tell its own with a ``series.tsv`` beside ``images/``: the name of a photo without its
suffix, a tab, and its series, one photo a line; these are believed, and not compared with others.

Nearly the same: perceptual hashes, the signs of a picture's 63 coarsest cosine coefficients, that
differ in few bits (Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions*,
2010, §3.2.1).
"""

import csv
import re
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .datasets import Pair, source

HELD_OUT = 40  # one series in so many is never trained on
FILE = "series.tsv"
_SIDE = 32  # of the copy that is transformed
_BITS = 8  # a side of what is kept of it
_NEAR = 6  # of 63 bits differ at most between photos that are nearly the same
_BLOCK = 1024

Signs = npt.NDArray[Any]  # float32, −1 or 1


@dataclass(frozen=True)
class Split:
    """A corpus divided by series, reproducibly."""

    training: list[Pair]
    held_out: list[Pair]


def split(pairs: list[Pair], sources: Collection[str] = ()) -> Split:
    """Divide photos: a series goes where its first photo goes, and of these every 40th is held out.

    So where photos have no series, every 40th of the list is. ``sources``: corpus folders that are
    held out as a whole. What is a single series can only be divided by photo.
    """
    first: dict[int, int] = {}
    places = [first.setdefault(of, number) for number, of in enumerate(series(pairs))]
    if not any(place % HELD_OUT for place in places):
        places = list(range(len(pairs)))
    held = [
        place % HELD_OUT == 0 or source(pair.photo) in sources
        for place, pair in zip(places, pairs, strict=True)
    ]
    return Split(
        [pair for pair, out in zip(pairs, held, strict=True) if not out],
        [pair for pair, out in zip(pairs, held, strict=True) if out],
    )


def series(pairs: list[Pair]) -> list[int]:
    """The number of each photo's series: that of its first photo in the list.

    Raises OSError for a photo that cannot be read.
    """
    told = [_told(pair.photo) for pair in pairs]
    groups = _Groups(len(pairs))
    first: dict[str, int] = {}
    for number, pair in enumerate(pairs):
        key = told[number] or _key(pair.photo)
        if key:
            groups.join(first.setdefault(key, number), number)
    compared = [number for number, own in enumerate(told) if not own]
    with ProcessPoolExecutor() as pool:
        photos = (pairs[number].photo for number in compared)
        hashes = list(pool.map(perceptual_hash, photos, chunksize=64))
    for one, other in near_pairs(hashes):
        groups.join(compared[one], compared[other])
    return [groups.first(number) for number in range(len(pairs))]


def perceptual_hash(photo: Path) -> Signs:
    """2×64 signs, of the picture and of its mirror image. Raises OSError."""
    with Image.open(photo) as image:
        image.draft("L", (4 * _SIDE, 4 * _SIDE))  # a JPEG is read at a fraction of its size
        small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32)
    basis = _cosines()
    coarse = basis @ pixels @ basis.T
    mirror = coarse * np.float32(-1) ** np.arange(
        _BITS, dtype=np.float32
    )  # odd waves change their sign
    return np.stack([_signs(coarse), _signs(mirror)])


def near_pairs(hashes: list[Signs]) -> Iterable[tuple[int, int]]:
    """Which photos are nearly the same, each pair once, by their :func:`perceptual_hash`."""
    if not hashes:
        return
    both = np.stack(hashes)
    for start in range(0, len(both), _BLOCK):
        for kind in (0, 1):
            alike = both[start : start + _BLOCK, 0] @ both[:, kind].T  # 64 − 2 · bits that differ
            for row, other in np.argwhere(alike >= _BITS**2 - 2 * _NEAR).tolist():
                if start + row < other:
                    yield start + row, other


@dataclass(frozen=True)
class _Pattern:
    series: str
    key: re.Pattern[str]


class _Groups:
    """Numbers that belong together (a union-find structure)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def first(self, number: int) -> int:
        """The smallest number of a number's group."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make two groups one."""
        low, high = sorted((self.first(one), self.first(other)))
        self._parent[high] = low


def _key(photo: Path) -> str:
    """What a photo's name tells of its series, if anything."""
    pattern = _patterns().get(source(photo))
    match = pattern.key.match(photo.stem) if pattern else None
    return f"{pattern.series} {match[1]}" if pattern and match else ""


def _told(photo: Path) -> str:
    """What the corpus folder tells of a photo's series, if anything."""
    folder = photo.parent.parent
    name = _series_file(folder).get(photo.stem)
    return f"{folder}: {name}" if name else ""


@cache
def _series_file(folder: Path) -> dict[str, str]:
    if not (folder / FILE).exists():
        return {}
    lines = (folder / FILE).read_text("utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


@cache
def _patterns() -> dict[str, _Pattern]:
    table = resources.files(__package__).joinpath(FILE).read_text("utf-8")
    rows = csv.DictReader(table.splitlines(), delimiter="\t")
    return {row["source"]: _Pattern(row["series"], re.compile(row["key"])) for row in rows}


@cache
def _cosines() -> npt.NDArray[np.float32]:
    """The coarsest rows of the discrete cosine transform."""
    positions, waves = np.arange(_SIDE) + 0.5, np.arange(_BITS)[:, None]
    basis: npt.NDArray[np.float32] = np.cos(np.pi / _SIDE * waves * positions).astype(np.float32)
    return basis


def _signs(coarse: npt.NDArray[Any]) -> Signs:
    """Which coefficients are above their median; the mean of the picture says nothing."""
    flat = coarse.flatten()
    signs = np.where(flat > np.median(flat[1:]), 1, -1).astype(np.float32)
    signs[0] = 1
    return signs
