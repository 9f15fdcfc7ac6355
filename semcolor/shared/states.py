"""What a worker is doing, and how far a job is: one name each, from the engine to the panel."""

from enum import StrEnum


class WorkerState(StrEnum):
    """Life of an engine, and of a worker, which is that of its engine that is furthest."""

    STOPPED = "stopped"
    STARTING = "starting"  # the process was spawned
    LOADING = "loading"  # it reads its models
    READY = "ready"
    BUSY = "busy"
    LOST = "lost"  # it ended by itself; the next job starts a new one

    @property
    def progress(self) -> int:
        """How far it is: the higher, the sooner it can work."""
        return _PROGRESS.index(self)


_PROGRESS = (
    WorkerState.STOPPED,
    WorkerState.LOST,
    WorkerState.STARTING,
    WorkerState.LOADING,
    WorkerState.READY,
    WorkerState.BUSY,
)


class Stage(StrEnum):
    """What is being done for somebody who waits."""

    LOOKING_FOR_WORKER = "looking_for_worker"
    WORKER_STARTING = "worker_starting"
    WAITING = "waiting"
    SENDING_PHOTO = "sending_photo"
    SENDING_LABELS = "sending_labels"
    SENDING_SELECTION = "sending_selection"
    SEGMENTING = "segmenting"
    COLORIZING = "colorizing"
    FINDING_EDGES = "finding_edges"
    LOOKING_FOR_COLORS = "looking_for_colors"
