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
"""


def fake_gimp(folder: Path, monkeypatch: pytest.MonkeyPatch, **what: object) -> Gimp:
    console = folder / "bin/gimp-console-0.0"
    console.parent.mkdir()
    console.write_text(FAKE.format(**what))
    console.chmod(0o755)
    monkeypatch.setenv("PATH", f"{console.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(harness, "crashes_at_start", [])
    home = folder / "home"
    home.mkdir()
    gimp = Gimp("0.0", home)
    gimp.environment["PATH"] = os.environ["PATH"]
    return gimp


def test_crash_at_the_start_is_tried_once_more_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gimp = fake_gimp(tmp_path, monkeypatch, script_begins="", crashes=1)
    assert gimp.run("") == {"done": True}
    assert harness.crashes_at_start == ["0.0"]
    assert gimp.run("") == {"done": True}
    assert harness.crashes_at_start == ["0.0"]


@pytest.mark.parametrize(
    ("script_begins", "crashes", "starts"), [("", 9, 2), ('touch "$HOME/started"', 1, 1)]
)
def test_crash_again_or_later_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script_begins: str,
    crashes: int,
    starts: int,
) -> None:
    gimp = fake_gimp(tmp_path, monkeypatch, script_begins=script_begins, crashes=crashes)
    with pytest.raises(GimpError):
        gimp.run("")
    assert (tmp_path / "home/starts").read_text().count("x") == starts
