"""Settings that several processes share, of this version, an earlier and a later one."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.stored_settings import SettingsFile, Stored

ADD = """
import sys
from pathlib import Path
from semcolor.shared.stored_settings import SettingsFile
for _ in range(50):
    SettingsFile(Path(sys.argv[1])).change(lambda stored: {"count": stored.get("count", 0) + 1})
"""

DIE = """
import os, sys
from pathlib import Path
from semcolor.shared.stored_settings import SettingsFile
SettingsFile(Path(sys.argv[1])).change(lambda stored: os._exit(9))
"""


def renamed(stored: Stored) -> Stored:
    return {"detail": stored["size"]}


def doubled(stored: Stored) -> Stored:
    return {"detail": 2 * stored["detail"]}


STEPS = (renamed, doubled)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


def test_what_is_changed_is_stored_beside_the_rest(path: Path) -> None:
    file = SettingsFile(path, STEPS)
    assert file.load() == {}
    file.change(lambda stored: stored | {"one": 1})
    file.change(lambda stored: stored | {"other": 2})
    assert file.load() == {"one": 1, "other": 2}
    assert json.loads(path.read_text()) == {"version": 3, "one": 1, "other": 2}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("version", "stored"), [(1, {"size": 32}), (2, {"detail": 32}), (3, {"detail": 64})]
)
def test_earlier_versions_are_brought_up_to_date(path: Path, version: int, stored: Stored) -> None:
    path.write_text(json.dumps({"version": version, **stored}))
    assert SettingsFile(path, STEPS).load() == {"detail": 64}
    SettingsFile(path, STEPS).change(lambda stored: stored | {"live": True})
    assert json.loads(path.read_text()) == {"version": 3, "detail": 64, "live": True}


def test_a_later_version_is_left_alone(path: Path) -> None:
    path.write_text('{"version": 4, "new": 1}')
    file = SettingsFile(path, STEPS)
    assert file.load() == {}
    with pytest.raises(SemcolorError, match=r"settings\.json are of a later version") as caught:
        file.change(lambda stored: stored | {"detail": 64})
    assert caught.value.code == Code.LATER_SETTINGS
    assert path.read_text() == '{"version": 4, "new": 1}'
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{broken",
        "[]",
        "3",
        "{}",
        '{"version": "1"}',
        '{"version": 0}',
        '{"version": 1}',
        "\xff",
    ],
)
@pytest.mark.parametrize("do", ["load", "change"])
def test_what_cannot_be_read_is_set_aside(path: Path, content: str, do: str) -> None:
    raw = content.encode("latin-1")
    path.write_bytes(raw)
    file = SettingsFile(path, STEPS)
    if do == "change":
        file.change(lambda stored: stored | {"live": True})
    assert file.load() == ({"live": True} if do == "change" else {})
    assert path.with_name("settings.json.unreadable").read_bytes() == raw


def test_several_processes_lose_no_change(path: Path) -> None:
    command = [sys.executable, "-P", "-c", ADD, path]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert SettingsFile(path).load() == {"count": 150}


def test_one_that_was_killed_in_the_middle_holds_nobody_up(path: Path) -> None:
    assert subprocess.run([sys.executable, "-P", "-c", DIE, path], check=False).returncode == 9
    begin = time.monotonic()
    SettingsFile(path).change(lambda stored: {"live": True})
    assert time.monotonic() - begin < 5
    assert SettingsFile(path).load() == {"live": True}


def test_an_error_in_the_change_ends_the_claim(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        SettingsFile(path).change(lambda stored: {"live": 1 // 0})
    begin = time.monotonic()
    SettingsFile(path).change(lambda stored: {"live": True})
    assert time.monotonic() - begin < 0.5


@pytest.mark.posix
def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "settings.json"
    SettingsFile(path, private=True).change(lambda stored: {"key": "secret"})
    assert path.stat().st_mode & 0o077 == 0
