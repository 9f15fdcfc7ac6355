"""One photo of a batch, as a task that anybody may do: a thread here, or a process elsewhere."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcolor.client.worker_client import WorkerClient
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes
from semcolor.shared.color_notes import format_notes
from semcolor.shared.errors import Code, SemcolorError, cannot_read
from semcolor.shared.states import Stage

from .coloring import Wishes, check_target, color, read_original, write
from .manifest import Line, State, stamp_of
from .targets import Target, labels_beside

FOR_ALL = {
    Code.UNREACHABLE, Code.NO_SUCH_HOST, Code.KEY_REFUSED, Code.NOT_RUNNING, Code.NOT_STARTED,
    Code.NOT_ANSWERING, Code.PROTOCOL_VERSION, Code.BAD_NOTES, Code.NOT_INSTALLED,
}  # fmt: skip
"""What no photo can be done with."""


class Labels(StrEnum):
    """What becomes of label maps beside results and photos."""

    USE = "use"
    WRITE = "write"
    NONE = "none"


@dataclass(frozen=True)
class Settings:
    """What all photos of a batch have in common. ``folder``: that of the results."""

    folder: Path
    wishes: Wishes
    labels: Labels
    notes_file: Path | None = None

    def given_labels(self, target: Target) -> Path | None:
        """The label map beside the result, or else beside the photo."""
        if self.labels == Labels.NONE:
            return None
        beside: Iterable[Path] = map(labels_beside, (target.output, target.photo))
        return next((path for path in beside if path.is_file()), None)

    def made_of(self, target: Target) -> str:
        """What a result follows from, see :class:`Line`."""
        labels, wishes = self.given_labels(target), self.wishes
        stamps = stamp_of(target.photo), stamp_of(labels) if labels else None
        said = format_notes(wishes.notes), wishes.detail, wishes.with_provenance
        return f"{stamps} {hashlib.sha256(repr(said).encode()).hexdigest()[:16]}"

    def from_folder(self, path: Path) -> str:
        """A path as lines have it."""
        is_inside = path.is_relative_to(self.folder)
        # With slashes on Windows too: an archive may be gone on with on another system.
        return path.relative_to(self.folder).as_posix() if is_inside else str(path.resolve())


class Task(NamedTuple):
    """A photo that is begun, as its line says. ``force``: whether it may replace its result."""

    settings: Settings
    target: Target
    line: Line
    force: bool

    def do(self, client: WorkerClient) -> Line:
        """Colour it; returns how that ended. Raises SemcolorError: see FOR_ALL."""
        began, told, target = time.monotonic(), list[str](), self.target
        try:
            labels, shares = self._color(client, told.append)
        except SemcolorError as error:
            if error.code in FOR_ALL:
                raise
            return self.failed(error)
        except OSError as error:
            return self.failed(cannot_read(target.photo, error))
        return replace(
            self.line, state=State.DONE, made_of=self.settings.made_of(target),
            stamp=stamp_of(target.output), labels=labels, shares=shares, told=tuple(told),
            seconds=round(time.monotonic() - began, 2), at=now(),
        )  # fmt: skip

    def failed(self, error: SemcolorError) -> Line:
        """The line that says so."""
        return replace(self.line, state=State.FAILED, code=error.code, reason=str(error), at=now())

    def _color(
        self, client: WorkerClient, tell: Callable[[str], None]
    ) -> tuple[str, dict[str, float]]:
        """Returns the label map, if that is a file, and its classes' shares."""
        from semcolor.photos.label_files import write_label_map

        target, settings = self.target, self.settings
        given = settings.given_labels(target)
        check_target(target.output, [target.photo, given, settings.notes_file], self.force)
        original = read_original(target, given, tell)
        colored = color(original, settings.wishes, client, _silent, tell)
        if given is None and settings.labels == Labels.WRITE and colored.labels is not None:
            given = labels_beside(target.output)
            write_label_map(given, colored.labels, only_new=True)
        write(target.output, colored, tell, only_new=not self.force)
        shares = _shares(colored.labels) if colored.labels is not None else {}
        return (settings.from_folder(given) if given else ""), shares


def now() -> str:
    """As lines have it: UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _shares(labels: LabelMap) -> dict[str, float]:
    counts = np.bincount(labels.ravel(), minlength=len(all_classes()))
    shares = {entry.name: round(counts[entry.id] / labels.size, 4) for entry in all_classes()}
    return {name: share for name, share in shares.items() if share}


def _silent(_stage: Stage, _fraction: float) -> None:
    """Of single photos no progress is shown."""
