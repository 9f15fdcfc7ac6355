"""Answers about a selected part of the photo."""

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
        }

    def begin(self, _: bytes, **place: int) -> Incoming:
        """A selection that is to come."""
        area, shape = self._photo.inside(**place), self._photo.session.gray.shape
        return IncomingMask(area, shape, self._photo.select)

    def _suggest(
        self, _: bytes, detail: int, x: int | None = None, y: int = 0
    ) -> tuple[Header, bytes]:
        part = self._photo.mask if x is None else (x, y)
        colors = self._photo.session.suggest(part, detail, self._on_progress)
        return {"colors": [asdict(color) for color in colors]}, b""
