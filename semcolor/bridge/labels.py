"""Answers about labels."""

import io
from collections.abc import Callable

import numpy as np

from semcolor.client.worker_client import OnProgress
from semcolor.photos.label_colors import EXACT, to_rgba
from semcolor.photos.label_files import decode_label_map, encode_label_map
from semcolor.shared.bridge_schema import PAYLOAD_LIMIT
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import NOWHERE, Rectangle

from .frames import Answers, Header
from .incoming import Incoming, IncomingEdit, IncomingLabels
from .open_photo import OpenPhoto

_HALF = 128  # of 255: from there on, a pixel counts as selected


class LabelAnswers:
    """See :mod:`semcolor.bridge`."""

    def __init__(self, photo: OpenPhoto, on_progress: OnProgress) -> None:
        self._photo, self._on_progress = photo, on_progress
        self.answers: Answers = {
            "segment": self._segment,
            "label_rows": self._label_rows,
            "snap_labels": self._snap_labels,
            "refine_labels": self._refine_labels,
            "clean_labels": self._clean_labels,
            "encode_labels": self._encode_labels,
            "decode_labels": self._decode_labels,
        }

    def begin(self, palette: bytes, width: int, height: int) -> Incoming:
        """Labels that are to come, in these colours."""
        if len(palette) != 4 * NUM_LABELS:
            raise malformed("the labels came without the palette's colours")
        self._photo.colors = np.frombuffer(palette, np.uint8).reshape(NUM_LABELS, 4)[:, :3]
        return IncomingLabels(width, height, self._photo)

    def begin_edit(self, _: bytes, by_hand: bool, **place: int) -> Incoming:
        """A rectangle of the labels that is to come."""
        return IncomingEdit(self._photo.inside(**place), self._photo, by_hand)

    def _segment(self, _: bytes, detail: int) -> tuple[Header, bytes]:
        session = self._photo.session
        labelled = session.segment(session.whole, detail, self._on_progress)
        self._photo.set_labels(labelled.map)
        return {"lowered": labelled.detail}, b""

    def _label_rows(
        self, _: bytes, first_row: int, rows: int, x: int = 0, width: int | None = None
    ) -> tuple[Header, memoryview]:
        region = self._photo.inside(x, first_row, width, rows)
        labels = self._photo.labels
        return {}, to_rgba(labels[region.rows, region.columns]).data.cast("B")

    def _snap_labels(
        self, _: bytes, class_id: int, selected: bool, locked: list[int], **place: int
    ) -> tuple[Header, bytes]:
        region, session = self._photo.inside(**place), self._photo.session
        return self._change(
            lambda: session.snap(region, class_id, self._on_progress), selected, locked
        )

    def _refine_labels(
        self, _: bytes, class_id: int, selected: bool, locked: list[int], everywhere: bool
    ) -> tuple[Header, bytes]:
        session, painted = self._photo.session, self._photo.painted
        if not painted.last:
            return {**NOWHERE._asdict(), "pixels": 0}, b""
        return self._change(
            lambda: session.refine(
                painted.last, class_id, self._on_progress, painted.mask, everywhere
            ),
            selected,
            locked,
        )

    def _change(
        self, change: Callable[[], Rectangle], selected: bool, locked: list[int]
    ) -> tuple[Header, bytes]:
        """Change labels, only inside the selection if so wished; tell where, and how many.

        What is of a locked class stays that.
        """
        labels, before = self._photo.labels, self._photo.labels.copy()
        changed = change()
        old, new = (ids[changed.rows, changed.columns] for ids in (before, labels))
        stays = np.isin(old, locked)
        if selected:
            stays |= self._photo.mask[changed.rows, changed.columns] < _HALF
        if stays.any():
            new = np.where(stays, old, new)
            self._photo.session.edit_labels(changed, new)
        self._photo.certainty.write(changed, EXACT)  # the plug-in takes these pixels over
        return {**changed._asdict(), "pixels": int((new != old).sum())}, b""

    def _clean_labels(self, _: bytes) -> tuple[Header, bytes]:
        region, pixels = self._photo.certainty.clear()
        return {**region._asdict(), "pixels": pixels}, b""

    def _encode_labels(self, _: bytes) -> tuple[Header, bytes]:
        file = encode_label_map(self._photo.labels)
        if len(file) > PAYLOAD_LIMIT:
            raise SemcolorError(Code.LABEL_FILE_TOO_LARGE, limit=PAYLOAD_LIMIT >> 20)
        return {}, file

    def _decode_labels(self, payload: bytes, name: str) -> tuple[Header, bytes]:
        session = self._photo.session
        size = (session.width, session.height)
        labels, ambiguous = decode_label_map(io.BytesIO(payload), name, size)
        self._photo.set_labels(labels)  # the plug-in takes them over, so they are certain now
        return {"ambiguous": int(ambiguous.sum())}, b""
