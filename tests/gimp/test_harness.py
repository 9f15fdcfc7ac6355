"""The harness: what it tries once more, and what not."""

import os
from pathlib import Path

import pytest

from . import harness
from .harness import Gimp, GimpError

FAKE = """#!/bin/sh
echo x >>"$HOME/starts"
{script_begins}
test $(wc -l <"$HOME/starts") -gt {crashes} || kill -SEGV $$
echo '{{"done": true}}' >"$HOME/answer.json"
test $(wc -l <"$HOME/starts") -gt {crashes_at_the_end} || kill -SEGV $$
"""


CALM = {"script_begins": 'touch "$HOME/started"', "crashes": 0, "crashes_at_the_end": 0}


def fake_gimp(folder: Path, monkeypatch: pytest.MonkeyPatch, crash: dict) -> Gimp:
    console = folder / "bin/gimp-console-0.0"
    console.parent.mkdir()
    console.write_text(FAKE.format(**(CALM | crash)))
    console.chmod(0o755)
    monkeypatch.setenv("PATH", f"{console.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(harness, "own_crashes", [])
    home = folder / "home"
    home.mkdir()
    gimp = Gimp("0.0", home)
    gimp.environment["PATH"] = os.environ["PATH"]
    return gimp


@pytest.mark.parametrize(
    "crash", [{"script_begins": "", "crashes": 1}, {"crashes_at_the_end": 1}], ids=["start", "end"]
)
def test_crash_at_gimps_start_or_end_is_tried_once_more_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: dict
) -> None:
    gimp = fake_gimp(tmp_path, monkeypatch, crash)
    assert gimp.run("") == {"done": True}
    assert harness.own_crashes == ["0.0"]
    assert gimp.run("") == {"done": True}
    assert harness.own_crashes == ["0.0"]


@pytest.mark.parametrize(
    ("crash", "starts"),
    [({"script_begins": "", "crashes": 9}, 2), ({"crashes": 1}, 1), ({"crashes_at_the_end": 9}, 2)],
    ids=["start", "script", "end"],
)
def test_crash_again_or_in_the_script_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: dict, starts: int
) -> None:
    gimp = fake_gimp(tmp_path, monkeypatch, crash)
    with pytest.raises(GimpError):
        gimp.run("")
    assert (tmp_path / "home/starts").read_text().count("x") == starts
