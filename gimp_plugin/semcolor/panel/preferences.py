"""What the panel remembers from one time to the next: a small JSON file in GIMP's folder.

Several panels, each a process of its own, share the file: each writes only what it changes.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shared.errors import SemcolorError
from shared.geometry import Rectangle
from shared.limits import DETAIL_LIMIT, DETAIL_STEP
from shared.stored_settings import SettingsFile, Stored


@dataclass(frozen=True)
class Preferences:
    """Recently used classes (ids, newest first), detail (0: the model's default), live, where the
    window was on the screen, and whether strokes label objects."""

    recent: list[int] = field(default_factory=list)
    detail: int = 0
    live: bool = False
    window: Rectangle | None = None
    smart: bool = False


class Remembered:
    """This panel's preferences, and what is saved of them, which other panels change too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.now = load(path)

    def change(self, edit: Callable[[Preferences], Preferences]) -> None:
        """Change both."""
        self.now = edit(self.now)
        change(self._path, edit)


def used_lately(recent: Sequence[int], class_id: int, limit: int = 9) -> list[int]:
    """The recently used classes after this one was used: each keeps its place, and its number."""
    return list(recent) if class_id in recent else [class_id, *recent][:limit]


def load(path: Path) -> Preferences:
    """What was saved; the defaults when there is nothing, or nothing of use."""
    try:
        return _parse(SettingsFile(path, _STEPS).load())
    except OSError:
        return Preferences()


def change(path: Path, edit: Callable[[Preferences], Preferences]) -> None:
    """Edit what is saved.

    Not being able to is not worth a word to somebody who paints.
    """
    with contextlib.suppress(OSError, SemcolorError):
        SettingsFile(path, _STEPS).change(lambda stored: asdict(edit(_parse(stored))))


def _from_1_to_2(stored: Stored) -> Stored:
    return {**stored, "window": None}


def _from_2_to_3(stored: Stored) -> Stored:
    return {**stored, "smart": False}


_STEPS = (_from_1_to_2, _from_2_to_3)


def _parse(stored: Stored) -> Preferences:
    try:
        detail = int(stored["detail"])
        if detail % DETAIL_STEP or not 0 <= detail <= DETAIL_LIMIT:
            return Preferences()  # the worker would refuse it
        return Preferences(
            [int(class_id) for class_id in stored["recent"]],
            detail,
            bool(stored["live"]),
            stored["window"] and Rectangle(*map(int, stored["window"])),
            bool(stored["smart"]),
        )
    except (KeyError, TypeError, ValueError):  # nothing, or damaged
        return Preferences()
