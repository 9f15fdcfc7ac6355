"""The bridge's way to the worker."""

import threading
from collections.abc import Callable, Iterator, Sequence

from semcolor.client import discovery, local_worker
from semcolor.client.worker_client import (
    Frame,
    OnProgress,
    OnStage,
    WorkerClient,
    ZmqWorkerClient,
)
from semcolor.doctor import Level, examine, without_private
from semcolor.protocol.results import Failure, Result
from semcolor.protocol.schema import Request
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.states import Stage, WorkerState

from .frames import Answers, Header

Connect = Callable[[threading.Event], WorkerClient]
_STATUS_SECONDS = 0.4  # to connect, and as many to answer
_GONE = (Code.UNREACHABLE, Code.KEY_REFUSED)  # what a worker says that has ended, or its successor


class ClientWhenNeeded(WorkerClient):
    """A client that looks for the worker, or starts it, with its first request: files need none.

    A worker that has ended since is looked for again. ``gone`` is set when nobody waits any more.
    """

    def __init__(self, connect: Connect, gone: threading.Event, on_progress: OnProgress) -> None:
        self._connect, self._gone, self._on_progress = connect, gone, on_progress
        self._client: WorkerClient | None = None

    def exchange(
        self, requests: Sequence[Request], frame: Frame = b"", on_stage: OnStage | None = None
    ) -> Iterator[tuple[Result, bytes]]:
        """See :meth:`WorkerClient.exchange`."""
        answered, known = 0, self._client
        if known is not None:
            try:
                for result in known.exchange(requests, frame, on_stage):
                    yield result
                    answered, frame = answered + 1, b""
                return
            except SemcolorError as error:
                if error.code not in _GONE:
                    raise
                known.close()
                self._client = None
        self._on_progress(Stage.LOOKING_FOR_WORKER, 0.0)
        self._client = self._connect(self._gone)
        yield from self._client.exchange(requests[answered:], frame, on_stage)

    def close(self) -> None:
        """See :meth:`WorkerClient.close`."""
        if self._client is not None:
            self._client.close()


class WorkerAnswers:
    """See :mod:`semcolor.bridge`."""

    def __init__(self) -> None:
        self.answers: Answers = {
            "connect": self._choose, "workers": self._workers, "status": self._status,
            "check": self._check,
        }  # fmt: skip

    def _choose(self, _: bytes, invitation: str) -> tuple[Header, bytes]:
        return local_worker.choose(invitation)._asdict(), b""

    def _workers(self, _: bytes, seconds: int) -> tuple[Header, bytes]:
        """Which workers were used before, and who else is in the network."""
        known = local_worker.known_addresses()
        found = (worker.address.removeprefix("tcp://") for worker in discovery.find(seconds))
        return {"known": known, "found": [one for one in found if one not in known]}, b""

    def _check(self, _: bytes) -> tuple[Header, bytes]:
        """What `semcolor doctor` finds; starts the worker."""
        findings = list(examine())
        problems = sum(finding.level is not Level.OK for finding in findings)
        return {"problems": problems, "report": without_private(findings)}, b""

    def _status(self, _: bytes) -> tuple[Header, bytes]:
        """How the worker is; never starts one, and never waits for long."""
        remote = local_worker.remote_connection()
        connection = remote or local_worker.read_connection()
        answer: Header = {"state": WorkerState.STOPPED, "device": "", "models": []}
        if connection is not None:
            client = ZmqWorkerClient(connection, timeout=_STATUS_SECONDS)
            try:
                status = client.status()
                answer = {"state": status.state, "device": status.device, "models": status.models}
                faults = [engine.fault for engine in status.engines if engine.fault]
                if faults:
                    answer["error"] = failure(faults[0].error)
            except SemcolorError as error:
                if remote or error.code != Code.UNREACHABLE:  # else a killed worker left its file
                    answer |= {"state": WorkerState.LOST, "error": failure(error)}
            finally:
                client.close()
        return answer, b""


def failure(error: SemcolorError) -> Header:
    """An error for the plug-in."""
    failed = Failure.of(error)
    return {"code": failed.code, "parameters": failed.parameters}
