"""What is done without when memory does not suffice, and for how long."""

import logging
import time
from collections.abc import Hashable
from dataclasses import dataclass

from semcolor.protocol.schema import Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.lru import LruCache

from . import memory
from .networks import AtDetail, Networks

_SMALLEST_DETAIL = 128  # pixels: what a lack of memory may lead to


@dataclass
class _Mode:
    """Low-memory mode. ``detail``: 0 where it is the one asked for; ``used``: monotonic seconds."""

    detail: int
    used: float


class MemoryPolicy:
    """Which pictures are computed in low-memory mode, and at which detail.

    In that mode the network runs in strips, and nothing is kept that only edits need. It is of one
    photo at one detail, for one of the networks, and ends a minute after the last request.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._modes: LruCache[_Mode] = LruCache(1024)

    def is_low(self, request: AtDetail) -> bool:
        """Whether it is answered in low-memory mode."""
        return self._modes.get(asked(request)) is not None

    def lowered(self, request: AtDetail) -> int:
        """The detail that memory suffices for, where that is not the one asked for; else 0."""
        mode = self._modes.get(asked(request))
        return mode.detail if mode else 0

    def detail(self, request: AtDetail) -> int:
        """What it is computed at."""
        return self.lowered(request) or self._networks.detail(request)

    def begin_low(self, request: AtDetail) -> None:
        """Answer in low-memory mode, at a quarter of the detail: a process died of this before."""
        if not self.is_low(request):
            self._lower(request, max(self.detail(request) // 4, _SMALLEST_DETAIL))

    def renew(self, request: AtDetail) -> None:
        """A request comes: its mode goes on, or ends if the last one was long ago.

        So the pieces of one picture, which follow each other closely, stay at one detail.
        """
        mode, now = self._modes.get(asked(request)), time.monotonic()
        if mode and now > mode.used + memory.RETRY_SECONDS:
            self._modes.pop(asked(request))
        elif mode:
            mode.used = now

    def retreat(self, request: AtDetail) -> None:
        """Memory ran out: on to strips, then to smaller and smaller details, then to the CPU.

        Raises SemcolorError (NO_MEMORY) when nothing is left to do without.
        """
        detail = self.detail(request)
        if not self.is_low(request) and not isinstance(request, Segment):
            logging.warning("memory ran out: going on in strips, keeping nothing for edits")
            self._lower(request, 0)
        elif detail // 2 >= _SMALLEST_DETAIL:
            logging.warning("memory ran out: detail %d instead of %d", detail // 2, detail)
            self._lower(request, detail // 2)
        elif self._networks.leave_home():
            self._modes.clear()
        else:
            raise SemcolorError(Code.NO_MEMORY)

    def _lower(self, request: AtDetail, detail: int) -> None:
        self._modes.put(asked(request), _Mode(detail, time.monotonic()))


def asked(request: AtDetail) -> Hashable:
    """What a request has in common with those for other pieces of the same picture."""
    return request.photo, request.detail, isinstance(request, Segment)
