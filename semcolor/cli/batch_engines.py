"""Who does the photos of a batch: this machine's threads, or a Ray cluster."""

import contextlib
import logging
import sys
import threading
from dataclasses import replace
from typing import Any, Protocol

from semcolor.client import local_worker
from semcolor.client.worker_client import WorkerClient
from semcolor.shared.errors import Code, SemcolorError

from .manifest import Line
from .photo_task import Task

_TRIES = 5  # of one photo, whose processes end


class BatchEngine(Protocol):
    """Does tasks, several at a time, each in a thread of its caller's.

    ``lost``: those whose processes ended in the middle, maybe of writing.
    """

    lost: list[Task]

    def do(self, task: Task) -> Line:
        """Raises SemcolorError: what no photo can be done with."""

    def close(self) -> None:
        """When no task is being done any more."""


class LocalEngine:
    """The worker that this machine uses: a connection for each thread."""

    def __init__(self) -> None:
        self.lost: list[Task] = []
        self._own = threading.local()
        self._clients: list[WorkerClient] = []

    def do(self, task: Task) -> Line:
        """See :class:`BatchEngine`."""
        if not hasattr(self._own, "client"):
            self._own.client = local_worker.connect()
            self._clients.append(self._own.client)
        return task.do(self._own.client)

    def close(self) -> None:
        """End the connections."""
        for client in self._clients:
            client.close()


class RayEngine:
    """A Ray cluster: an actor for each thread, which uses the worker of its own node.

    The cluster is the one that the environment names (RAY_ADDRESS), else this machine. Photos and
    results are on a disk that all nodes have at the same place. What an actor did that is lost
    with its node is done again by another. Raises SemcolorError: CLUSTER_NOT_INSTALLED.
    """

    def __init__(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise SemcolorError(Code.CLUSTER_NOT_INSTALLED) from error
        self.lost: list[Task] = []
        self._ray: Any = ray
        self._own = threading.local()
        ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        self._stdout = contextlib.redirect_stdout(sys.stderr)  # for what Ray has to say
        self._stdout.__enter__()

    def do(self, task: Task) -> Line:
        """See :class:`BatchEngine`."""
        task = _absolute(task)
        for _ in range(_TRIES):
            if not hasattr(self._own, "actor"):
                # All at once would be on one node, though its worker is one.
                self._own.actor = (
                    self._ray.remote(LocalEngine).options(scheduling_strategy="SPREAD").remote()
                )
            try:
                line: Line = self._ray.get(self._own.actor.do.remote(task))
            except self._ray.exceptions.RayActorError:
                del self._own.actor
                self.lost.append(task)
                task = task._replace(force=True)  # its result may be there already
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            else:
                return line
        return task.failed(SemcolorError(Code.NODES_LOST, times=_TRIES))

    def close(self) -> None:
        """Leave the cluster, or end it where this command has made it."""
        self._ray.shutdown()
        self._stdout.__exit__(None, None, None)


def _absolute(task: Task) -> Task:
    """The same for a process that works in another folder."""
    settings, target = task.settings, task.target
    notes = settings.notes_file and settings.notes_file.resolve()
    settings = replace(settings, folder=settings.folder.resolve(), notes_file=notes)
    photo, output = target.photo.resolve(), target.output.absolute()
    output = settings.folder / output.relative_to(task.settings.folder.absolute())
    return task._replace(settings=settings, target=target._replace(photo=photo, output=output))
