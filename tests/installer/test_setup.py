"""`python3 -m installer` for a user of its own: what it puts where, and takes out again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from semcolor.shared.gimps import GimpKind
from semcolor_installer import __main__ as command_line
from semcolor_installer import environment, folders, graphics, plugin, setup, source

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = setup.Home(Path(sys.executable), Path(sys.executable).with_name("semcolor"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, in which every Python in PATH pretends to run GIMP's plug-ins."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "GIMP3_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(plugin, "_interpreters", lambda: iter([str(tmp_path / "bin/python3")]))
    script(tmp_path / "bin/python3", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(source, "CHECKOUT", CHECKOUT)
    return tmp_path


@pytest.fixture
def installed(home: Path) -> Path:
    """A home as the set-up leaves it, with a `semcolor` that notes how it was called."""
    command = home / ".local/share/semcolor/venv/bin/semcolor"
    script(command, f'echo "$@" >>{home}/calls')
    script(command.parent / "python", f'exec {sys.executable} "$@"')
    folders.make_link(folders.link_path(), command)
    return home


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "setup.log"


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def gimp_profile(home: Path, version: str = "3.0") -> Path:
    profile = home / ".config/GIMP" / version
    profile.mkdir(parents=True)
    return profile


def test_plug_in_lands_in_every_profile(home: Path, log: Path):
    profiles = [gimp_profile(home, "3.0"), gimp_profile(home, "3.2")]
    setup.install_plugins(HERE, log)
    for profile in profiles:
        folder = profile / "plug-ins/semcolor"
        bridge = json.loads((folder / "install.json").read_text())["bridge"]
        assert bridge == [sys.executable, "-I", "-m", "semcolor.bridge"]
        assert (folder / "semcolor.py").read_text().startswith(f"#!{home}/bin/python3\n")
        assert "Name: " in (profile / "palettes/semcolor.gpl").read_text()


def test_profile_that_fails_does_not_stop_the_next(
    home: Path, log: Path, capsys: pytest.CaptureFixture[str]
):
    blocked, fine = gimp_profile(home, "3.0"), gimp_profile(home, "3.2")
    (blocked / "plug-ins").touch()  # a file where a folder must be
    setup.install_plugins(HERE, log)
    assert f"Note: Not installed in {blocked}: " in capsys.readouterr().out
    assert (fine / "plug-ins/semcolor/semcolor.py").exists()


def test_without_profile_it_says_what_to_do(
    home: Path, log: Path, capsys: pytest.CaptureFixture[str]
):
    setup.install_plugins(HERE, log)
    assert "There is no GIMP 3 here. Install it" in capsys.readouterr().out
    script(home / "bin/gimp-3.0", "")
    setup.install_plugins(HERE, log)
    shown = capsys.readouterr().out
    assert f"{home}/bin/gimp-3.0 was never started. Start that GIMP once" in shown
    assert "There is no GIMP 3 here" not in shown


def test_a_gimp_that_keeps_other_programs_out_is_told_apart(
    home: Path, log: Path, capsys: pytest.CaptureFixture[str]
):
    snap = home / "snap/gimp/current/.config/GIMP/3.0"
    snap.mkdir(parents=True)
    setup.install_plugins(HERE, log)
    shown = capsys.readouterr().out
    assert f"{GimpKind.SNAP} lets no plug-in start other programs" in shown
    assert "There is no GIMP 3 here" not in shown
    assert not any(snap.rglob("*"))


def test_an_image_that_was_never_started_is_found(
    home: Path, log: Path, capsys: pytest.CaptureFixture[str]
):
    image = home / "Downloads/GIMP-3.0.6-x86_64.AppImage"
    script(image, "")
    setup.install_plugins(HERE, log)
    assert f"{image} was never started" in capsys.readouterr().out


def test_link_replaces_its_own_and_leaves_others(home: Path, capsys: pytest.CaptureFixture[str]):
    link, target = folders.link_path(), home / "venv/bin/semcolor"
    setup.link(home / "older")
    setup.link(target)
    assert link.readlink() == target
    assert "is not in PATH" in capsys.readouterr().out
    link.unlink()
    link.write_text("someone else's")
    setup.link(target)
    assert link.read_text() == "someone else's"
    assert f"Start {target} instead" in capsys.readouterr().out


def test_uninstall_takes_everything_but_the_users_own(
    installed: Path, log: Path, capsys: pytest.CaptureFixture[str]
):
    profile = gimp_profile(installed)
    setup.install_plugins(HERE, log)
    settings = installed / ".config/semcolor/settings.json"
    weights = installed / ".local/share/semcolor/mine.safetensors"
    other = profile / "plug-ins/other/other.py"
    worker_log = installed / ".local/state/semcolor/worker.log"
    for own in (settings, weights, other, worker_log):
        own.parent.mkdir(parents=True, exist_ok=True)
        own.touch()

    setup.uninstall()

    assert (installed / "calls").read_text() == "worker stop\nworker uninstall-service\n"
    assert not (weights.parent / "venv").exists()
    assert not folders.link_path().is_symlink()
    assert not (profile / "plug-ins/semcolor").exists()
    assert not any((profile / "palettes").iterdir())
    assert not worker_log.exists()
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
    assert command_line.main([]) == 1
    assert capsys.readouterr().err == "\nIt can't be done: do that.\n"


def test_python_without_a_pytorch_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "version_info", (3, 15, 0))
    with pytest.raises(environment.SetupError, match=r"no build for Python 3\.15.*3\.14"):
        setup.install()
    assert not any(home.glob(".local/share/*"))


def test_a_full_disk_is_told_before_anything_comes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.5e9))
    with pytest.raises(environment.SetupError, match="too little room"):
        setup.install()
    assert "0.3 GB are downloaded and 1.1 GB used" in capsys.readouterr().out
    assert not (home / ".local/share/semcolor/venv").exists()


def test_a_systems_own_python_is_left_alone(home: Path, log: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "CHECKOUT", None)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    (home / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(home))
    with pytest.raises(environment.SetupError, match="pipx install semcolor"):
        setup.make_home(HERE, log)


def test_older_python_is_told_so():
    code = "import sys; sys.version_info = (3, 9, 2); import installer"
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("semcolor needs Python 3.11 or newer, and this is 3.9.")


def test_on_macos_gimps_own_python_runs_the_plug_in(
    home: Path, log: Path, monkeypatch: pytest.MonkeyPatch
):
    """The layout is recorded, the system is not: not yet tried on the real thing."""
    monkeypatch.setattr(sys, "platform", "darwin")
    profile = home / "Library/Application Support/GIMP/3.0"
    profile.mkdir(parents=True)
    setup.install_plugins(HERE, log)
    script_file = profile / "plug-ins/semcolor/semcolor.py"
    assert script_file.read_text().startswith("#!/usr/bin/env python3\n")
    assert script_file.stat().st_mode & 0o111 == 0o111
    assert graphics.fitting_build().name == "mps"
    assert environment.torch_arguments(graphics.fitting_build(), ["torch==2.13.0"]) == []


def test_the_command_of_an_installed_semcolor_is_where_its_python_puts_programs(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    """Windows' own Python has them in a folder beside it."""
    monkeypatch.setattr(source, "CHECKOUT", None)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(home / "Scripts"))
    assert setup.home().command == home / "Scripts/semcolor"
