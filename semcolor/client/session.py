"""One open photo of one client."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import numpy as np

from semcolor.client.worker_client import _TRIES
from semcolor.photos.pixels import Gray, LabelMap, Mask, Rgb
from semcolor.protocol.planes import (
    PlaneHash,
    pack_labels,
    plane_digest,
    unpack_labels,
    whole_blocks,
)
from semcolor.protocol.schema import (
    FRAME_LIMIT,
    TINTS_LIMIT,
    Changes,
    ChangesResult,
    Colorize,
    EditLabels,
    PhotoRequest,
    PutLabels,
    PutPhoto,
    PutResult,
    RegionResult,
    Request,
    Result,
    Segment,
    Snap,
    SnapResult,
    Suggest,
    Suggestion,
    SuggestResult,
    Tint,
)
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle

from .worker_client import Frame, OnProgress, WorkerClient

_RESULT_BYTES = FRAME_LIMIT // 2  # of 16-bit colour
_UPLOAD_BYTES = FRAME_LIMIT // 4  # small enough for progress over a slow network
_FORGOTTEN = (Code.UNKNOWN_PHOTO, Code.UNKNOWN_LABELS)


class Session:
    """One open photo of one client: uploads what the worker lacks, then pulls results.

    ``gray``: H×W uint8 or uint16, sRGB curve. The arrays are kept, so that a worker which was
    restarted, or forgot them, gets them again.
    """

    def __init__(self, client: WorkerClient, gray: Gray) -> None:
        self.client = client
        self.gray = np.ascontiguousarray(gray)
        self.height, self.width = gray.shape
        self.depth = gray.dtype.itemsize * 8
        self.photo = plane_digest(self.width, self.height, self.depth, self.gray.data.cast("B"))
        self._labels: LabelMap | None = None
        self._labels_hash = PlaneHash(self.width, self.height, 8)
        self._labels_digest = ""
        self._base = ""  # the label map that the worker has, as far as we know, and …
        self._edited: Rectangle | None = None  # … where ours may differ from it
        self._photo_is_there = False
        self._masks: dict[str, Mask] = {}
        self._masks_there: set[str] = set()
        self.tints: tuple[Tint, ...] = ()  # see :meth:`tint`
        self.lowered = 0  # the last result's detail, if the worker had no memory for more
        # Labels, tints and detail of the last colour:
        self._painted: tuple[str, tuple[Tint, ...], int] | None = None

    def set_labels(self, label_map: LabelMap | None) -> None:
        """The label map to colour by, H×W class ids, which is copied; None: nothing is labelled.

        Raises SemcolorError (SIZE_MISMATCH) when it is not the photo's size.
        """
        self._base, self._edited = "", None
        if label_map is None:
            self._labels, self._labels_digest = None, ""
            return
        if label_map.shape != self.gray.shape:
            height, width = label_map.shape
            raise SemcolorError(
                Code.SIZE_MISMATCH,
                f"the label map has {width} × {height} pixels, the photo {self.width} × "
                f"{self.height}: they must be the same",
            )
        self._labels = np.array(label_map, np.uint8, order="C")
        self._labels_hash = PlaneHash(self.width, self.height, 8).add(self._labels.data.cast("B"))
        self._labels_digest = self._labels_hash.hexdigest()

    def edit_labels(self, region: Rectangle, ids: LabelMap) -> None:
        """Change a rectangle of the label map: height×width class ids.

        Only the rectangle travels to the worker. Raises SemcolorError: SIZE_MISMATCH for ids of
        another size or a rectangle outside; MALFORMED when there is no label map.
        """
        if self._labels is None:
            raise SemcolorError(Code.MALFORMED, "there are no labels to edit yet")
        part = self._labels[region.rows, region.columns]
        if part.shape != ids.shape or part.shape != (region.height, region.width):
            raise SemcolorError(Code.SIZE_MISMATCH, "the edit does not fit into the label map")
        part[:] = ids
        touched = whole_blocks(region.rows, self.height)
        pixels = self._labels[touched].data.cast("B")
        self._labels_hash = self._labels_hash.edited(touched.start, pixels)
        self._labels_digest = self._labels_hash.hexdigest()
        self._edited = region.join(self._edited)

    @property
    def labels(self) -> LabelMap | None:
        """The current label map, H×W class ids; not to be written to."""
        return self._labels

    def upload(self, on_progress: OnProgress) -> None:
        """Bring photo and label map to the worker, as far as it lacks them."""
        if not self._photo_is_there:
            self._put_photo(on_progress)
            self._photo_is_there = True
        if self._base != self._labels_digest:
            if self._labels is not None and not self._put_edit():
                text = "sending the labels"
                self._put_plane(self._labels_digest, self._labels, text, on_progress)
            self._base = self._labels_digest
        self._edited = None
        for digest in self._masks.keys() - self._masks_there:
            self._put_plane(digest, self._masks[digest], "sending the selection", on_progress)
            self._masks_there.add(digest)

    def segment(self, region: Rectangle, detail: int, on_progress: OnProgress) -> LabelMap:
        """Predicted label map of a rectangle, height×width class ids."""
        label_map = np.empty((region.height, region.width), np.uint8)
        parts = _parts(region, Segment.bytes_per_pixel)
        requests = [Segment(self.photo, part, detail) for part in parts]
        for part, rows, frame in self._pull(requests, region, on_progress):
            labels = unpack_labels(frame, part.pixels)
            label_map[rows] = np.frombuffer(labels, np.uint8).reshape(part.height, part.width)
        return label_map

    def colorize(self, region: Rectangle, detail: int, on_progress: OnProgress) -> Rgb:
        """Colour of a rectangle, height×width×3 sRGB of the photo's depth."""
        rgb = np.empty((region.height, region.width, 3), self.gray.dtype)
        parts = _parts(region, Colorize.bytes_per_pixel)
        labels, tints = self._labels_digest, self.tints
        requests = [Colorize(self.photo, labels, part, detail, tints) for part in parts]
        self._painted = labels, tints, detail
        for part, rows, frame in self._pull(requests, region, on_progress):
            rgb[rows] = np.frombuffer(frame, rgb.dtype).reshape(part.height, part.width, 3)
        return rgb

    def recolor(self, detail: int, on_progress: OnProgress) -> Rectangle:
        """Where the colour is visibly another since the last :meth:`colorize` or recolor.

        Outside, no channel differs by more than one level in 8 bits; nowhere: an empty rectangle.
        """
        before, after = self._painted, (self._labels_digest, self.tints, detail)
        region = self.whole
        if before is not None and before[2] == detail:
            request = Changes(self.photo, after[0], before[0], detail, self.tints, before[1])
            try:
                region = cast(ChangesResult, self._ask(request, on_progress)[0]).region
            except SemcolorError as error:
                if error.code != Code.UNKNOWN_LABELS:  # it forgot what was there before
                    raise
        self._painted = after
        return region

    def suggest(self, mask: Mask, detail: int, on_progress: OnProgress) -> tuple[Suggestion, ...]:
        """At most six plausible colours, most likely first, for a part of the photo.

        ``mask``: H×W uint8, how much of each pixel is meant. Raises SemcolorError: NO_SUGGESTIONS
        where the model can't tell; SIZE_MISMATCH for an empty mask or one of another size.
        """
        request = Suggest(self.photo, self._labels_digest, self._keep_mask(mask), detail)
        result, _ = self._ask(request, on_progress)
        self._forget_masks()
        return cast(SuggestResult, result).colors

    def tint(self, mask: Mask, a: float, b: float) -> None:
        """Give a part of the photo a colour of its own, from the next colorize or recolor on.

        Its mean chroma becomes a*, b*; it keeps its own variation. Raises SemcolorError
        (TOO_LARGE) when there are too many; assign to ``tints`` to take some back.
        """
        if len(self.tints) == TINTS_LIMIT:
            raise SemcolorError(
                Code.TOO_LARGE, f"at most {TINTS_LIMIT} parts of a photo have colours of their own"
            )
        self.tints = (*self.tints, Tint(self._keep_mask(mask), a, b))

    def _keep_mask(self, mask: Mask) -> str:
        if mask.shape != self.gray.shape:
            raise SemcolorError(Code.SIZE_MISMATCH, "the selection and the photo differ in size")
        mask = np.array(mask, np.uint8, order="C")
        digest = plane_digest(self.width, self.height, 8, mask.data.cast("B"))
        self._masks[digest] = mask
        return digest

    def _forget_masks(self) -> None:
        """Keep the masks that colour now, or did last, and no others."""
        painted = self._painted[1] if self._painted else ()
        used = {tint.mask for tint in (*self.tints, *painted)}
        self._masks = {digest: mask for digest, mask in self._masks.items() if digest in used}

    def snap(self, region: Rectangle, class_id: int, on_progress: OnProgress) -> Rectangle:
        """Fit what is labelled ``class_id`` in a rectangle to the photo's edges.

        Changes the session's label map; returns where, perhaps nowhere. Raises SemcolorError
        (MALFORMED) when there is no label map.
        """
        if self._labels is None:
            raise SemcolorError(Code.MALFORMED, "there are no labels to snap yet")
        request = Snap(self.photo, self._labels_digest, region, class_id)
        result, frame = self._ask(request, on_progress)
        changed = cast(SnapResult, result).region
        if changed.pixels:
            ids = np.frombuffer(unpack_labels(frame, changed.pixels), np.uint8)
            self.edit_labels(changed, ids.reshape(changed.height, changed.width))
        return changed

    @property
    def whole(self) -> Rectangle:
        """The whole photo."""
        return Rectangle(0, 0, self.width, self.height)

    def _ask(self, request: PhotoRequest, on_progress: OnProgress) -> tuple[Result, bytes]:
        """One result; uploads what the worker lacks."""
        self.upload(on_progress)
        tell = partial(_tell, on_progress, 0.0)
        try:
            return self.client.request(request, on_text=tell)
        except SemcolorError as error:
            if error.code not in _FORGOTTEN:
                raise
            self._forget_uploads()
            self.upload(on_progress)
            return self.client.request(request, on_text=tell)

    def _pull(
        self, requests: Sequence[Segment | Colorize], region: Rectangle, on_progress: OnProgress
    ) -> Iterator[tuple[Rectangle, slice, bytes]]:
        """Each part, its rows within the region and its frame; uploads what the worker lacks."""
        self.upload(on_progress)
        done, uploads, self.lowered = 0, 0, 0
        while done < len(requests):
            share = (requests[done].region.y - region.y) / region.height
            tell = partial(_tell, on_progress, share)
            try:
                for result, frame in self.client.exchange(requests[done:], on_text=tell):
                    self.lowered = cast(RegionResult, result).detail or self.lowered
                    part = requests[done].region
                    rows = slice(part.y - region.y, part.y - region.y + part.height)
                    yield part, rows, frame
                    done += 1
                    on_progress(requests[0].stage, rows.stop / region.height)
            except SemcolorError as error:
                if error.code not in _FORGOTTEN:
                    raise
                uploads += 1
                if uploads == _TRIES:
                    raise SemcolorError(
                        Code.TOO_LARGE,
                        "the worker cannot keep this photo: it has too little memory for it",
                    ) from error
                self._forget_uploads()
                self.upload(on_progress)

    def _forget_uploads(self) -> None:
        self._photo_is_there, self._base = False, ""
        self._masks_there.clear()

    def _put_photo(self, on_progress: OnProgress) -> None:
        row = self._next_row(PutPhoto(self.photo, self.width, self.height, self.depth))
        step = _rows(self.width * self.depth // 8, _UPLOAD_BYTES)
        while row < self.height:
            on_progress("sending the photo", row / self.height)
            rows = min(step, self.height - row)
            strip = self.gray[row : row + rows].data.cast("B")
            put = PutPhoto(self.photo, self.width, self.height, self.depth, row, rows)
            row = self._next_row(put, strip)

    def _put_edit(self) -> bool:
        """Send what is new in the label map, if the worker has the rest."""
        region = self._edited
        if not self._base or region is None or region.pixels > FRAME_LIMIT:
            return False
        assert self._labels is not None
        edit = EditLabels(self._labels_digest, self._base, region)
        ids = np.ascontiguousarray(self._labels[region.rows, region.columns])
        try:
            self._next_row(edit, pack_labels(ids.data.cast("B")))
        except SemcolorError as error:
            if error.code != Code.UNKNOWN_LABELS:
                raise
            return False
        return True

    def _put_plane(
        self, digest: str, plane: LabelMap | Mask, text: str, on_progress: OnProgress
    ) -> None:
        row = 0
        step = _rows(self.width, FRAME_LIMIT // 2)
        while row < self.height:
            on_progress(text, row / self.height)
            rows = min(step, self.height - row)
            strip = pack_labels(plane[row : row + rows].data.cast("B"))
            row = self._next_row(PutLabels(digest, self.width, self.height, row, rows), strip)

    def _next_row(self, put: Request, frame: Frame = b"") -> int:
        result, _ = self.client.request(put, frame)
        return cast(PutResult, result).next_row


def _parts(region: Rectangle, bytes_per_pixel: int) -> list[Rectangle]:
    """The rectangle in pieces of full rows."""
    step = _rows(region.width * bytes_per_pixel, _RESULT_BYTES)
    bottom = region.y + region.height
    return [
        Rectangle(region.x, y, region.width, min(step, bottom - y))
        for y in range(region.y, bottom, step)
    ]


def _rows(bytes_per_row: int, limit: int) -> int:
    return max(1, limit // bytes_per_row)


def _tell(on_progress: OnProgress, share: float, text: str) -> None:
    on_progress(text, share)
