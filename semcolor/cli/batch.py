"""``semcolor batch``: photographs by the thousand, which a stop or a crash only interrupts."""

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from semcolor.shared.errors import Code, SemcolorError

from .batch_engines import BatchEngine, LocalEngine, RayEngine
from .coloring import Wishes, check_target, read_notes
from .endings import tidy_end
from .manifest import Line, Manifest, State, stamp_of
from .options import add_coloring, add_photos
from .photo_task import Labels, Settings, Task, now
from .targets import LABELS_SUFFIX, Target, make_folders, pages_of, targets

if TYPE_CHECKING:
    from . import Commands

_FORMATS = {"tiff": ".tif", "png": ".png", "jpeg": ".jpg", "webp": ".webp", "ora": ".ora"}
_LOCAL, _RAY = "local", "ray"
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
        "--labels", choices=[str(each) for each in Labels], default=Labels.WRITE,
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
    batch.add_argument(
        "--engine", choices=(_LOCAL, _RAY), default=_LOCAL,
        help="who does them: local, the worker that this machine uses; ray, the machines of a Ray "
        "cluster",
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
    """One run. Photos are done in threads, and lines are written in the main one."""

    def __init__(self, options: argparse.Namespace, manifest: Manifest) -> None:
        notes = read_notes(options.notes) if options.notes else ()
        wishes = Wishes(notes, options.detail, not options.no_provenance, keeps_labels=True)
        self._settings = Settings(options.output, wishes, Labels(options.labels), options.notes)
        self._options, self._manifest = options, manifest
        self._stdout = sys.stdout  # a library may print, too
        self._says = not (options.quiet or options.json)
        self._failed: list[Line] = []

    def do_all(self, todo: Sequence[Target]) -> list[Line]:
        """Do what is left; returns the lines of what failed. Raises SemcolorError: see FOR_ALL."""
        left = [target for target in todo if not self._is_done(target)]
        jobs, pending, engine = self._options.jobs, set[Future[Line]](), self._engine()
        with self._bar(len(todo), len(todo) - len(left)), ThreadPoolExecutor(jobs) as pool:
            try:
                for target in left:
                    while len(pending) >= jobs:
                        self._take(pending, FIRST_COMPLETED)
                    pending.add(self._begin(target, pool, engine))
                self._take(pending, ALL_COMPLETED)
            except BaseException:
                if not self._options.quiet:
                    print("Stopping: photos that are begun are finished first.", file=sys.stderr)
                self._take(pending, ALL_COMPLETED)
                raise
            finally:
                engine.close()
                for task in engine.lost:
                    _take_away_half_written(task.target.output)
        if self._says and len(left) < len(todo):
            print(f"{len(todo) - len(left)} of {len(todo)} were done before.", file=sys.stderr)
        return self._failed

    def _engine(self) -> BatchEngine:
        return RayEngine() if self._options.engine == _RAY else LocalEngine()

    def _begin(self, target: Target, pool: ThreadPoolExecutor, engine: BatchEngine) -> Future[Line]:
        """What is begun, replaces nothing but what is ours: so it may be begun again."""
        is_ours = self._is_ours(target)  # before the new line says that it is begun
        stamp = stamp_of(target.output) if is_ours else None
        output, photo = self._settings.from_folder(target.output), str(target.photo.absolute())
        line = Line(output, photo, State.BEGUN, target.page, stamp=stamp, at=now())
        task = Task(self._settings, target, line, self._options.force or is_ours)
        try:
            check_target(target.output, [target.photo], task.force)
        except SemcolorError as error:
            return pool.submit(task.failed, error)
        self._manifest.add(line)
        return pool.submit(engine.do, task)

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
            said = json.dumps(line.as_dict(), ensure_ascii=False)
            print(said, file=self._stdout, flush=True)
        elif self._says and line.state == State.DONE:
            with tqdm.external_write_mode(self._stdout):
                print(self._settings.folder / line.output, file=self._stdout, flush=True)
                for sentence in line.told:
                    print(sentence, file=sys.stderr)

    @contextlib.contextmanager
    def _bar(self, photos: int, done: int) -> Iterator[None]:
        """With the time left, for somebody who sees it."""
        is_seen = self._says and sys.stderr.isatty()
        with tqdm(total=photos, initial=done, disable=not is_seen, unit="photo") as self._progress:
            yield

    def _is_done(self, target: Target) -> bool:
        """Whether the result is there, and would be the same again."""
        last = self._manifest.last(self._settings.from_folder(target.output))
        if last is None or last.state != State.DONE or last.stamp != stamp_of(target.output):
            return False
        return last.made_of == self._settings.made_of(target)

    def _is_ours(self, target: Target) -> bool:
        """Whether what is there was made by an earlier run, and not touched since."""
        last = self._manifest.last(self._settings.from_folder(target.output))
        if last is None:
            return False
        is_as_left = last.stamp is not None and last.stamp == stamp_of(target.output)
        return last.state == State.BEGUN or is_as_left


def _clear_up(todo: Sequence[Target], folder: Path, manifest: Manifest) -> None:
    """Take away what a kill has left half written, where photos were begun and not done."""
    for target in todo:
        output = target.output
        last = manifest.last(str(output.relative_to(folder)))
        if last and last.state == State.BEGUN:
            _take_away_half_written(output)


def _take_away_half_written(output: Path) -> None:
    """Of this result or another beside it: nothing is being written there now."""
    for path in output.parent.iterdir():
        found = _HALF_WRITTEN.fullmatch(path.name)
        if found and found[1] in (output.suffix, ".png"):
            path.unlink(missing_ok=True)


def _jobs(text: str) -> int:
    """Raises ValueError for what is no number of jobs."""
    jobs = int(text)
    if not 1 <= jobs <= 64:
        raise ValueError
    return jobs
