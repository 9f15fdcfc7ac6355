"""Answers about colour."""

import numpy as np

from semcolor.client.session import Colored
from semcolor.client.worker_client import OnProgress
from semcolor.photos.pixels import Rgb
from semcolor.shared.color_notes import parse_notes
from semcolor.shared.errors import malformed
from semcolor.shared.geometry import Rectangle

from .frames import Answers, Header
from .incoming import IncomingEdit
from .open_photo import OpenPhoto


class ColorAnswers:
    """See :mod:`semcolor.bridge`."""

    def __init__(self, photo: OpenPhoto, on_progress: OnProgress) -> None:
        self._photo, self._on_progress = photo, on_progress
        self._detail, self._depth = 0, 8  # of the last colour
        self.answers: Answers = {
            "color_notes": self._color_notes,
            "colorize": self._colorize,
            "stroke": self._stroke,
            "recolor": self._recolor,
            "color_rows": self._color_rows,
        }

    def _color_notes(self, payload: bytes) -> tuple[Header, bytes]:
        text = payload.decode("utf-8", "replace")
        self._photo.session.set_notes(parse_notes(text, "the colour notes"))
        return {}, b""

    def _colorize(self, _: bytes, detail: int, depth: int) -> tuple[Header, bytes]:
        session = self._photo.session
        self._detail, self._depth = detail, depth
        first_row = Rectangle(0, 0, session.width, 1)
        session.colorize(first_row, detail, self._on_progress)  # the network runs now
        return {}, b""

    def _stroke(
        self, payload: bytes, detail: int, depth: int, by_hand: bool, **place: int
    ) -> tuple[Header, memoryview]:
        edit = IncomingEdit(self._photo.inside(**place), self._photo, by_hand)
        if payload:
            edit.add(payload)
            if not edit.is_complete:
                raise malformed("rows of the stroke are missing")
        return self._recolor(b"", detail, depth)

    def _recolor(self, _: bytes, detail: int, depth: int) -> tuple[Header, memoryview]:
        self._detail, self._depth = detail, depth
        colored = self._photo.session.recolor(detail, self._on_progress)
        counts = {"rows": len(colored.rgb), "ambiguous": self._ambiguous()}
        answer = {**colored.region._asdict(), **counts, "lowered": colored.detail}
        return answer, self._pixels(colored)

    def _color_rows(
        self, _: bytes, first_row: int, rows: int, x: int = 0, width: int | None = None
    ) -> tuple[Header, memoryview]:
        region = self._photo.inside(x, first_row, width, rows)
        colored = self._photo.session.colorize(region, self._detail, lambda *_: None)
        return {"lowered": colored.detail}, self._pixels(colored)

    def _ambiguous(self) -> int:
        return self._photo.certainty.ambiguous if self._photo.session.labels is not None else 0

    def _pixels(self, colored: Colored) -> memoryview:
        if not colored.rgb.size:
            return memoryview(b"")
        return np.ascontiguousarray(_at_depth(colored.rgb, self._depth)).data.cast("B")


def _at_depth(rgb: Rgb, depth: int) -> Rgb:
    if rgb.dtype.itemsize * 8 == depth:
        return rgb
    if depth == 16:
        return rgb.astype(np.uint16) * np.uint16(257)
    return ((rgb.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
