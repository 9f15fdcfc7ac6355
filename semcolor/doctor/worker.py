"""The worker, and a tiny photo through it."""

import contextlib
import time
from collections.abc import Iterator

import numpy as np

from semcolor import __version__
from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.protocol.results import StatusResult

from .findings import Finding, Level

_WIDTH, _HEIGHT = 96, 64
_PATIENCE_SECONDS = 90.0  # for models to be loaded
_RESTARTED_OFTEN = 3


def answers() -> Iterator[Finding]:
    """The worker that is used, and each of its devices. Starts it, as any work would."""
    with contextlib.closing(local_worker.connect()) as client:
        status = client.status()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not status.device and time.monotonic() < deadline:
            time.sleep(0.2)
            status = client.status()
        where = "this machine"
        if local_worker.remote_connection():
            where = client.connection.address.removeprefix("tcp://")
    yield Finding(
        "worker",
        Level.OK,
        f"semcolor {status.version} on {where}, {status.state}, computes on "
        f"{status.device or 'nothing yet'}",
    )
    yield from _troubles(status)


def _troubles(status: StatusResult) -> Iterator[Finding]:
    if status.version != __version__:
        text = f"it is of another version than this semcolor, {__version__}"
        yield Finding("worker", Level.WARNING, text, "Bring both to the same version.")
    for engine in status.engines:
        if engine.fault:
            yield Finding("worker", Level.WARNING, str(engine.fault.error))
    if status.restarts >= _RESTARTED_OFTEN:
        text = f"its engine has ended {status.restarts} times by itself"
        advice = f"The reason is at the end of {local_worker.log_file()}, where it runs."
        yield Finding("worker", Level.WARNING, text, advice)


def colors() -> Iterator[Finding]:
    """A small picture, labelled and coloured."""
    ramp = np.linspace(30, 220, _WIDTH, dtype=np.uint8)
    gray = np.repeat(ramp[None], _HEIGHT, axis=0)
    with contextlib.closing(local_worker.connect()) as client:
        session = Session(client, gray)
        begin = time.monotonic()
        session.segment(session.whole, 0, lambda *_: None)
        rgb = session.colorize(session.whole, 0, lambda *_: None).rgb
        seconds = time.monotonic() - begin
    if rgb.shape == (_HEIGHT, _WIDTH, 3):
        yield Finding("colour", Level.OK, f"a small picture was coloured in {seconds:.1f} s")
    else:
        advice = "Run semcolor's set-up again."
        yield Finding("colour", Level.PROBLEM, "the colour that came is not the picture's", advice)
