"""What the panel remembers from one time to the next: a small JSON file in GIMP's folder."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

_VERSION = 1


@dataclass
class Preferences:
    """Recently used classes (ids, newest first), detail (0: the model's default), live."""

    recent: list[int] = field(default_factory=list)
    detail: int = 0
    live: bool = False


def load(path: Path) -> Preferences:
    """What was saved; the defaults when there is nothing, or nothing of use."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        if stored["version"] != _VERSION:
            return Preferences()
        return Preferences(
            [int(class_id) for class_id in stored["recent"]],
            int(stored["detail"]),
            bool(stored["live"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Preferences()


def save(path: Path, preferences: Preferences) -> None:
    """Write the file as a whole. Not being able to is not worth a word to somebody who paints."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(exist_ok=True)
        part.write_text(json.dumps({"version": _VERSION, **asdict(preferences)}), "utf-8")
        part.replace(path)
    except OSError:
        pass
