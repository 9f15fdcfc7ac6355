"""``semcolor batch``: photographs by the thousand, which a stop or a crash only interrupts."""

import argparse
import contextlib
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from semcolor.client import local_worker
from semcolor.client.worker_client import WorkerClient
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes
from semcolor.shared.color_notes import format_notes
from semcolor.shared.errors import Code, SemcolorError, cannot_read
from semcolor.shared.states import Stage

from .coloring import Wishes, check_target, color, read_notes, read_original, write
from .endings import tidy_end
from .manifest import Line, Manifest, State, stamp_of
from .options import add_coloring, add_photos
from .photos import FOR_ALL
from .targets import LABELS_SUFFIX, Target, labels_beside, make_folders, pages_of, targets

if TYPE_CHECKING:
    from . import Commands

_FORMATS = {"tiff": ".tif", "png": ".png", "jpeg": ".jpg", "webp": ".webp", "ora": ".ora"}
_USE, _WRITE, _NONE = "use", "write", "none"
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}(\.\w+)")  # as `atomic_files` names them


def add_commands(commands: "Commands") -> None:
    """Add this command."""
    batch = commands.add_parser("batch", help="colour photos by the thousand, and go on later")
    batch.set_defaults(run=_batch)
    add_photos(batch, "FOLDER")
    batch.add_argument(
        "--format", choices=_FORMATS,
        help="of the results (default: each photo's own); ora: photo, colours and labels as layers",
    )  # fmt: skip
    batch.add_argument(
        "--labels", choices=(_USE, _WRITE, _NONE), default=_WRITE,
        help=f"use label maps NAME{LABELS_SUFFIX} that are beside the results or the photos; write "
        "(default): and those that are predicted, beside the results; none: predict all",
    )  # fmt: skip
    add_coloring(batch)
    batch.add_argument(
        "--force", action="store_true", help="replace results that are there and not of this batch"
    )
    batch.add_argument(
        "--jobs", type=_jobs, default=2, metavar="N",
        help="how many photos are read, coloured or written at a time (default: 2); with several "
        "GPUs, one more than those",
    )  # fmt: skip
    says = batch.add_mutually_exclusive_group()
    says.add_argument(
        "--json", action="store_true", help="print the manifest's lines as they are written"
    )
    says.add_argument("--quiet", action="store_true", help="print failures only")


@tidy_end()
def _batch(options: argparse.Namespace) -> None:
    suffix = _FORMATS.get(options.format, "{suffix}")
    found = targets(
        options.photos, options.output, options.name or "{stem}" + suffix, options.match,
        options.recursive, into_folder=True,
    )  # fmt: skip
    todo = pages_of(options.page, found)
    make_folders(found)
    with Manifest(options.output) as manifest:
        _clear_up(todo, options.output, manifest)
        batch = Batch(options, manifest)
        failed = batch.do_all(todo)
    if failed:
        for line in failed:
            print(f"semcolor: {line.photo}: {line.reason}", file=sys.stderr)
        raise SemcolorError(Code.SOME_FAILED, failed=len(failed), photos=len(todo))


class Batch:
    """One run. Photos are done in threads, each with a connection of its own; lines are written in
    the main one.
    """

    def __init__(self, options: argparse.Namespace, manifest: Manifest) -> None:
        notes = read_notes(options.notes) if options.notes else ()
        self._options, self._manifest, self._folder = options, manifest, options.output
        self._wishes = Wishes(notes, options.detail, not options.no_provenance, True)
        self._says = not (options.quiet or options.json)
        self._failed: list[Line] = []
        self._own = threading.local()
        self._clients: list[WorkerClient] = []
        settings = [format_notes(notes), options.detail, options.no_provenance]
        self._settings = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]

    def do_all(self, todo: Sequence[Target]) -> list[Line]:
        """Do what is left; returns the lines of what failed. Raises SemcolorError: see FOR_ALL."""
        left = [target for target in todo if not self._is_done(target)]
        jobs, pending = self._options.jobs, set[Future[Line]]()
        with self._bar(len(todo), len(todo) - len(left)), ThreadPoolExecutor(jobs) as pool:
            try:
                for target in left:
                    while len(pending) >= jobs:
                        self._take(pending, FIRST_COMPLETED)
                    pending.add(self._begin(target, pool))
                self._take(pending, ALL_COMPLETED)
            except BaseException:
                if not self._options.quiet:
                    print("Stopping: photos that are begun are finished first.", file=sys.stderr)
                self._take(pending, ALL_COMPLETED)
                raise
            finally:
                for client in self._clients:
                    client.close()
        if self._says and len(left) < len(todo):
            print(f"{len(todo) - len(left)} of {len(todo)} were done before.", file=sys.stderr)
        return self._failed

    def _begin(self, target: Target, pool: ThreadPoolExecutor) -> Future[Line]:
        """What is begun, replaces nothing but what is ours: so it may be begun again."""
        is_ours = self._is_ours(target)  # before the new line says that it is begun
        stamp = stamp_of(target.output) if is_ours else None
        output, photo = self._from_folder(target.output), str(target.photo)
        line = Line(output, photo, State.BEGUN, target.page, stamp=stamp, at=_now())
        force = self._options.force or is_ours
        try:
            check_target(target.output, [target.photo], force)
        except SemcolorError as error:
            return pool.submit(_failed, line, error)
        self._manifest.add(line)
        return pool.submit(self._do, target, line, force)

    def _take(self, pending: set[Future[Line]], when: str) -> None:
        """Wait for photos that are begun, and write down how they ended."""
        done, _ = wait(pending, return_when=when)
        for future in done:
            pending.discard(future)
            line = future.result()
            self._manifest.add(line)
            if line.state == State.FAILED:
                self._failed.append(line)
            self._tell(line)

    def _tell(self, line: Line) -> None:
        self._progress.update()
        if self._options.json:
            print(json.dumps(line.as_dict(), ensure_ascii=False), flush=True)
        elif self._says and line.state == State.DONE:
            with tqdm.external_write_mode(sys.stdout):
                print(self._folder / line.output, flush=True)
                for sentence in line.told:
                    print(sentence, file=sys.stderr)

    @contextlib.contextmanager
    def _bar(self, photos: int, done: int) -> Iterator[None]:
        """With the time left, for somebody who sees it."""
        is_seen = self._says and sys.stderr.isatty()
        with tqdm(total=photos, initial=done, disable=not is_seen, unit="photo") as self._progress:
            yield

    def _do(self, target: Target, line: Line, force: bool) -> Line:
        """One photo, in a thread. Raises SemcolorError: what no photo can be done with."""
        began, told = time.monotonic(), list[str]()
        try:
            labels, shares = self._color(target, force, told.append)
        except SemcolorError as error:
            if error.code in FOR_ALL:
                raise
            return _failed(line, error)
        except OSError as error:
            return _failed(line, cannot_read(target.photo, error))
        return replace(
            line, state=State.DONE, made_of=self._made_of(target), stamp=stamp_of(target.output),
            labels=labels and str(labels), shares=shares, told=tuple(told), at=_now(),
            seconds=round(time.monotonic() - began, 2),
        )  # fmt: skip

    def _color(
        self, target: Target, force: bool, tell: Callable[[str], None]
    ) -> tuple[str, dict[str, float]]:
        """Colour one photo. Returns its label map, if that is a file, and its classes' shares."""
        from semcolor.photos.label_files import write_label_map

        given = self._given_labels(target)
        check_target(target.output, [target.photo, given, self._options.notes], force)
        original = read_original(target, given, tell)
        colored = color(original, self._wishes, self._client(), _silent, tell)
        own = labels_beside(target.output)
        if given is None and self._options.labels == _WRITE and colored.labels is not None:
            write_label_map(own, colored.labels, only_new=True)
            given = own
        write(target.output, colored, tell, only_new=not force)
        shares = _shares(colored.labels) if colored.labels is not None else {}
        return (self._from_folder(given) if given else ""), shares

    def _client(self) -> WorkerClient:
        """This thread's."""
        if not hasattr(self._own, "client"):
            self._own.client = local_worker.connect()
            self._clients.append(self._own.client)
        client: WorkerClient = self._own.client
        return client

    def _is_done(self, target: Target) -> bool:
        """Whether the result is there, and would be the same again."""
        last = self._manifest.last(self._from_folder(target.output))
        if last is None or last.state != State.DONE or last.stamp != stamp_of(target.output):
            return False
        return last.made_of == self._made_of(target)

    def _is_ours(self, target: Target) -> bool:
        """Whether what is there was made by an earlier run, and not touched since."""
        last = self._manifest.last(self._from_folder(target.output))
        if last is None:
            return False
        is_as_left = last.stamp is not None and last.stamp == stamp_of(target.output)
        return last.state == State.BEGUN or is_as_left

    def _made_of(self, target: Target) -> str:
        labels = self._given_labels(target)
        stamps = stamp_of(target.photo), stamp_of(labels) if labels else None
        return f"{stamps} {self._settings}"

    def _given_labels(self, target: Target) -> Path | None:
        """The label map beside the result, or else beside the photo."""
        if self._options.labels == _NONE:
            return None
        beside = (labels_beside(target.output), labels_beside(target.photo))
        return next((path for path in beside if path.is_file()), None)

    def _from_folder(self, path: Path) -> str:
        is_inside = path.is_relative_to(self._folder)
        return str(path.relative_to(self._folder)) if is_inside else str(path.resolve())


def _clear_up(todo: Sequence[Target], folder: Path, manifest: Manifest) -> None:
    """Take away what a kill has left half written, where photos were begun and not done."""
    for target in todo:
        output = target.output
        last = manifest.last(str(output.relative_to(folder)))
        if last and last.state == State.BEGUN:
            for path in output.parent.iterdir():
                found = _HALF_WRITTEN.fullmatch(path.name)
                if found and found[1] in (output.suffix, ".png"):
                    path.unlink(missing_ok=True)


def _failed(line: Line, error: SemcolorError) -> Line:
    return replace(line, state=State.FAILED, code=error.code, reason=str(error), at=_now())


def _shares(labels: LabelMap) -> dict[str, float]:
    counts = np.bincount(labels.ravel(), minlength=len(all_classes()))
    shares = {entry.name: round(counts[entry.id] / labels.size, 4) for entry in all_classes()}
    return {name: share for name, share in shares.items() if share}


def _silent(_stage: Stage, _fraction: float) -> None:
    """Of single photos no progress is shown."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _jobs(text: str) -> int:
    """Raises ValueError for what is no number of jobs."""
    jobs = int(text)
    if not 1 <= jobs <= 64:
        raise ValueError
    return jobs
