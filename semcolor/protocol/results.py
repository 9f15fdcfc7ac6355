"""What a worker answers: results, progress and failures."""

from dataclasses import dataclass, field
from typing import Self

from semcolor.shared.errors import Code, Parameter, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import Stage, WorkerState

TEXT_LIMIT = 4096  # characters of an error's parameter


@dataclass(frozen=True)
class Suggestion:
    """A plausible colour: its chroma, how likely it is (0..1), and as “#rrggbb”."""

    a: float
    b: float
    share: float
    rgb: str


@dataclass(frozen=True)
class ObjectColors:
    """An object, which is a connected region of a class, and at most six colours for it.

    ``region``: around it; ``x``, ``y``: a pixel well inside it; ``share``: of the photo, 0..1.
    """

    class_id: int
    region: Rectangle
    x: int
    y: int
    share: float
    colors: tuple[Suggestion, ...]


@dataclass(frozen=True)
class Failure:
    """A SemcolorError as it travels: the name of its code, and its parameters."""

    code: str
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @classmethod
    def of(cls, error: SemcolorError) -> Self:
        """The error, to be sent."""
        return cls(str(error.code), {n: _short(value) for n, value in error.parameters.items()})

    @property
    def error(self) -> SemcolorError:
        """What arrived; UNKNOWN where a newer version has codes that we don't."""
        if self.code not in list(Code):
            return SemcolorError(Code.UNKNOWN, code=self.code)
        return SemcolorError(Code(self.code), **self.parameters)


@dataclass(frozen=True)
class Result:
    """Base of all results."""


@dataclass(frozen=True)
class HelloResult(Result):
    """``pid``: the supervisor's. Other versions may say more here, which is left out."""

    protocol: int
    pid: int


@dataclass(frozen=True)
class PairResult(Result):
    """The key is known now, and the invitation's no more."""


@dataclass(frozen=True)
class EngineStatus:
    """One engine. ``fault``: why its device was taken out, or why the CPU stands in for it."""

    device: str
    state: WorkerState
    fault: Failure | None = None

    @property
    def is_used(self) -> bool:
        """Whether it computes, on this device or in its place."""
        return self.fault is None or self.state is not WorkerState.LOST


@dataclass(frozen=True)
class StatusResult(Result):
    """``state`` is that of the engine that is furthest; ``device`` names all that are in use."""

    version: str
    state: WorkerState
    device: str
    engines: list[EngineStatus]
    models: list[str]
    sessions: int
    waiting: int
    planes_bytes: int
    restarts: int
    listening: str


@dataclass(frozen=True)
class PutResult(Result):
    """The first row that is still missing; the plane's height when it is complete."""

    next_row: int


@dataclass(frozen=True)
class RegionResult(Result):
    """The rectangle is in the frame.

    ``detail``: what it was made at, where the worker's memory did not suffice for what was asked;
    otherwise 0.
    """

    detail: int = 0


@dataclass(frozen=True)
class RecolorResult(Result):
    """Outside ``region``, which may be empty, no channel differs by more than one level in 8 bits.

    ``rows``: how many of its first rows are in the frame. ``detail``: as in :class:`RegionResult`.
    """

    region: Rectangle
    rows: int
    detail: int = 0


@dataclass(frozen=True)
class SnapResult(Result):
    """Where the labels changed; nowhere: width and height are 0, and there is no frame."""

    region: Rectangle


@dataclass(frozen=True)
class SuggestResult(Result):
    """At most six colours, most likely first."""

    colors: tuple[Suggestion, ...]


@dataclass(frozen=True)
class SuggestAllResult(Result):
    """The photo's objects, the largest first, with their colours, the most likely first."""

    objects: tuple[ObjectColors, ...]


@dataclass(frozen=True)
class CancelResult(Result):
    """``found`` is false when the job had ended already."""

    found: bool


@dataclass(frozen=True)
class LeaveResult(Result):
    """Good-bye."""


@dataclass(frozen=True)
class StopResult(Result):
    """The worker ends now."""


@dataclass(frozen=True)
class Progress:
    """The job is alive: what is being done. Sent every second while it waits or runs."""

    stage: Stage


def _short(value: Parameter) -> Parameter:
    return value[:TEXT_LIMIT] if isinstance(value, str) else value
