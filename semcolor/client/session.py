"""One open photo of one client."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np

from semcolor.photos.pixels import Gray, LabelMap, Mask, Rgb
from semcolor.protocol.planes import unpack_labels
from semcolor.protocol.results import (
    ObjectColors,
    RecolorResult,
    RegionResult,
    Result,
    SnapResult,
    SuggestAllResult,
    Suggestion,
    SuggestResult,
)
from semcolor.protocol.schema import (
    PIECE_LIMIT,
    PREDICTED,
    Colorize,
    LabelsRequest,
    PhotoRequest,
    Recolor,
    Refine,
    Segment,
    Snap,
    Suggest,
    SuggestAll,
    Tint,
)
from semcolor.shared.color_notes import NOTES_LIMIT, ColorNote
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import Stage

from .label_edits import EditedLabels
from .uploads import Uploads
from .worker_client import TRIES, OnProgress, OnStage, WorkerClient

_FORGOTTEN = (Code.UNKNOWN_PHOTO, Code.UNKNOWN_LABELS)


class Colored(NamedTuple):
    """Colour of the first rows of a rectangle.

    ``rgb``: rows×width×3 sRGB of the photo's depth. ``detail``: what it was made at, where the
    worker's memory did not suffice for what was asked; otherwise 0.
    """

    region: Rectangle
    rgb: Rgb
    detail: int

    @property
    def rest(self) -> Rectangle:
        """Where there is no colour yet; often empty."""
        region, rows = self.region, len(self.rgb)
        return Rectangle(region.x, region.y + rows, region.width, region.height - rows)


class Labelled(NamedTuple):
    """Predicted labels of a rectangle, height×width class ids. ``detail``: as in Colored."""

    map: LabelMap
    detail: int


class _Painted(NamedTuple):
    """What a colour follows from, besides the photo."""

    labels: str
    tints: tuple[Tint, ...]
    detail: int


class Session:
    """One open photo of one client: uploads what the worker lacks, then asks for results.

    ``gray``: H×W uint8 or uint16, sRGB curve. The arrays are kept, so that a worker which was
    restarted, or forgot them, gets them again.
    """

    def __init__(self, client: WorkerClient, gray: Gray) -> None:
        self.client = client
        self.gray = np.ascontiguousarray(gray)
        self.height, self.width = gray.shape
        self._tints: tuple[Tint, ...] = ()  # see :meth:`set_notes`
        self._uploads = Uploads(client, self.gray)
        self.photo = self._uploads.photo
        self._labels: EditedLabels | None = None
        self._predicted = False
        self._painted: _Painted | None = None  # what the last colour was made of

    def set_labels(self, label_map: LabelMap | None) -> None:
        """The label map to colour by, H×W class ids, which is copied; None: nothing is labelled.

        Raises SemcolorError (SIZE_MISMATCH) when it is not the photo's size.
        """
        if label_map is not None and label_map.shape != self.gray.shape:
            raise _mismatch("The label map", label_map.shape, self.gray.shape)
        self._labels = None if label_map is None else EditedLabels(label_map)
        self._predicted = False

    def use_predicted_labels(self) -> None:
        """Colour by the label map that the worker predicts; it does not travel."""
        self._labels, self._predicted = None, True

    def edit_labels(self, region: Rectangle, ids: LabelMap) -> None:
        """Change a rectangle of the label map: height×width class ids.

        It travels with the next request. Raises SemcolorError: LABELS_MISMATCH for ids of another
        size or a rectangle outside; MALFORMED when there is no label map.
        """
        if self._labels is None:
            raise malformed("there are no labels to edit yet")
        self._labels.edit(region, ids)

    @property
    def labels(self) -> LabelMap | None:
        """The current label map, H×W class ids; not to be written to."""
        return self._labels.map if self._labels else None

    @property
    def labels_digest(self) -> str:
        """What requests call the current labels."""
        if self._labels is not None:
            return self._labels.digest
        return PREDICTED if self._predicted else ""

    @property
    def whole(self) -> Rectangle:
        """The whole photo."""
        return Rectangle(0, 0, self.width, self.height)

    def upload(self, on_progress: OnProgress) -> None:
        """Bring photo, label map and mask to the worker, as far as it lacks them.

        Not so what is only edited: that travels with the request.
        """
        self._uploads.put_photo(on_progress)
        labels = self._labels
        if labels is not None and labels.must_be_sent:
            self._uploads.put(labels.digest, labels.map, Stage.SENDING_LABELS, on_progress)
            labels.are_there(labels.digest)
        self._uploads.put_mask(on_progress)

    def segment(self, region: Rectangle, detail: int, on_progress: OnProgress) -> Labelled:
        """Predicted label map of a rectangle, height×width class ids."""
        label_map = np.empty((region.height, region.width), np.uint8)
        parts = _parts(region, PIECE_LIMIT // Segment.bytes_per_pixel)
        requests = [Segment(self.photo, part, detail) for part in parts]
        lowered = 0
        for part, result, frame in self._pull(requests, region, on_progress):
            labels = unpack_labels(frame, part.pixels)
            rows = slice(part.y - region.y, part.y - region.y + part.height)
            label_map[rows] = np.frombuffer(labels, np.uint8).reshape(part.height, part.width)
            lowered = result.detail or lowered
        return Labelled(label_map, lowered)

    def colorize(self, region: Rectangle, detail: int, on_progress: OnProgress) -> Colored:
        """Colour of a rectangle, all of its rows."""
        rgb = np.empty((region.height, region.width, 3), self.gray.dtype)
        painted = self._paint(detail)
        parts = _parts(region, PIECE_LIMIT // Colorize.bytes_per_pixel)
        requests = [
            Colorize(self.photo, painted.labels, part, detail, painted.tints) for part in parts
        ]
        lowered = 0
        for part, result, frame in self._pull(requests, region, on_progress):
            rows = slice(part.y - region.y, part.y - region.y + part.height)
            rgb[rows] = _pixels(frame, rgb.dtype, part.width)
            lowered = result.detail or lowered
        return Colored(region, rgb, lowered)

    def recolor(self, detail: int, on_progress: OnProgress) -> Colored:
        """The colour that is visibly another since the last :meth:`colorize` or recolor.

        Outside its region, which may be empty, no channel differs by more than one level in 8
        bits. One request; where the region is large, its ``rest`` is for :meth:`colorize`.
        """
        before = self._painted
        now = _Painted(self.labels_digest, self._tints, detail)
        if before and before.detail == detail and PREDICTED not in (before.labels, now.labels):
            request = Recolor(
                self.photo, now.labels, before.labels, detail, now.tints, before.tints
            )
            try:
                result, frame = self._ask(request, on_progress)
            except SemcolorError as error:
                if error.code != Code.UNKNOWN_LABELS:  # it forgot what was there before
                    raise
            else:
                self._paint(detail)
                changed = cast(RecolorResult, result)
                rgb = _pixels(frame, self.gray.dtype, max(1, changed.region.width))
                return Colored(changed.region, rgb, changed.detail)
        first = _parts(self.whole, PIECE_LIMIT // Colorize.bytes_per_pixel)[0]
        return self.colorize(first, detail, on_progress)._replace(region=self.whole)

    def suggest(
        self, part: Mask | tuple[int, int], detail: int, on_progress: OnProgress
    ) -> tuple[Suggestion, ...]:
        """At most six plausible colours, most likely first, for a part of the photo.

        ``part``: H×W uint8, how much of each pixel is meant; or a pixel (x, y) of the object that
        is meant. Raises SemcolorError: NO_SUGGESTIONS where the model can't tell; LABELS_MISMATCH
        for an empty part; SIZE_MISMATCH for a mask of another size.
        """
        if isinstance(part, tuple):
            request = Suggest(self.photo, self.labels_digest, "", detail, *part)
        else:
            request = Suggest(self.photo, self.labels_digest, self._keep_mask(part), detail)
        result, _ = self._ask(request, on_progress)
        return cast(SuggestResult, result).colors

    def suggest_all(self, detail: int, on_progress: OnProgress) -> tuple[ObjectColors, ...]:
        """The same for each object of the label map, the largest first; at most 64.

        An object is a connected region of a class. Raises SemcolorError: NO_SUGGESTIONS; MALFORMED
        when there is no label map.
        """
        if self._labels is None:
            raise malformed("there are no labels, so no objects yet")
        result, _ = self._ask(SuggestAll(self.photo, self._labels.digest, detail), on_progress)
        return cast(SuggestAllResult, result).objects

    def set_notes(self, notes: Iterable[ColorNote]) -> None:
        """Give objects colours of their own, from the next colorize or recolor on.

        An object keeps its own variation around that colour. Of notes for one object the last one
        counts. Raises SemcolorError (TOO_MANY_TINTS).
        """
        # Those for whole classes come first, so that single objects can be exceptions.
        ordered = sorted(notes, key=lambda note: note.place is not None)
        if len(ordered) > NOTES_LIMIT:
            raise SemcolorError(Code.TOO_MANY_TINTS, limit=NOTES_LIMIT)
        self._tints = tuple(self._tint(note) for note in ordered)

    def _tint(self, note: ColorNote) -> Tint:
        if note.place is None:
            return Tint(note.class_id, note.color)
        x, y = note.place
        column, row = int(x * self.width), int(y * self.height)
        at = min(column, self.width - 1), min(row, self.height - 1)
        return Tint(note.class_id, note.color, *at)

    def snap(self, region: Rectangle, class_id: int, on_progress: OnProgress) -> Rectangle:
        """Fit what is labelled ``class_id`` in a rectangle to the photo's edges.

        Changes the session's label map; returns where, perhaps nowhere. Raises SemcolorError
        (MALFORMED) when there is no label map.
        """
        if self._labels is None:
            raise malformed("there are no labels to snap yet")
        return self._relabel(Snap(self.photo, self._labels.digest, region, class_id), on_progress)

    def refine(
        self, region: Rectangle, class_id: int, on_progress: OnProgress,
        strokes: Mask | None = None, everywhere: bool = False,
    ) -> Rectangle:  # fmt: skip
        """Label the object under a stroke, which :meth:`edit_labels` has painted in a rectangle.

        ``strokes``: H×W uint8, not 0 wherever was painted, this stroke included: none of that
        changes. None: all that has the class in the rectangle is the stroke. ``everywhere``: what
        is plainly the same elsewhere follows, too. Changes the session's label map; returns where,
        perhaps nowhere. Raises SemcolorError: MALFORMED when there is no label map, SIZE_MISMATCH.
        """
        if self._labels is None:
            raise malformed("there are no labels to refine yet")
        painted = "" if strokes is None else self._keep_mask(strokes)
        labels = self._labels.digest
        request = Refine(self.photo, labels, region, class_id, painted, everywhere)
        return self._relabel(request, on_progress)

    def _relabel(self, request: Snap | Refine, on_progress: OnProgress) -> Rectangle:
        result, frame = self._ask(request, on_progress)
        changed = cast(SnapResult, result).region
        if changed:
            ids = np.frombuffer(unpack_labels(frame, changed.pixels), np.uint8)
            self.edit_labels(changed, ids.reshape(changed.height, changed.width))
        return changed

    def _keep_mask(self, mask: Mask) -> str:
        """The mask's digest; the one before goes."""
        if mask.shape != self.gray.shape:
            raise _mismatch("The selection", mask.shape, self.gray.shape)
        return self._uploads.keep_mask(mask)

    def _paint(self, detail: int) -> _Painted:
        """From now on this is the last colour."""
        self._painted = _Painted(self.labels_digest, self._tints, detail)
        return self._painted

    def _ask(self, request: PhotoRequest, on_progress: OnProgress) -> tuple[Result, bytes]:
        """One result; uploads what the worker lacks."""

        def tell(stage: Stage) -> None:
            on_progress(stage, 0.0)

        return next(self._exchange([request], 2, tell, on_progress))

    def _pull(
        self, requests: Sequence[Segment | Colorize], region: Rectangle, on_progress: OnProgress
    ) -> Iterator[tuple[Rectangle, RegionResult, bytes]]:
        """Each part of a region, its result and frame; uploads what the worker lacks."""
        done = 0.0

        def tell(stage: Stage) -> None:
            on_progress(stage, done)

        results = self._exchange(requests, TRIES, tell, on_progress)
        try:
            for request, (result, frame) in zip(requests, results, strict=True):
                part = request.region
                yield part, cast(RegionResult, result), frame
                done = (part.y + part.height - region.y) / region.height
                on_progress(request.stage, done)
        except SemcolorError as error:
            if error.code in _FORGOTTEN:  # as soon as it was sent
                raise SemcolorError(Code.ENGINE_TOO_SMALL) from error
            raise

    def _exchange(
        self, requests: Sequence[PhotoRequest], tries: int, on_stage: OnStage,
        on_progress: OnProgress,
    ) -> Iterator[tuple[Result, bytes]]:  # fmt: skip
        """All results in order. What the worker lacks is sent, and sent again if it forgets."""
        self.upload(on_progress)
        done = failures = 0
        while done < len(requests):
            left, frame = self._with_news(requests[done:])
            try:
                for result in self.client.exchange(left, frame, on_stage):
                    if self._labels is not None and isinstance(left[0], LabelsRequest):
                        self._labels.are_there(left[0].labels)
                    done += 1
                    yield result
            except SemcolorError as error:
                failures += 1
                if error.code not in _FORGOTTEN or failures == tries:
                    raise
                self._uploads.forget()
                if self._labels is not None:
                    self._labels.are_lost()
                self.upload(on_progress)

    def _with_news(self, requests: Sequence[PhotoRequest]) -> tuple[Sequence[PhotoRequest], bytes]:
        """The same; the first one carries what is new in the labels, and this is its frame."""
        first, news = requests[0], self._labels.news if self._labels else None
        if news is None or not isinstance(first, LabelsRequest):
            return requests, b""
        return [replace(first, edit=news[0]), *requests[1:]], news[1]


def _pixels(frame: bytes, dtype: "np.dtype[Any]", width: int) -> Rgb:
    return np.frombuffer(frame, dtype).reshape(-1, width, 3)


def _mismatch(what: str, shape: tuple[int, ...], photo: tuple[int, ...]) -> SemcolorError:
    return SemcolorError(
        Code.SIZE_MISMATCH, what=what, width=shape[1], height=shape[0],
        photo_width=photo[1], photo_height=photo[0],
    )  # fmt: skip


def _parts(region: Rectangle, pixels: int) -> list[Rectangle]:
    """The rectangle in pieces of full rows, each of at most so many pixels or one row."""
    step = max(1, pixels // region.width)
    bottom = region.y + region.height
    return [
        Rectangle(region.x, y, region.width, min(step, bottom - y))
        for y in range(region.y, bottom, step)
    ]
