"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"  # something works less well than it could
    PROBLEM = "problem"  # something does not work


@dataclass(frozen=True)
class Finding:
    """What a check has found; ``advice``: what to do, if anything."""

    topic: str
    level: Level
    text: str
    advice: str = ""
