"""Three clients, while engine and supervisor are killed or stopped at random moments.

With `SEMCOLOR_KILLS=200,50` in the environment it is that many engines and supervisors.
"""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from semcolor.bridge.worker import ClientWhenNeeded
from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import SemcolorError
from semcolor.shared.geometry import Rectangle

from .helpers import children, wait_until

_ENGINES, _SUPERVISORS = map(int, os.environ.get("SEMCOLOR_KILLS", "8,3").split(","))
_CLIENTS, _EDITS = 3, 12
_DEADLINE_SECONDS = 240.0
_PAUSE_SECONDS = 6.0  # at most, between two kills: an engine takes some to start
_BY_ROUNDING = 1  # levels: an edited canvas and a fresh one round some channels differently


class Restorer:
    """One client with one photo, and edits that are the same each time.

    ``pictures``: what came of each edit; ``errors``: sentences; ``longest``: seconds of a request.
    """

    def __init__(self, seed, gray):
        self.seed = seed
        self.gray = np.roll(gray, 40 * seed, axis=1)
        self.pictures, self.errors, self.longest = {}, [], 0.0

    def work(self, goes_on=lambda: False):
        """All edits, from the first, again for as long as it goes on."""
        while True:
            client = ClientWhenNeeded(local_worker.start, threading.Event(), lambda *_: None)
            self._edit_all(Session(client, self.gray))
            client.close()
            if not goes_on():
                return

    def _edit_all(self, session):
        chance = random.Random(self.seed)
        session.set_labels(np.zeros(self.gray.shape, np.uint8))
        for number in range(_EDITS):
            side, x, y = chance.randrange(8, 80), chance.randrange(160), chance.randrange(120)
            ids = np.full((side, side), chance.randrange(1, NUM_LABELS), np.uint8)
            session.edit_labels(Rectangle(x, y, side, side), ids)
            begin = time.monotonic()
            try:
                rgb = session.colorize(session.whole, 0, lambda *_: None).rgb
            except SemcolorError as error:
                self.errors.append(str(error))
                time.sleep(0.5)  # as somebody who reads it
                continue
            finally:
                self.longest = max(self.longest, time.monotonic() - begin)
            self.pictures.setdefault(number, []).append(rgb)


@pytest.mark.timeout(0 if _ENGINES > 20 else 900)
def test_every_request_ends_in_the_right_picture_or_a_sentence(
    home, sample_gray, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    gray = np.ascontiguousarray(sample_gray[300:540, 200:520])
    undisturbed = [Restorer(seed, gray) for seed in range(_CLIENTS)]
    for restorer in undisturbed:
        restorer.work()
        assert not restorer.errors

    disturbed = [Restorer(seed, gray) for seed in range(_CLIENTS)]
    ended = threading.Event()
    threads = [
        threading.Thread(target=restorer.work, args=(lambda: not ended.is_set(),))
        for restorer in disturbed
    ]
    for thread in threads:
        thread.start()
    try:
        _disturb(random.Random(0))
    finally:
        ended.set()
        for thread in threads:
            thread.join(_DEADLINE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    differing = _differences(undisturbed, disturbed)
    errors = [error for restorer in disturbed for error in restorer.errors]
    longest = max(restorer.longest for restorer in disturbed)
    figures = {
        "pictures": len(differing), "that differ": int(np.count_nonzero(differing)),
        "sentences": len(errors), "longest, seconds": round(longest, 1),
    }  # fmt: skip
    with capsys.disabled():
        print(f"\n{_ENGINES} engines and {_SUPERVISORS} supervisors killed: {figures}")
    assert max(differing) <= _BY_ROUNDING
    assert longest < _DEADLINE_SECONDS

    supervisor = local_worker.start().hello().pid
    engines = children(supervisor)
    local_worker.stop()
    wait_until(lambda: all(map(_has_ended, (supervisor, *engines))))
    assert list(tmp_path.glob("semcolor-*")) == []


def _disturb(chance):
    """Kill and stop, each time at another moment."""
    victims = ["engine"] * _ENGINES + ["supervisor"] * _SUPERVISORS
    chance.shuffle(victims)
    for victim in victims:
        time.sleep(chance.uniform(0, _PAUSE_SECONDS))
        client = local_worker.start()
        supervisor = client.hello().pid
        client.close()
        pids = [supervisor] if victim == "supervisor" else children(supervisor)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it has just been replaced
                if chance.random() < 0.2:  # asleep for a moment, as in a suspended machine
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(chance.uniform(0, 2))
                os.kill(pid, signal.SIGKILL)


def _differences(undisturbed, disturbed):
    """The largest difference of each picture to its undisturbed one, in levels."""
    return [
        int(np.abs(rgb.astype(int) - right.pictures[number][0]).max())
        for right, found in zip(undisturbed, disturbed, strict=True)
        for number, pictures in found.pictures.items()
        for rgb in pictures
    ]


def _has_ended(pid):
    """A zombie has, too: nobody waits for it here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
