"""One photo, from file to file, for every command that colours: read, colour, write.

What reads and writes pictures is imported when it is needed: other commands answer at once.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from semcolor import __version__
from semcolor.client.session import Session
from semcolor.client.worker_client import OnProgress, WorkerClient
from semcolor.photos.pixels import LabelMap, Rgb
from semcolor.shared.color_notes import ColorNote, parse_notes
from semcolor.shared.errors import Code, SemcolorError, cannot_read

from .targets import Target

if TYPE_CHECKING:
    from semcolor.photos.photo_files import Photo

Tell = Callable[[str], None]
"""Takes what the user should know of a photo although all went well, a sentence each."""


@dataclass(frozen=True)
class Wishes:
    """How photos are coloured.

    ``detail``: 0 is the model's own. ``with_provenance``: whether the file says that its colour is
    inferred. ``keeps_labels``: whether the predicted label map is needed, too.
    """

    notes: tuple[ColorNote, ...] = ()
    detail: int = 0
    with_provenance: bool = True
    keeps_labels: bool = False


class Original(NamedTuple):
    """A photo, and its label map where one was given."""

    photo: "Photo"
    labels: LabelMap | None


class Colored(NamedTuple):
    """A photo that says where its colours come from, those, and the labels unless none are kept."""

    photo: "Photo"
    rgb: Rgb
    labels: LabelMap | None


def read_original(target: Target, labels: Path | None, tell: Tell) -> Original:
    """Read a photo and the label map at ``labels``, and look whether the result can be written.

    Raises SemcolorError.
    """
    from semcolor.photos.label_files import read_labels
    from semcolor.photos.photo_files import check_output, read_photo

    photo = read_photo(target.photo, target.page)
    if target.page is None and photo.pages > 1:
        tell(
            f"{target.photo} has {photo.pages} pages: page {photo.page}, the first of the largest, "
            "is taken. --page chooses another."
        )
    check_output(target.output, photo)
    if not labels:
        return Original(photo, None)
    given, ambiguous = read_labels(labels)
    if ambiguous.any():
        tell(
            f"{ambiguous.mean():.2%} of {labels} is in colours between those of the palette: each "
            "such pixel counts as a class beside it."
        )
    return Original(photo, given)


def color(
    original: Original, wishes: Wishes, client: WorkerClient, on_progress: OnProgress, tell: Tell
) -> Colored:
    """Let a worker colour a photo. Raises SemcolorError."""
    photo, labels = original
    session = Session(client, photo.gray)
    session.set_notes(wishes.notes)
    if labels is None and wishes.keeps_labels:
        labels = session.segment(session.whole, wishes.detail, on_progress).map
    if labels is None:
        session.use_predicted_labels()
    else:
        session.set_labels(labels)
    colored = session.colorize(session.whole, wishes.detail, on_progress)
    if wishes.with_provenance:
        photo = _with_provenance(photo, session, labels, colored.detail or wishes.detail, tell)
    tell_lowered(colored.detail, tell)
    return Colored(photo, colored.rgb, labels)


def write(output: Path, colored: Colored, tell: Tell, only_new: bool) -> None:
    """Write the photo with its colours; ``only_new``: not over a file. Raises SemcolorError."""
    from semcolor.photos.photo_files import channels_left_out, metadata_left_out, write_photo

    photo = colored.photo
    write_photo(output, colored.rgb, photo, colored.labels, only_new=only_new)
    names = ", ".join(metadata_left_out(output, photo))
    if names:
        tell(f"{output} does not say all that the photo says; left out: {names}.")
    left_out = channels_left_out(output, photo)
    if left_out:
        tell(
            f"{output} has no room for {left_out} of the photo's channels besides its colours; a "
            "TIFF has."
        )


def check_target(output: Path, inputs: Sequence[Path | None], force: bool) -> None:
    """Nothing that is there is lost without a word. Raises SemcolorError."""
    if not output.exists():
        return
    if any(path and path.exists() and path.samefile(output) for path in inputs):
        raise SemcolorError(Code.OUTPUT_IS_INPUT, file=str(output))
    if not force:
        raise SemcolorError(Code.OUTPUT_EXISTS, file=str(output))


def read_notes(path: Path) -> tuple[ColorNote, ...]:
    """Colour notes from a file. Raises SemcolorError: NO_FILE, CANNOT_READ, BAD_NOTES."""
    try:
        return parse_notes(path.read_text("utf-8", "replace"), str(path))
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def tell_lowered(detail: int, tell: Tell) -> None:
    """Tell of a result that was made at this detail because of memory; 0: it was not."""
    if detail:
        tell(
            f"The worker's memory sufficed for a detail of {detail} pixels only: close "
            "other programs there, or ask for no more with --detail."
        )


def _with_provenance(
    photo: "Photo", session: Session, labels: LabelMap | None, detail: int, tell: Tell
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
        tell(
            f"The photo's XMP can't be read ({error}): it stays as it is, and does not say where "
            "the colour comes from."
        )
        return photo
    return replace(photo, metadata=replace(photo.metadata, xmp=xmp))
