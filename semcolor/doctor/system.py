"""The machine and semcolor's own files on it."""

import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from semcolor import __version__
from semcolor.client import settings

from .findings import Finding, Level

_LITTLE_DISK = 1e9  # bytes
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def machine() -> Iterator[Finding]:
    """Versions, and what they run on."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "system",
        Level.OK,
        f"semcolor {__version__}, Python {python}, {platform.system()} {platform.release()} "
        f"({platform.machine()}), {os.cpu_count()} processors",
    )


def folders() -> Iterator[Finding]:
    """Settings, keys and state: there, writable, and closed to others."""
    for folder in dict.fromkeys((settings.config_folder(), settings.state_folder())):
        yield from _folder(folder)
    free = shutil.disk_usage(_existing(settings.state_folder())).free
    if free < _LITTLE_DISK:
        text = f"the disk of your settings has {free / 1e6:.0f} MB free"
        yield Finding("files", Level.WARNING, text, "Make room there.")


def _folder(folder: Path) -> Iterator[Finding]:
    if not os.access(_existing(folder), os.W_OK):
        yield Finding(
            "files", Level.PROBLEM, f"{folder} can't be written", "Make it writable for you."
        )
        return
    open_to_others = _open_to_others(folder)
    if open_to_others:
        yield Finding(
            "files",
            Level.WARNING,
            f"other users may look into {open_to_others[0]}, which may hold keys",
            "The worker closes it when it starts: `semcolor worker stop`, `semcolor worker start`.",
        )
    else:
        yield Finding("files", Level.OK, f"{folder}{'' if folder.exists() else ' (not there yet)'}")


def _open_to_others(folder: Path) -> list[Path]:
    if sys.platform == "win32" or not folder.is_dir():
        return []
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    private = [path for path in files if path.suffix in (".json", ".key")]
    return [path for path in private if path.stat().st_mode & _OF_OTHERS]


def _existing(path: Path) -> Path:
    """The folder itself, or the first around it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
