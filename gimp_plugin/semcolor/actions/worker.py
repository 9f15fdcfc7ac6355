"""The worker: how it is, and which one it is."""

from dataclasses import dataclass

from bridge.process import BridgeProcess, Progress
from bridge.status import ask_status
from language import UserError, state_text, tr
from shared.errors import SemcolorError
from shared.states import WorkerState

from .action import Outcome

_FIND_SECONDS = 1


def worker_status(report: Progress) -> Outcome:
    """How the worker is; never starts it. Raises UserError or SemcolorError."""
    with BridgeProcess(report) as bridge:
        status = ask_status(bridge)
    return Outcome({"state": str(status.state), "sentence": status.sentence}, [status.sentence])


def check(report: Progress) -> Outcome:
    """What is wrong, and what to do; starts the worker. Raises UserError or SemcolorError."""
    with BridgeProcess(report) as bridge:
        answer, _ = bridge.request("check")
    return Outcome({"report": answer["report"], "problems": answer["problems"]})


@dataclass(frozen=True)
class Workers:
    """HOST:PORT of those that were used before, and of others in the network."""

    known: list[str]
    found: list[str]


def find_workers() -> Workers:
    """Whom one could connect to; nobody where there is no bridge."""
    try:
        with BridgeProcess(lambda *_: None) as bridge:
            answer, _ = bridge.request("workers", seconds=_FIND_SECONDS)
    except (UserError, SemcolorError):
        return Workers([], [])
    return Workers(answer["known"], answer["found"])


def connect(invitation: str, report: Progress) -> Outcome:
    """Use the worker of an invitation line, or with “local” this machine's.

    Raises:
        SemcolorError: it is no invitation, or that worker can't be reached; nothing was changed.
        UserError: there is no bridge.
    """
    with BridgeProcess(report) as bridge:
        answer, _ = bridge.request("connect", invitation=invitation)
    message = _connected(**answer)
    return Outcome({"message": message}, [message])


def _connected(address: str, state: str, device: str, **_: object) -> str:
    """The address of this machine's own worker is empty."""
    if not address:
        return tr("semcolor uses this machine's own worker again.")
    message = tr("Connected to {address}, which computes on {device}. {state}")
    return message.format(
        address=address, device=device or "?", state=state_text(WorkerState(state))
    )
