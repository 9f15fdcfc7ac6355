"""What runs next on an engine: turn by turn between sessions, the newest edit within one.

Pure: no sockets, no clock.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from semcolor.protocol.schema import Colorize, PhotoRequest, Recolor, Segment

MOST_OVERTAKING = 16
"""How many edits may overtake a segmentation that waits."""


@dataclass(eq=False)
class Job:
    """A request for an engine, and whom to answer.

    ``header``: the request as the client wrote it. ``owner``: whose planes it is about.
    ``low_memory``: an engine had not enough for it. ``since``: when it came, monotonic seconds.
    """

    session: bytes
    id: str
    request: PhotoRequest
    header: bytes = b""
    owner: str = ""
    attempts: int = 0
    deliveries: int = 0
    low_memory: bool = False
    cancelled: bool = False
    since: float = 0.0


def supersedes(newer: PhotoRequest, older: PhotoRequest) -> bool:
    """Whether an older request of the same session that still waits need not run any more.

    A `colorize` or `recolor` supersedes older requests of its own kind for the same photo that
    colour it by other labels, tints or detail. Requests by the same ones are pieces of one
    picture, as when a large photo is pulled strip by strip, and are all answered. Nothing else
    supersedes: the pictures of several open photos and the answers to `segment`, `snap` and
    `suggest` stay wanted. What runs already is finished: the session's newest edit is next in its
    turn, and colour appears however fast edits come.
    """
    return (
        isinstance(newer, Colorize | Recolor)
        and type(older) is type(newer)
        and older.photo == newer.photo
        and (older.labels, older.tints, older.detail) != (newer.labels, newer.tints, newer.detail)
    )


@dataclass
class _Queue:
    """Waiting jobs of one session. ``overtaken``: by how many edits since a segmentation ran."""

    edits: deque[Job] = field(default_factory=deque)
    segmentations: deque[Job] = field(default_factory=deque)
    overtaken: int = 0

    def __iter__(self) -> Iterator[Job]:
        return iter((*self.edits, *self.segmentations))

    def like(self, job: Job) -> deque[Job]:
        """Where a job of this kind waits."""
        return self.segmentations if isinstance(job.request, Segment) else self.edits

    def next(self) -> Job | None:
        """The job that deserves a turn before any segmentation that can still wait."""
        if self.segmentations and self.overtaken >= MOST_OVERTAKING:
            return self.segmentations[0]
        return self.edits[0] if self.edits else None


class Scheduler:
    """Waiting jobs of all sessions of one engine.

    Sessions take turns, one job each. What is not a segmentation is an edit and goes first: no
    edit waits for more than one job of each other session, and after ``MOST_OVERTAKING`` edits that
    holds for a segmentation too.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[bytes, _Queue] = OrderedDict()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Job]:
        """All waiting jobs, without taking them."""
        return (job for queue in self._queues.values() for job in queue)

    def add(self, job: Job) -> list[Job]:
        """Put a job behind the others of its session; returns those that it supersedes."""
        queue = self._queues.setdefault(job.session, _Queue())
        superseded = [old for old in queue.edits if supersedes(job.request, old.request)]
        for old in superseded:
            queue.edits.remove(old)
        queue.like(job).append(job)
        return superseded

    def put_back(self, job: Job) -> bool:
        """Put a job that was taken to the very front, to be repeated; False if it is superseded."""
        queue = self._queues.setdefault(job.session, _Queue())
        self._queues.move_to_end(job.session, last=False)
        if any(supersedes(newer.request, job.request) for newer in queue.edits):
            return False
        queue.like(job).appendleft(job)
        if isinstance(job.request, Segment):
            queue.overtaken = MOST_OVERTAKING  # it had its turn before those that wait
        return True

    def take(self) -> Job | None:
        """The next job, removed; its session goes behind all others. None when nothing waits."""
        if not self._queues:
            return None
        turns = (queue.next() for queue in self._queues.values())
        job = next(filter(None, turns), None) or next(iter(self))
        queue = self._queues[job.session]
        self._queues.move_to_end(job.session)
        self._remove(job)
        if queue.like(job) is queue.segmentations:
            queue.overtaken = 0
        else:
            for other in self._queues.values():
                other.overtaken += bool(other.segmentations)
        return job

    def cancel(self, session: bytes, job_id: str) -> Job | None:
        """Remove a waiting job and return it; None when it does not wait."""
        queue = self._queues.get(session, _Queue())
        job = next((job for job in queue if job.id == job_id), None)
        if job is not None:
            self._remove(job)
        return job

    def clear(self, session: bytes | None = None) -> list[Job]:
        """Remove all jobs, or a session's; returns them in order."""
        jobs = [job for job in self if session in (None, job.session)]
        for job in jobs:
            self._remove(job)
        return jobs

    def _remove(self, job: Job) -> None:
        queue = self._queues[job.session]
        queue.like(job).remove(job)
        if not (queue.edits or queue.segmentations):
            del self._queues[job.session]
