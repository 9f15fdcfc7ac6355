"""Where GIMPs are on each system: layouts as their installers leave them, made here.

macOS's and Windows' were written down from GIMP's documentation and source; macOS' was not yet
tried on the real thing.
"""

import sys
from pathlib import Path

import platformdirs
import pytest

from semcolor.client import settings
from semcolor.shared.gimps import Gimp, GimpKind, gimps, unstarted


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIMP3_DIRECTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


@pytest.mark.posix
def test_linux(user: Path):
    config, flatpak = user / ".config/GIMP", user / ".var/app/org.gimp.GIMP/config/GIMP"
    snap = user / "snap/gimp/current/.config/GIMP"
    make(config / "2.10", config / "3.0", config / "3.2", flatpak / "3.0", snap / "3.0")
    (config / "3.1").touch()  # no folder
    assert gimps() == [
        Gimp(GimpKind.SYSTEM, config / "3.0"), Gimp(GimpKind.SYSTEM, config / "3.2"),
        Gimp(GimpKind.FLATPAK, flatpak / "3.0"), Gimp(GimpKind.SNAP, snap / "3.0"),
    ]  # fmt: skip
    assert gimps()[0].plugin == config / "3.0/plug-ins/semcolor"


@pytest.mark.posix
def test_a_flatpak_that_was_never_started(user: Path):
    make(user / ".local/share/flatpak/app/org.gimp.GIMP")
    assert unstarted() == [str(user / ".local/share/flatpak/app/org.gimp.GIMP")]
    make(user / ".var/app/org.gimp.GIMP/config/GIMP/3.0")
    assert unstarted() == []


@pytest.mark.posix
def test_a_folder_that_the_user_has_chosen(user: Path, monkeypatch: pytest.MonkeyPatch):
    make(user / ".config/GIMP/3.0")
    monkeypatch.setenv("GIMP3_DIRECTORY", str(user / "elsewhere"))
    assert gimps() == [Gimp(GimpKind.SYSTEM, user / "elsewhere")]


@pytest.mark.posix
def test_macos(user: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    make(user / "Applications/GIMP.app")
    assert gimps() == []
    assert str(user / "Applications/GIMP.app") in unstarted()
    make(user / "Library/Application Support/GIMP/3.0")
    assert [gimp.profile.name for gimp in gimps()] == ["3.0"]
    assert unstarted() == []


def test_windows(user: Path, monkeypatch: pytest.MonkeyPatch):
    """From the installer, for one user or for all, and from Microsoft's Store."""
    monkeypatch.setattr(sys, "platform", "win32")
    local, roaming = user / "AppData/Local", user / "AppData/Roaming"
    for name, value in (("APPDATA", roaming), ("LOCALAPPDATA", local), ("PROGRAMFILES", user)):
        monkeypatch.setenv(name, str(value))
    for folder in (user / "GIMP 3/bin", local / "Programs/GIMP 3/bin"):
        make(folder)
        (folder / "gimp-3.0.exe").touch()
    assert len(unstarted()) == 2
    store = local / "Packages/GIMP.43237F745622_x/LocalCache/Roaming"
    make(roaming / "GIMP/3.0", store / "GIMP/3.2")
    assert [gimp.profile for gimp in gimps()] == [roaming / "GIMP/3.0", store / "GIMP/3.2"]
    assert unstarted() == []


def test_a_system_with_one_folder_for_all_keeps_the_workers_state_apart(monkeypatch):
    """Windows and macOS: what the set-up takes away again must not be the user's settings."""
    for name in ("user_config_path", "user_state_path"):
        monkeypatch.setattr(platformdirs, name, lambda *_, **__: Path("/Library/semcolor"))
    assert settings.config_folder() == Path("/Library/semcolor")
    assert settings.state_folder() == Path("/Library/semcolor/state")
