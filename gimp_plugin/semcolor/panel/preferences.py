"""What the panel remembers from one time to the next: a small JSON file in GIMP's folder.

Several panels, each a process of its own, share the file: each writes only what it changes.

A file of an earlier version is brought up to date step by step. One of a later version is left as
it is, for the semcolor that wrote it, and this one goes without.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared.geometry import Rectangle
from shared.limits import DETAIL_LIMIT, DETAIL_STEP

Stored = dict[str, Any]

_STALE_SECONDS = 1.0  # far more than a change takes
_RETRY_SECONDS = 0.01


@dataclass(frozen=True)
class Preferences:
    """Recently used classes (ids, newest first), detail (0: the model's default), live, and where
    the window was on the screen."""

    recent: list[int] = field(default_factory=list)
    detail: int = 0
    live: bool = False
    window: Rectangle | None = None


class Remembered:
    """This panel's preferences, and what is saved of them, which other panels change too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.now = load(path)

    def change(self, edit: Callable[[Preferences], Preferences]) -> None:
        """Change both."""
        self.now = edit(self.now)
        change(self._path, edit)


def newest_first(recent: Iterable[int], class_id: int, limit: int = 6) -> list[int]:
    """The recently used classes after this one was used."""
    return [class_id, *(other for other in recent if other != class_id)][:limit]


def load(path: Path) -> Preferences:
    """What was saved; the defaults when there is nothing, or nothing of use."""
    try:
        return _parse(_brought_up_to_date(_read(path)))
    except (OSError, ValueError, KeyError, TypeError):
        return Preferences()


def change(path: Path, edit: Callable[[Preferences], Preferences]) -> None:
    """Edit what is saved, and write the file as a whole.

    Not being able to is not worth a word to somebody who paints.
    """
    if _is_of_a_later_version(path):
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        _claim(part)
        try:
            stored = asdict(edit(load(path)))
            part.write_text(json.dumps({"version": _VERSION, **stored}), "utf-8")
            part.replace(path)  # from here on it may be another's
        except OSError:
            part.unlink(missing_ok=True)


def _claim(part: Path) -> None:
    """Make this file, which others wait for as long as it is there."""
    end = time.monotonic() + _STALE_SECONDS
    while True:
        try:
            part.touch(exist_ok=False)
            return
        except FileExistsError:
            if time.monotonic() > end:  # whoever made it was killed
                part.unlink(missing_ok=True)
            time.sleep(_RETRY_SECONDS)


def _from_1_to_2(stored: Stored) -> Stored:
    return {**stored, "window": None}


_STEPS: list[Callable[[Stored], Stored]] = [_from_1_to_2]
_VERSION = len(_STEPS) + 1


def _read(path: Path) -> Stored:
    stored: Stored = json.loads(path.read_text("utf-8"))
    if not isinstance(stored["version"], int):
        raise ValueError("no version")
    return stored


def _brought_up_to_date(stored: Stored) -> Stored:
    if not 1 <= stored["version"] <= _VERSION:
        raise ValueError("a later version, or none that ever was")
    for step in _STEPS[stored["version"] - 1 :]:
        stored = step(stored)
    return stored


def _parse(stored: Stored) -> Preferences:
    detail = int(stored["detail"])
    if detail % DETAIL_STEP or not 0 <= detail <= DETAIL_LIMIT:
        raise ValueError("the worker would refuse it")
    return Preferences(
        [int(class_id) for class_id in stored["recent"]],
        detail,
        bool(stored["live"]),
        stored["window"] and Rectangle(*map(int, stored["window"])),
    )


def _is_of_a_later_version(path: Path) -> bool:
    try:
        return bool(_read(path)["version"] > _VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False
