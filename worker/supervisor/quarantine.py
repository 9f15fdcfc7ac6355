"""What killed two engines is refused for a while."""

import time

from semcolor.protocol.schema import PhotoRequest

_SECONDS = 120.0


class Quarantine:
    """Work that no engine gets, whatever the labels are: a photo, what is done with it, detail."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str, int], float] = {}  # monotonic seconds

    def add(self, request: PhotoRequest) -> None:
        """Keep this work from the engines."""
        self._ends[_work(request)] = time.monotonic() + _SECONDS

    def __contains__(self, request: PhotoRequest) -> bool:
        now = time.monotonic()
        self._ends = {work: end for work, end in self._ends.items() if end > now}
        return _work(request) in self._ends


def _work(request: PhotoRequest) -> tuple[str, str, int]:
    return request.photo, request.stage, getattr(request, "detail", 0)
