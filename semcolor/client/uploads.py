"""What a worker has of a photo, and bringing it the rest."""

from typing import cast

import numpy as np

from semcolor.photos.pixels import Gray, LabelMap, Mask
from semcolor.protocol.checks import FRAME_LIMIT
from semcolor.protocol.planes import pack_labels, plane_digest
from semcolor.protocol.results import PutResult
from semcolor.protocol.schema import PutLabels, PutPhoto, Request
from semcolor.shared.states import Stage

from .worker_client import Frame, OnProgress, WorkerClient

_PHOTO_BYTES = FRAME_LIMIT // 4  # of a strip: small enough for progress over a slow network
_LABEL_BYTES = FRAME_LIMIT // 2  # before they are compressed


class Uploads:
    """A photo and its masks, which are kept, and whether the worker has them, as far as we know.

    ``gray``: H×W uint8 or uint16, contiguous.
    """

    def __init__(self, client: WorkerClient, gray: Gray) -> None:
        self._client, self._gray = client, gray
        self._height, self._width = gray.shape
        self._depth = gray.dtype.itemsize * 8
        self.photo = plane_digest(self._width, self._height, self._depth, gray.data.cast("B"))
        self._photo_is_there = False
        self._mask: tuple[str, Mask] | None = None
        self._mask_is_there = False

    def forget(self) -> None:
        """The worker has lost what it had."""
        self._photo_is_there = False
        self._mask_is_there = False

    def keep_mask(self, mask: Mask) -> str:
        """The digest of a mask; the one before goes."""
        mask = np.array(mask, np.uint8, order="C")
        digest = plane_digest(self._width, self._height, 8, mask.data.cast("B"))
        self._mask_is_there &= self._mask is not None and self._mask[0] == digest
        self._mask = digest, mask
        return digest

    def put_photo(self, on_progress: OnProgress) -> None:
        """Send what is missing of the photo, strip by strip."""
        if self._photo_is_there:
            return
        row = self._next_row(PutPhoto(self.photo, self._width, self._height, self._depth))
        step = max(1, _PHOTO_BYTES // (self._width * self._depth // 8))
        while row < self._height:
            on_progress(Stage.SENDING_PHOTO, row / self._height)
            rows = min(step, self._height - row)
            strip = self._gray[row : row + rows].data.cast("B")
            put = PutPhoto(self.photo, self._width, self._height, self._depth, row, rows)
            row = self._next_row(put, strip)
        self._photo_is_there = True

    def put_mask(self, on_progress: OnProgress) -> None:
        """Send the mask if the worker lacks it."""
        if self._mask and not self._mask_is_there:
            self.put(*self._mask, Stage.SENDING_SELECTION, on_progress)
            self._mask_is_there = True

    def put(
        self, digest: str, plane: LabelMap | Mask, stage: Stage, on_progress: OnProgress
    ) -> None:
        """Send a label map or a mask, H×W uint8."""
        row = 0
        step = max(1, _LABEL_BYTES // self._width)
        while row < self._height:
            on_progress(stage, row / self._height)
            rows = min(step, self._height - row)
            strip = pack_labels(plane[row : row + rows].data.cast("B"))
            row = self._next_row(PutLabels(digest, self._width, self._height, row, rows), strip)

    def _next_row(self, put: Request, frame: Frame = b"") -> int:
        result, _ = self._client.request(put, frame)
        return cast(PutResult, result).next_row
