"""Answers about a selected part of the photo, and colours of its own."""

from dataclasses import asdict

from semcolor.client.worker_client import OnProgress

from .frames import Answers, Header
from .incoming import Incoming, IncomingMask
from .open_photo import OpenPhoto


class SelectionAnswers:
    """See :mod:`semcolor.bridge`."""

    def __init__(self, photo: OpenPhoto, on_progress: OnProgress) -> None:
        self._photo, self._on_progress = photo, on_progress
        self.answers: Answers = {
            "suggest": self._suggest,
            "tint": self._tint,
            "clear_tints": self._clear_tints,
        }

    def begin(self, _: bytes, **place: int) -> Incoming:
        """A selection that is to come."""
        area, shape = self._photo.inside(**place), self._photo.session.gray.shape
        return IncomingMask(area, shape, self._photo.select)

    def _suggest(self, _: bytes, detail: int) -> tuple[Header, bytes]:
        colors = self._photo.session.suggest(self._photo.mask, detail, self._on_progress)
        return {"colors": [asdict(color) for color in colors]}, b""

    def _tint(self, _: bytes, a: float, b: float) -> tuple[Header, bytes]:
        self._photo.session.tint(self._photo.mask, float(a), float(b))
        return {}, b""

    def _clear_tints(self, _: bytes) -> tuple[Header, bytes]:
        self._photo.session.tints = ()
        return {}, b""
