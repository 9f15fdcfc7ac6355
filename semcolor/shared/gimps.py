"""The GIMP 3s of this user: where each keeps its plug-ins, and which were never started."""

import os
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

PLUGIN_FOLDER = "semcolor"  # below `plug-ins`
FLATPAK_ID = "org.gimp.GIMP"
_TEST_IMPORT = "import gi; gi.require_version('Gimp', '3.0'); from gi.repository import Gimp"
_PATIENCE_SECONDS = 60.0


class GimpKind(StrEnum):
    """How a GIMP came here, which decides what it can start."""

    SYSTEM = "this system's GIMP"  # its packages, an installer, an AppImage, a disk image
    FLATPAK = "GIMP from Flatpak"
    SNAP = "GIMP from Snap"


class Gimp(NamedTuple):
    """A GIMP 3 that was started here; ``profile``: its user folder, as `~/.config/GIMP/3.0`."""

    kind: GimpKind
    profile: Path

    @property
    def plugin(self) -> Path:
        """Where the plug-in is, or would be."""
        return self.profile / "plug-ins" / PLUGIN_FOLDER


def gimps() -> list[Gimp]:
    """All that were started here."""
    chosen = os.environ.get("GIMP3_DIRECTORY")
    if chosen:
        return [Gimp(GimpKind.SYSTEM, Path(chosen))]
    return [
        Gimp(kind, profile)
        for kind, folder in _config_folders()
        for profile in sorted(folder.glob("GIMP/3.*"))
        if profile.is_dir()
    ]


def unstarted() -> list[str]:
    """What shows that there is a GIMP 3 of a kind that was never started: programs or folders."""
    started = {gimp.kind for gimp in gimps()}
    return [str(sign) for kind, sign in _signs() if kind not in started and sign.exists()]


def can_run_plugins(python: Sequence[str]) -> bool:
    """Whether a command starts a Python that can import GIMP's library, which is tried."""
    try:
        asked = [*python, "-c", _TEST_IMPORT]
        done = subprocess.run(asked, capture_output=True, timeout=_PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _config_folders() -> list[tuple[GimpKind, Path]]:
    """The folders that have GIMP's folder in them."""
    home = Path.home()
    if sys.platform == "win32":
        roaming, local = Path(os.environ["APPDATA"]), Path(os.environ["LOCALAPPDATA"])
        stores = sorted(local.glob("Packages/*GIMP*/LocalCache/Roaming"))  # from Microsoft's Store
        return [(GimpKind.SYSTEM, folder) for folder in (roaming, *stores)]
    if sys.platform == "darwin":
        return [(GimpKind.SYSTEM, home / "Library" / "Application Support")]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        (GimpKind.SYSTEM, config),
        (GimpKind.FLATPAK, home / ".var/app" / FLATPAK_ID / "config"),
        (GimpKind.SNAP, home / "snap/gimp/current/.config"),
    ]


def _signs() -> list[tuple[GimpKind, Path]]:
    """Programs and folders of a GIMP 3."""
    home = Path.home()
    if sys.platform == "win32":
        programs = (os.environ.get("PROGRAMFILES"), os.environ["LOCALAPPDATA"] + "/Programs")
        return [
            (GimpKind.SYSTEM, path)
            for folder in filter(None, programs)
            for path in sorted(Path(folder).glob("GIMP 3*/bin/gimp-3*.exe"))
        ]
    if sys.platform == "darwin":
        applications = (Path("/Applications"), home / "Applications")
        return [(GimpKind.SYSTEM, folder / "GIMP.app") for folder in applications]
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    globs = [
        *((Path(folder), "gimp-3*") for folder in paths),
        *((home / folder, "GIMP-3*.AppImage") for folder in _IMAGE_FOLDERS),
    ]
    flatpaks = (Path("/var/lib/flatpak"), home / ".local/share/flatpak")
    return [
        *((GimpKind.SYSTEM, path) for folder, name in globs for path in sorted(folder.glob(name))),
        *((GimpKind.FLATPAK, folder / "app" / FLATPAK_ID) for folder in flatpaks),
        (GimpKind.SNAP, Path("/snap/gimp")),
    ]


_IMAGE_FOLDERS = ("Applications", "Downloads", "Desktop", "bin", ".local/bin")
