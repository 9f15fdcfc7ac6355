"""What each client from elsewhere has done, for `semcolor worker clients`."""

import logging
import time

from semcolor_worker import clients
from semcolor_worker.clients import Usage

log = logging.getLogger("semcolor.worker")

_SAVE_SECONDS = 5.0


class UsageLog:
    """Counts, and saves now and then: neither photos nor what is done with them is noted."""

    def __init__(self) -> None:
        self._usage = clients.usage()
        self._saved_at, self._is_saved = float("-inf"), True

    def note(self, public: str, received: int) -> None:
        """A request of this client, of so many bytes."""
        before = self._usage.get(public, Usage())
        self._usage[public] = Usage(time.time(), before.requests + 1, before.received + received)
        self._is_saved = False

    def save_if_due(self, known: set[str]) -> None:
        """Save what is known of clients that have still a key."""
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self.save(known)

    def save(self, known: set[str]) -> None:
        """Save it now. Nothing depends on it, so a full disk is only logged."""
        if self._is_saved:
            return
        self._usage = {key: usage for key, usage in self._usage.items() if key in known}
        self._saved_at, self._is_saved = time.monotonic(), True
        try:
            clients.save_usage(self._usage)
        except OSError as error:
            log.warning("what clients did can't be saved: %s", error)
