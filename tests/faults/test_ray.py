"""A batch on a Ray cluster, of which a process is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcolor.cli.manifest import NAME, State, last_lines

pytest.importorskip("ray", reason="Ray has no wheel for this Python")
_PHOTOS, _MARK = 12, "SEMCOLOR_TEST_OF_RAY"
_OWN = (NAME, ".semcolor-batch.lock")


def test_a_lost_process_costs_only_time(worker, tmp_path):
    """And the results are those of this machine alone."""
    scans, chance = tmp_path / "scans", np.random.default_rng(0)
    scans.mkdir()
    for number in range(_PHOTOS):
        pixels = chance.integers(0, 255, (90, 120)).astype(np.uint8)
        Image.fromarray(pixels).resize((480, 360)).save(scans / f"{number}.png")
    (scans / "broken.png").write_bytes(b"no photo")
    alone, _ = _start(scans, tmp_path / "alone").communicate(timeout=300)
    out = tmp_path / "out"
    process = _start(scans, out, "--engine", "ray")
    first = process.stdout.readline()
    actor = _actors(process, tmp_path)[0]
    os.kill(actor, signal.SIGKILL)
    rest, told = process.communicate(timeout=300)
    assert process.returncode == 1, told
    assert "1 of 13 photos failed" in told
    assert len((first + rest).splitlines()) == len(alone.splitlines()) == _PHOTOS
    assert _contents(out) == _contents(tmp_path / "alone")
    lines = last_lines(out / NAME)
    assert {name for name in lines if lines[name].state == State.FAILED} == {"broken.png"}
    assert not _actors(process, tmp_path)


def _start(scans, out, *options):
    command = [sys.executable, "-m", "semcolor.cli", "batch", scans.name, "-o", out.name, *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=scans.parent,
        env=os.environ | {_MARK: str(scans.parent)},
    )  # fmt: skip


def _actors(process, folder):
    """The processes of Ray's actors that this one has, or had, in this folder."""
    mark = f"{_MARK}={folder}".encode()
    end = time.monotonic() + 20
    found = [0]
    while found and time.monotonic() < end:
        found = []
        for process_folder in Path("/proc").glob("[0-9]*"):
            try:
                name = (process_folder / "cmdline").read_bytes()
                is_ours = mark in (process_folder / "environ").read_bytes().split(b"\0")
                if name.startswith(b"ray::LocalEngine") and is_ours:
                    found.append(int(process_folder.name))
            except OSError:
                continue
        if process.poll() is None:
            break
        time.sleep(0.5)
    return found


def _contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in _OWN)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
