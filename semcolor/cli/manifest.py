"""What a batch has done: a file of JSON lines beside its results, written as it goes.

A photo has a line when it is begun, and one when it is done or has failed; the last line counts.
Whatever ends the batch, the next one reads from it what is left.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from semcolor.shared.errors import Code, SemcolorError

NAME = "semcolor-batch.jsonl"
_LOCK = ".semcolor-batch.lock"

Stamp = tuple[int, int]
"""Of a file: its size in bytes, and when it was changed, in nanoseconds."""


class State(StrEnum):
    """How far a photo is."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Line:
    """One line. ``photo`` is a whole path, ``output`` and ``labels`` are from the results' folder.

    ``made_of``: what the result follows from, as text that differs when any of it does.
    ``stamp``: the result's. ``shares``: of the photo's classes, 0..1. ``told``: what the user
    should know of a photo that is done; ``reason``: why it failed.
    """

    output: str
    photo: str
    state: State
    page: int | None = None
    made_of: str = ""
    stamp: Stamp | None = None
    labels: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    code: str = ""
    reason: str = ""
    seconds: float = 0.0
    at: str = ""

    def as_dict(self) -> dict[str, object]:
        """What it says, for JSON; nothing of what is empty."""
        return {name: value for name, value in asdict(self).items() if value}


class Manifest:
    """The lines of one folder of results, which nobody else writes to meanwhile.

    Raises SemcolorError: BATCH_RUNS, NOT_A_MANIFEST; OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, FileLock(folder / _LOCK)
        self._last: dict[str, Line] = {}

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise SemcolorError(Code.BATCH_RUNS, folder=str(self._folder)) from error
        path = self._folder / NAME
        try:
            self._last = last_lines(path) if path.exists() else {}
            _end_last_line(path)
        except BaseException:
            self._lock.release()
            raise
        self._file = path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()
        self._lock.release()

    def add(self, line: Line) -> None:
        """Write a line; it is there when this returns, whatever happens to this process then."""
        self._last[line.output] = line
        print(json.dumps(line.as_dict(), ensure_ascii=False), file=self._file, flush=True)

    def last(self, output: str) -> Line | None:
        """What is known of a result."""
        return self._last.get(output)


def last_lines(path: Path) -> dict[str, Line]:
    """The last line of each result in a file. Raises SemcolorError: NOT_A_MANIFEST; OSError."""
    return {line.output: line for line in _lines(path)}


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _lines(path: Path) -> Iterator[Line]:
    known = {each.name for each in fields(Line)}
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith("\n"):
                return  # which a sudden end has cut off
            try:
                said = {key: value for key, value in json.loads(text).items() if key in known}
                said["state"] = State(said["state"])
                if "stamp" in said:
                    size, changed = said["stamp"]
                    said["stamp"] = size, changed
                said["told"] = tuple(said.get("told", ()))
                yield Line(**said)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                message = SemcolorError(Code.NOT_A_MANIFEST, file=str(path), line=number)
                raise message from error


def _end_last_line(path: Path) -> None:
    """Take away what a sudden end has cut off."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
