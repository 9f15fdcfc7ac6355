"""Where semcolor keeps its files, and the few settings that outlive a run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

VERSION = 1
_APP = "semcolor"
_WEIGHTS = "weights"  # a key, as are …
_DEVICES = "devices"

# _MIGRATIONS[n] turns settings of version n into version n + 1.
_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def config_folder() -> Path:
    """Settings, keys and authorised clients; private to the user."""
    return platformdirs.user_config_path(_APP, appauthor=False)


def state_folder() -> Path:
    """The running worker's connection file, lock and log."""
    return platformdirs.user_state_path(_APP, appauthor=False)


def load() -> dict[str, Any]:
    """The settings, migrated to this version; empty ones when there is no file.

    A file that cannot be read is set aside as ``settings.json.unreadable``, never overwritten.
    """
    path = _path()
    try:
        settings = json.loads(path.read_text("utf-8"))
        version = int(settings["version"])
    except FileNotFoundError:
        return {"version": VERSION}
    except (ValueError, KeyError, TypeError):
        path.replace(path.with_name(path.name + ".unreadable"))
        return {"version": VERSION}
    while version < VERSION:
        settings = _MIGRATIONS[version](settings)
        version += 1
    return dict(settings)


def save(settings: dict[str, Any]) -> None:
    """Write the settings, readable by this user alone."""
    write_private(_path(), json.dumps(settings, indent=2) + "\n")


def weights_folder() -> Path | None:
    """The folder whose weights this machine's worker loads; None: the bundled ones."""
    stored = load().get(_WEIGHTS)
    return Path(stored) if stored else None


def set_weights_folder(folder: Path | None) -> None:
    """Load these weights from the worker's next start on; None: the bundled ones."""
    save(load() | {_WEIGHTS: str(folder) if folder else None})


def devices() -> list[str]:
    """Where this machine's worker computes, as PyTorch names it; empty: on whatever there is."""
    return list(load().get(_DEVICES, []))


def set_devices(names: list[str]) -> None:
    """Compute on these devices from the worker's next start on; none: on whatever there is."""
    save(load() | {_DEVICES: names})


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, atomically; it may hold a secret key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _path() -> Path:
    return config_folder() / "settings.json"
