"""Where a job can be ended while it runs."""

from collections.abc import Callable

Checkpoint = Callable[[], None]
"""Called between layers and between tiles; what it raises ends the job there."""


def go_on() -> None:
    """The checkpoint that ends nothing."""
