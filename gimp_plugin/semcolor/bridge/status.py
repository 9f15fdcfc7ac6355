"""How the worker is."""

from typing import NamedTuple

from language import error_text, state_text
from shared.states import WorkerState

from .process import BridgeProcess, failure


class Status(NamedTuple):
    """The worker's state, and what is wrong, if anything."""

    state: WorkerState
    error: Exception | None = None

    @property
    def sentence(self) -> str:
        """What the user should know."""
        return error_text(self.error) if self.error else state_text(self.state)


def ask_status(bridge: BridgeProcess) -> Status:
    """How the worker is; never starts it. Raises what `BridgeProcess.request` raises."""
    answer, _ = bridge.request("status")
    error = answer.get("error")
    return Status(WorkerState(answer["state"]), failure(error) if error else None)
