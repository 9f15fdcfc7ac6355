"""A batch that is killed again and again makes what an undisturbed one does.

For longer: with `SEMCOLOR_BATCH=1000,20` in the environment it is a thousand photos and 20 kills.
"""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
from PIL import Image

from semcolor.cli.manifest import NAME, State, last_lines
from semcolor.photos.photo_files import read_photo

_PHOTOS, _KILLS = map(int, os.environ.get("SEMCOLOR_BATCH", "24,4").split(","))
_SIDE = 64  # pixels
_OWN = (NAME, ".semcolor-batch.lock")


def test_a_batch_that_is_killed_at_random_moments(worker, sample, tmp_path):
    scans, chance = tmp_path / "scans", random.Random(0)
    gray = read_photo(sample).gray
    for number in range(_PHOTOS):
        y, x = (chance.randrange(length - _SIDE) for length in gray.shape)
        folder = scans / f"box {number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        part = np.ascontiguousarray(gray[y : y + _SIDE, x : x + _SIDE])
        Image.fromarray(part).save(folder / f"{number}.png")
    began = time.monotonic()
    _start(scans, tmp_path / "undisturbed").communicate(timeout=3600)
    duration = time.monotonic() - began
    out = tmp_path / "out"
    for _ in range(_KILLS):
        process = _start(scans, out)
        time.sleep(chance.uniform(0.3, 1) + duration * chance.uniform(0, 1.2) / _KILLS)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = _start(scans, out)
    _, told = done.communicate(timeout=3600)
    assert (done.returncode, told) == (0, "")
    assert _contents(out) == _contents(tmp_path / "undisturbed")
    lines = last_lines(out / NAME).values()
    assert {line.state for line in lines} == {State.DONE}
    assert len(lines) == _PHOTOS
    times_done = (out / NAME).read_text().count('"state": "done"')
    assert times_done == _PHOTOS  # nothing twice


def _start(scans, out):
    command = [sys.executable, "-m", "semcolor.cli", "batch", scans, "-o", out, "--recursive"]
    return subprocess.Popen(
        [*command, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in _OWN)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
