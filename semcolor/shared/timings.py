"""Where the time goes: what `benchmarks/gimp_latency.py` reads. The plug-in has the same.

With SEMCOLOR_TIMINGS=FILE in the environment, every process of semcolor on this machine appends a
line to that file for each stage that has ended: its name, its begin and its end, in seconds of the
machine's monotonic clock, separated by tabs.
"""

import contextlib
import os
import time
from collections.abc import Iterator

_PATH = os.environ.get("SEMCOLOR_TIMINGS")
_file = open(_PATH, "a", buffering=1, encoding="utf-8") if _PATH else None  # noqa: SIM115


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Note how long the block takes, if anybody wants to know."""
    begin = time.monotonic()
    try:
        yield
    finally:
        if _file:
            _file.write(f"{stage}\t{begin:.6f}\t{time.monotonic():.6f}\n")
