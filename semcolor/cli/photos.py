"""``semcolor segment`` and ``semcolor colorize``: photographs on the command line.

What reads and writes pictures is imported when it is needed: other commands answer at once.
"""

import argparse
import contextlib
import hashlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from tqdm import tqdm

from semcolor import __version__
from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.client.worker_client import OnProgress
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import all_classes
from semcolor.shared.color_notes import ColorNote, parse_notes
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.limits import DETAIL_LIMIT
from semcolor.shared.sentences import STAGES
from semcolor.shared.states import Stage

from .targets import Target, check_all_differ, make_folders, of_all_pages, targets

if TYPE_CHECKING:
    from semcolor.photos.photo_files import Photo

    from . import Commands

_ALL_PAGES = "all"
# What no photo can be done with.
_FOR_ALL = {
    Code.UNREACHABLE, Code.NO_SUCH_HOST, Code.KEY_REFUSED, Code.NOT_RUNNING, Code.NOT_STARTED,
    Code.NOT_ANSWERING, Code.PROTOCOL_VERSION, Code.BAD_NOTES,
}  # fmt: skip
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    segment = commands.add_parser("segment", help="predict the label map of a photo")
    segment.set_defaults(run=_segment)
    _add_photo(segment, "labels.png")

    colorize = commands.add_parser("colorize", help="colour a photo by a label map")
    colorize.set_defaults(run=_colorize)
    _add_photo(colorize, "out.png")
    colorize.add_argument(
        "--labels", type=Path, metavar="LABELS",
        help="label map: an indexed or gray PNG of class ids, or a picture in palette colours; or "
        "a folder of those, each called like its photo (default: predicted)",
    )  # fmt: skip
    colorize.add_argument(
        "--notes", type=Path, metavar="NOTES",
        help="colour notes: a text file with lines such as “clothes: #5b5a3c”",
    )  # fmt: skip
    colorize.add_argument(
        "--no-provenance", action="store_true",
        help="leave out of the file's XMP that its colour is inferred, and by what",
    )  # fmt: skip


@contextlib.contextmanager
def _tidy_end() -> Iterator[None]:
    """Signals that end the command let it take away first what is half written, as Ctrl+C does."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@_tidy_end()
def _segment(options: argparse.Namespace) -> None:
    _each(options, "{stem}.png", _segment_one)


@_tidy_end()
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
    if len(found) == 1 and found[0].output == options.output and options.page != _ALL_PAGES:
        if not (options.resume and options.output.exists()):
            do(options, found[0]._replace(page=options.page))
        return
    make_folders(found)
    todo, failed = _pages(options.page, found), 0
    for target in todo:
        if options.resume and target.output.exists():
            continue
        try:
            do(options, target)
        except SemcolorError as error:
            if error.code in _FOR_ALL:
                raise
            failed += 1
            print(f"semcolor: {target.photo}: {error}", file=sys.stderr)
    if failed:
        raise SemcolorError(Code.SOME_FAILED, failed=failed, photos=len(todo))


def _pages(wanted: int | str | None, found: Sequence[Target]) -> list[Target]:
    """The page of each photo that is wanted, or all of them. Raises SemcolorError: SAME_OUTPUT."""
    if not isinstance(wanted, str):
        return [target._replace(page=wanted) for target in found]
    pages = [page for target in found for page in _all_pages(target)]
    check_all_differ(pages)
    return pages


def _all_pages(target: Target) -> list[Target]:
    from semcolor.photos.photo_files import count_pages

    try:
        return of_all_pages(target, count_pages(target.photo))
    except SemcolorError:  # which is told when it is this photo's turn
        return [target]


def _segment_one(options: argparse.Namespace, target: Target) -> None:
    from semcolor.photos.label_files import write_label_map
    from semcolor.photos.photo_files import check_output, read_photo

    path, output, page = target
    if output.suffix.lower() != ".png":
        raise SemcolorError(Code.NOT_PNG)
    _check_target(output, [path], options.force)
    check_output(output, depth=8)
    photo = read_photo(path, page)
    _tell_page(path, photo, page)
    with _ProgressBar() as on_progress, contextlib.closing(local_worker.connect()) as client:
        session = Session(client, photo.gray)
        labelled = session.segment(session.whole, options.detail, on_progress)
    write_label_map(output, labelled.map, only_new=not options.force)
    print(f"{output}: {_summary(labelled.map)}", flush=True)
    _tell_lowered(labelled.detail)


def _colorize_one(options: argparse.Namespace, target: Target) -> None:
    from semcolor.photos.label_files import read_labels
    from semcolor.photos.photo_files import (
        channels_left_out,
        check_output,
        metadata_left_out,
        read_photo,
        write_photo,
    )

    path, output, page = target
    labels = _labels_for(path, options.labels)
    _check_target(output, [path, labels, options.notes], options.force)
    photo = read_photo(path, page)
    _tell_page(path, photo, page)
    check_output(output, photo.depth)
    given = None
    if labels:
        given, ambiguous = read_labels(labels)
        _tell_ambiguous(labels, float(ambiguous.mean()))
    notes = _read_notes(options.notes) if options.notes else ()
    with _ProgressBar() as on_progress, contextlib.closing(local_worker.connect()) as client:
        session = Session(client, photo.gray)
        session.set_notes(notes)
        if given is None:
            session.use_predicted_labels()
        else:
            session.set_labels(given)
        colored = session.colorize(session.whole, options.detail, on_progress)
        if not options.no_provenance:
            photo = _with_provenance(photo, session, given, colored.detail or options.detail)
    write_photo(output, colored.rgb, photo, only_new=not options.force)
    print(output, flush=True)
    names = ", ".join(metadata_left_out(output, photo))
    if names:
        print(f"{output} does not say all that the photo says; left out: {names}.", file=sys.stderr)
    left_out = channels_left_out(output, photo)
    if left_out:
        message = "{} has no room for {} of the photo's channels besides its colours; a TIFF has."
        print(message.format(output, left_out), file=sys.stderr)
    _tell_lowered(colored.detail)


def _labels_for(photo: Path, labels: Path | None) -> Path | None:
    """The label map that was named, or the photo's in a folder that was; None: it is predicted."""
    if labels is None or not labels.is_dir():
        return labels
    own = labels / f"{photo.stem}.png"
    if own.is_file():
        return own
    print(f"There is no {own}: the labels of {photo} are predicted.", file=sys.stderr)
    return None


def _with_provenance(
    photo: "Photo", session: Session, labels: LabelMap | None, detail: int
) -> "Photo":
    """The same photo, which says from now on where its colour comes from."""
    from semcolor.photos.provenance import Provenance, with_provenance

    digest = "predicted"
    if labels is not None:
        digest = f"sha256:{hashlib.sha256(labels.tobytes()).hexdigest()}"
    models = " + ".join(session.client.status().models)
    made = Provenance(f"semcolor {__version__}", models, digest, detail)
    try:
        xmp = with_provenance(photo.metadata.xmp, made)
    except ValueError as error:
        print(
            f"The photo's XMP can't be read ({error}): it stays as it is, and does not say where "
            "the colour comes from.",
            file=sys.stderr,
        )
        return photo
    return replace(photo, metadata=replace(photo.metadata, xmp=xmp))


def _check_target(output: Path, inputs: Sequence[Path | None], force: bool) -> None:
    """Nothing that is there is lost without a word. Raises SemcolorError."""
    if not output.exists():
        return
    if any(path and path.exists() and path.samefile(output) for path in inputs):
        raise SemcolorError(Code.OUTPUT_IS_INPUT, file=str(output))
    if not force:
        raise SemcolorError(Code.OUTPUT_EXISTS, file=str(output))


def _read_notes(path: Path) -> tuple[ColorNote, ...]:
    try:
        return parse_notes(path.read_text("utf-8", "replace"), str(path))
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except OSError as error:
        reason = str(error.strerror)
        raise SemcolorError(Code.CANNOT_READ, file=str(path), reason=reason) from error


def _tell_page(path: Path, photo: "Photo", wanted: int | None) -> None:
    if wanted is None and photo.pages > 1:
        print(
            f"{path} has {photo.pages} pages: page {photo.page}, the first of the largest, is "
            "taken. --page chooses another.",
            file=sys.stderr,
        )


def _tell_ambiguous(path: Path, share: float) -> None:
    if share:
        print(
            f"{share:.2%} of {path} is in colours between those of the palette: each such pixel "
            "counts as a class beside it.",
            file=sys.stderr,
        )


def _tell_lowered(detail: int) -> None:
    if detail:
        print(
            f"The worker's memory sufficed for a detail of {detail} pixels only: close "
            "other programs there, or ask for no more with --detail.",
            file=sys.stderr,
        )


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


def _add_photo(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument(
        "photos", type=Path, metavar="PHOTO", nargs="+",
        help="PNG, TIFF or JPEG; several, or a folder of them",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar=output,
        help="what is written; of several photos, the folder for that",
    )  # fmt: skip
    parser.add_argument(
        "--name", metavar="NAME",
        help="of several photos, what is written is called that, with {stem} and {suffix} of the "
        "photo's name",
    )  # fmt: skip
    parser.add_argument("--recursive", action="store_true", help="also photos in folders below")
    parser.add_argument(
        "--match", default="*", metavar="PATTERN",
        help="of folders, only photos with such names, for instance “*.tif”",
    )  # fmt: skip
    parser.add_argument(
        "--page", type=_page, metavar="N|all",
        help="of a TIFF with several pages, each of which gets its number in the name (default: "
        "the first of the largest)",
    )  # fmt: skip
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--force", action="store_true", help="replace an output that is there")
    there.add_argument(
        "--resume", action="store_true",
        help="leave outputs that are there as they are, and do the rest, after a run "
        "that ended early",
    )  # fmt: skip
    parser.add_argument(
        "--detail", type=_detail, default=0, metavar="PIXELS",
        help=f"longest side of the network's input, at most {DETAIL_LIMIT} (default: the model's "
        "own)",
    )  # fmt: skip


def _page(text: str) -> int | str:
    """Raises ValueError for what is neither a number nor *all*."""
    return _ALL_PAGES if text == "all" else int(text)


def _detail(text: str) -> int:
    """Raises ValueError for what is no number, SemcolorError (DETAIL) for one out of range."""
    detail = int(text)
    if not 0 <= detail <= DETAIL_LIMIT:
        raise SemcolorError(Code.DETAIL, detail=detail, limit=DETAIL_LIMIT)
    return detail
