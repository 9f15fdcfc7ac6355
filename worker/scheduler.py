"""What runs next: first come first served within a session, turn by turn between sessions.

Pure: no sockets, no clock.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

J = TypeVar("J")


class Scheduler(Generic[J]):
    """Waiting jobs of all sessions. A job is known by its session and its id."""

    def __init__(self) -> None:
        self._queues: OrderedDict[Hashable, deque[tuple[str, J]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[J]:
        """All waiting jobs, without taking them."""
        return (job for queue in self._queues.values() for _, job in queue)

    def add(self, session: Hashable, job_id: str, job: J) -> None:
        """Put a job behind the others of its session."""
        self._queues.setdefault(session, deque()).append((job_id, job))

    def add_first(self, session: Hashable, job_id: str, job: J) -> None:
        """Put a job that was taken already back to the very front, to be repeated."""
        self._queues.setdefault(session, deque()).appendleft((job_id, job))
        self._queues.move_to_end(session, last=False)

    def take(self) -> J | None:
        """The next job, removed; its session goes behind all others. None when nothing waits."""
        if not self._queues:
            return None
        session, queue = next(iter(self._queues.items()))
        _, job = queue.popleft()
        if queue:
            self._queues.move_to_end(session)
        else:
            del self._queues[session]
        return job

    def cancel(self, session: Hashable, job_id: str) -> J | None:
        """Remove a waiting job and return it; None when it does not wait."""
        for entry in self._queues.get(session, ()):
            if entry[0] == job_id:
                self._queues[session].remove(entry)
                if not self._queues[session]:
                    del self._queues[session]
                return entry[1]
        return None
