"""`python3 -m installer` for a user of its own: what it puts where, and takes out again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from semcolor_installer import __main__ as setup
from semcolor_installer import environment, plugin

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, in which every Python in PATH pretends to run GIMP's plug-ins."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "GIMP3_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(plugin, "_interpreters", lambda: iter([str(tmp_path / "bin/python3")]))
    script(tmp_path / "bin/python3", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(plugin, "PLUGIN_SOURCE", CHECKOUT / "gimp_plugin/semcolor")
    defaults = (CHECKOUT / "gimp_plugin/semcolor", None)
    monkeypatch.setattr(plugin.install_plugin, "__defaults__", defaults)
    return tmp_path


@pytest.fixture
def installed(home: Path) -> Path:
    """A home as the set-up leaves it, with a `semcolor` that notes how it was called."""
    command = home / ".local/share/semcolor/venv/bin/semcolor"
    script(command, f'echo "$@" >>{home}/calls')
    script(command.parent / "python", f'exec {sys.executable} "$@"')
    setup.make_link(setup.link_path(), command)
    return home


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def gimp_profile(home: Path, version: str = "3.0") -> Path:
    profile = home / ".config/GIMP" / version
    profile.mkdir(parents=True)
    return profile


def test_plug_in_lands_in_every_profile(home: Path):
    profiles = [gimp_profile(home, "3.0"), gimp_profile(home, "3.2")]
    setup.install_plugins(Path(sys.executable))
    for profile in profiles:
        folder = profile / "plug-ins/semcolor"
        bridge = json.loads((folder / "install.json").read_text())["bridge"]
        assert bridge == [sys.executable, "-I", "-m", "semcolor.bridge"]
        assert (folder / "semcolor.py").read_text().startswith(f"#!{home}/bin/python3\n")
        assert "Name: " in (profile / "palettes/semcolor.gpl").read_text()


def test_profile_that_fails_does_not_stop_the_next(home: Path, capsys: pytest.CaptureFixture[str]):
    blocked, fine = gimp_profile(home, "3.0"), gimp_profile(home, "3.2")
    (blocked / "plug-ins").touch()  # a file where a folder must be
    setup.install_plugins(Path(sys.executable))
    assert f"Note: Not installed in {blocked}: " in capsys.readouterr().out
    assert (fine / "plug-ins/semcolor/semcolor.py").exists()


def test_without_profile_it_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]):
    setup.install_plugins(Path(sys.executable))
    assert "There is no GIMP 3 here. Install it" in capsys.readouterr().out
    script(home / "bin/gimp-3.0", "")
    setup.install_plugins(Path(sys.executable))
    assert "GIMP 3 was never started here. Start it once" in capsys.readouterr().out


def test_link_replaces_its_own_and_leaves_others(home: Path, capsys: pytest.CaptureFixture[str]):
    link, target = setup.link_path(), home / "venv/bin/semcolor"
    setup.make_link(link, home / "older")
    setup.make_link(link, target)
    assert link.readlink() == target
    assert "is not in PATH" in capsys.readouterr().out
    link.unlink()
    link.write_text("someone else's")
    setup.make_link(link, target)
    assert link.read_text() == "someone else's"
    assert f"Start {target} instead" in capsys.readouterr().out


def test_uninstall_takes_everything_but_the_users_own(
    installed: Path, capsys: pytest.CaptureFixture[str]
):
    profile = gimp_profile(installed)
    setup.install_plugins(Path(sys.executable))
    settings = installed / ".config/semcolor/settings.json"
    weights = installed / ".local/share/semcolor/mine.safetensors"
    other = profile / "plug-ins/other/other.py"
    log = installed / ".local/state/semcolor/worker.log"
    for own in (settings, weights, other, log):
        own.parent.mkdir(parents=True, exist_ok=True)
        own.touch()

    setup.uninstall()

    assert (installed / "calls").read_text() == "worker stop\n"
    assert not (weights.parent / "venv").exists()
    assert not setup.link_path().is_symlink()
    assert not (profile / "plug-ins/semcolor").exists()
    assert not any((profile / "palettes").iterdir())
    assert not log.exists()
    assert settings.exists()
    assert weights.exists()
    assert other.exists()
    shown = capsys.readouterr().out
    assert (
        f"kept; if you want, delete these folders yourself:\n{weights.parent}\n{settings.parent}"
        in shown
    )


def test_uninstall_goes_on_without_its_python(installed: Path, capsys: pytest.CaptureFixture[str]):
    command = installed / ".local/share/semcolor/venv/bin/semcolor"
    command.write_text("#!/removed/python\n")
    setup.uninstall()
    assert "Note: The worker can't be stopped." in capsys.readouterr().out
    assert not command.exists()


def test_uninstall_of_nothing_is_fine(home: Path):
    before = sorted(home.rglob("*"))
    setup.uninstall()
    assert sorted(home.rglob("*")) == before


def test_failure_is_a_sentence_and_exit_code_1(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail() -> None:
        raise environment.SetupError("It can't be done: do that.")

    monkeypatch.setattr(setup, "install", fail)
    monkeypatch.setattr(sys, "argv", ["installer"])
    assert setup.main() == 1
    assert capsys.readouterr().err == "\nIt can't be done: do that.\n"


def test_older_python_is_told_so():
    code = "import sys; sys.version_info = (3, 9, 2); import installer"
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("semcolor needs Python 3.11 or newer, and this is 3.9.")
