"""What an action is, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bridge.exchange import Exchange
from bridge.process import BridgeProcess, Progress
from images.photo import Photo

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What an action gives back, by name, and what the user should be told (sentences)."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Action(Generic[T]):
    """Something for which the bridge is needed.

    `ask` may take long and may fail, and leaves the image alone. `apply` takes the answer and
    changes the image, in one undo step. Both raise UserError or SemcolorError: then nothing was
    changed.
    """

    ask: Callable[[Exchange], T]
    apply: Callable[[T], Outcome]
    step: str = ""
    """What the undo step is called; empty where there is none, or a procedure gives the name."""

    def run(self, photo: Photo, report: Progress) -> Outcome:
        """Do it, with a bridge that is there for this only, and wait for it."""
        with BridgeProcess(report) as bridge:
            answer = self.ask(Exchange(bridge, photo))
        return self.apply(answer)
