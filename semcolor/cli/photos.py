"""``semcolor segment`` and ``semcolor colorize``: photographs on the command line.

What reads and writes pictures is imported when it is needed: other commands answer at once.
"""

import argparse
import contextlib
import hashlib
import signal
import sys
from collections.abc import Iterator, Sequence
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

if TYPE_CHECKING:
    from semcolor.photos.photo_files import Photo

    from . import Commands

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
        help="label map: an indexed or gray PNG of class ids, or a picture in palette colours "
        "(default: predicted)",
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
    from semcolor.photos.label_files import write_label_map
    from semcolor.photos.photo_files import check_output, read_photo

    if options.output.suffix.lower() != ".png":
        raise SemcolorError(Code.NOT_PNG)
    _check_target(options.output, [options.photo], options.force)
    check_output(options.output, depth=8)
    photo = read_photo(options.photo, options.page)
    _tell_page(options.photo, photo, options.page)
    with _ProgressBar() as on_progress:
        session = Session(local_worker.connect(), photo.gray)
        labelled = session.segment(session.whole, options.detail, on_progress)
    write_label_map(options.output, labelled.map)
    print(f"{options.output}: {_summary(labelled.map)}")
    _tell_lowered(labelled.detail)


@_tidy_end()
def _colorize(options: argparse.Namespace) -> None:
    from semcolor.photos.label_files import read_labels
    from semcolor.photos.photo_files import (
        channels_left_out,
        check_output,
        metadata_left_out,
        read_photo,
        write_photo,
    )

    inputs = [options.photo, options.labels, options.notes]
    _check_target(options.output, inputs, options.force)
    photo = read_photo(options.photo, options.page)
    _tell_page(options.photo, photo, options.page)
    check_output(options.output, photo.depth)
    given = None
    if options.labels:
        given, ambiguous = read_labels(options.labels)
        _tell_ambiguous(options.labels, float(ambiguous.mean()))
    notes = _read_notes(options.notes) if options.notes else ()
    with _ProgressBar() as on_progress:
        session = Session(local_worker.connect(), photo.gray)
        session.set_notes(notes)
        if given is None:
            session.use_predicted_labels()
        else:
            session.set_labels(given)
        colored = session.colorize(session.whole, options.detail, on_progress)
    if not options.no_provenance:
        photo = _with_provenance(photo, session, given, colored.detail or options.detail)
    write_photo(options.output, colored.rgb, photo)
    print(options.output)
    for name in metadata_left_out(options.output, photo):
        print(f"{options.output} has no room for the photo's {name}; a TIFF has.", file=sys.stderr)
    left_out = channels_left_out(options.output, photo)
    if left_out:
        message = "{} has no room for {} of the photo's channels besides its colours; a TIFF has."
        print(message.format(options.output, left_out), file=sys.stderr)
    _tell_lowered(colored.detail)


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
    """A progress bar on stderr, one per stage."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> OnProgress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, stage: Stage, fraction: float) -> None:
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
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="PNG, TIFF or JPEG")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=output)
    parser.add_argument(
        "--page", type=int, metavar="N",
        help="of a TIFF with several pages (default: the first of the largest)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace an output that is there")
    parser.add_argument(
        "--detail", type=_detail, default=0, metavar="PIXELS",
        help=f"longest side of the network's input, at most {DETAIL_LIMIT} (default: the model's "
        "own)",
    )  # fmt: skip


def _detail(text: str) -> int:
    """Raises ValueError for what is no number, SemcolorError (DETAIL) for one out of range."""
    detail = int(text)
    if not 0 <= detail <= DETAIL_LIMIT:
        raise SemcolorError(Code.DETAIL, detail=detail, limit=DETAIL_LIMIT)
    return detail
