"""What killed two engines is refused for a while."""

import time
from typing import NamedTuple

from semcolor.protocol.schema import PhotoRequest

_FIRST_SECONDS = 10.0  # it may have been bad luck; doubled each time that it was not, …
_LONGEST_SECONDS = 160.0
_REMEMBERED_SECONDS = 600.0  # … if that was not long ago


class _Sentence(NamedTuple):
    """``end``: monotonic seconds."""

    end: float
    seconds: float


class Quarantine:
    """Work that no engine gets, whatever the labels are: a photo, what is done with it, detail."""

    def __init__(self) -> None:
        self._sentences: dict[tuple[str, str, int], _Sentence] = {}

    def add(self, request: PhotoRequest) -> None:
        """Keep this work from the engines."""
        last = self._sentences.get(_work(request))
        seconds = min(2 * last.seconds, _LONGEST_SECONDS) if last else _FIRST_SECONDS
        self._sentences[_work(request)] = _Sentence(time.monotonic() + seconds, seconds)

    def __contains__(self, request: PhotoRequest) -> bool:
        now = time.monotonic()
        self._sentences = {
            work: sentence
            for work, sentence in self._sentences.items()
            if sentence.end + _REMEMBERED_SECONDS > now
        }
        sentence = self._sentences.get(_work(request))
        return sentence is not None and sentence.end > now


def _work(request: PhotoRequest) -> tuple[str, str, int]:
    return request.photo, request.stage, getattr(request, "detail", 0)
