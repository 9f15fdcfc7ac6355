"""All checks, in the order in which a person would go."""

from collections.abc import Iterator

from semcolor.shared.errors import SemcolorError

from . import gimp, system, worker
from .findings import Finding, Level


def examine() -> Iterator[Finding]:
    """All findings, each as soon as it is there; the worker's take some seconds."""
    for topic, check in (
        ("system", system.machine), ("files", system.folders), ("GIMP", gimp.plugins),
        ("worker", worker.answers), ("colour", worker.colors),
    ):  # fmt: skip
        try:
            yield from check()
        except (SemcolorError, OSError) as error:  # each is a sentence with its advice
            yield Finding(topic, Level.PROBLEM, str(error))
