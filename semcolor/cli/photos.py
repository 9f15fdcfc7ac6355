"""``semcolor segment`` and ``semcolor colorize``: photographs on the command line.

What reads and writes pictures is imported when it is needed: other commands answer at once.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from tqdm import tqdm

from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.client.worker_client import OnProgress
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.sentences import STAGES
from semcolor.shared.states import Stage

from .coloring import (
    Wishes,
    check_target,
    color,
    read_notes,
    read_original,
    tell_lowered,
    write,
)
from .endings import tidy_end
from .options import ALL_PAGES, add_coloring, add_photos
from .photo_task import FOR_ALL
from .targets import Target, make_folders, pages_of, targets

if TYPE_CHECKING:
    from . import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    segment = commands.add_parser("segment", help="predict the label map of a photo")
    segment.set_defaults(run=_segment)
    add_photos(segment, "labels.png")
    _add_existing(segment)

    colorize = commands.add_parser("colorize", help="colour a photo by a label map")
    colorize.set_defaults(run=_colorize)
    add_photos(colorize, "out.png")
    colorize.add_argument(
        "--labels", type=Path, metavar="LABELS",
        help="label map: an indexed or gray PNG of class ids, or a picture in palette colours; or "
        "a folder of those, each called like its photo (default: predicted)",
    )  # fmt: skip
    add_coloring(colorize)
    _add_existing(colorize)


def _add_existing(parser: argparse.ArgumentParser) -> None:
    """What becomes of outputs that are there."""
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--force", action="store_true", help="replace an output that is there")
    there.add_argument(
        "--resume", action="store_true",
        help="leave outputs that are there as they are, and do the rest, after a run "
        "that ended early",
    )  # fmt: skip


@tidy_end()
def _segment(options: argparse.Namespace) -> None:
    _each(options, "{stem}.png", _segment_one)


@tidy_end()
def _colorize(options: argparse.Namespace) -> None:
    _each(options, "{stem}{suffix}", _colorize_one)


def _each(
    options: argparse.Namespace, name: str, do: Callable[[argparse.Namespace, Target], None]
) -> None:
    """Do one photo after the other; what fails with one does not keep others from being done.

    Raises SemcolorError: what a single photo fails with, SOME_FAILED of several; and what all
    fail with, such as a worker that does not run.
    """
    found = targets(
        options.photos, options.output, options.name or name, options.match, options.recursive
    )
    if len(found) == 1 and found[0].output == options.output and options.page != ALL_PAGES:
        if not (options.resume and options.output.exists()):
            do(options, found[0]._replace(page=options.page))
        return
    make_folders(found)
    todo, failed = pages_of(options.page, found), 0
    for target in todo:
        if options.resume and target.output.exists():
            continue
        try:
            do(options, target)
        except SemcolorError as error:
            if error.code in FOR_ALL:
                raise
            failed += 1
            print(f"semcolor: {target.photo}: {error}", file=sys.stderr)
    if failed:
        raise SemcolorError(Code.SOME_FAILED, failed=failed, photos=len(todo))


def _segment_one(options: argparse.Namespace, target: Target) -> None:
    from semcolor.photos.label_files import write_label_map

    path, output, _ = target
    if output.suffix.lower() != ".png":
        raise SemcolorError(Code.NOT_PNG)
    check_target(output, [path], options.force)
    photo = read_original(target, None, _tell).photo
    with _ProgressBar() as on_progress, contextlib.closing(local_worker.connect()) as client:
        session = Session(client, photo.gray)
        labelled = session.segment(session.whole, options.detail, on_progress)
    write_label_map(output, labelled.map, only_new=not options.force)
    print(f"{output}: {_summary(labelled.map)}", flush=True)
    tell_lowered(labelled.detail, _tell)


def _colorize_one(options: argparse.Namespace, target: Target) -> None:
    from semcolor.photos.photo_files import holds_labels

    output = target.output
    labels = _labels_for(target.photo, options.labels)
    check_target(output, [target.photo, labels, options.notes], options.force)
    original = read_original(target, labels, _tell)
    notes = read_notes(options.notes) if options.notes else ()
    wishes = Wishes(notes, options.detail, not options.no_provenance, holds_labels(output))
    with _ProgressBar() as on_progress, contextlib.closing(local_worker.connect()) as client:
        colored = color(original, wishes, client, on_progress, _tell)
    write(output, colored, _tell, only_new=not options.force)
    print(output, flush=True)


def _labels_for(photo: Path, labels: Path | None) -> Path | None:
    """The label map that was named, or the photo's in a folder that was; None: it is predicted."""
    if labels is None or not labels.is_dir():
        return labels
    own = labels / f"{photo.stem}.png"
    if own.is_file():
        return own
    print(f"There is no {own}: the labels of {photo} are predicted.", file=sys.stderr)
    return None


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


class _ProgressBar:
    """A progress bar on stderr, one per stage, for somebody who sees it."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> OnProgress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, stage: Stage, fraction: float) -> None:
        if not sys.stderr.isatty():
            return
        text = STAGES[stage]
        if self._bar is None or self._bar.desc != text:
            self.__exit__()
            form = "{desc:24} {bar} {n:3.0f}%"
            self._bar = tqdm(total=100, desc=text, bar_format=form, leave=False)
        self._bar.update(100 * fraction - self._bar.n)


def _summary(label_map: LabelMap) -> str:
    ids, counts = np.unique(label_map, return_counts=True)
    shares = sorted(zip(counts / counts.sum(), ids, strict=True), reverse=True)
    return ", ".join(f"{all_classes()[i].name} {share:.0%}" for share, i in shares if share > 0.005)
