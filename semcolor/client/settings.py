"""Where semcolor keeps its files, and the few settings that outlive a run."""

from pathlib import Path
from typing import Any

import platformdirs

from semcolor.shared.atomic_files import make_private_folder, replacing
from semcolor.shared.errors import cannot_read, cannot_write
from semcolor.shared.stored_settings import Edit, SettingsFile, Stored

_APP = "semcolor"
_CONNECTION = "connection"  # a key, as are …
_KNOWN = "known_workers"
_WEIGHTS = "weights"
_DEVICES = "devices"


def config_folder() -> Path:
    """Settings, keys and authorised clients; private to the user."""
    return platformdirs.user_config_path(_APP, appauthor=False)


def state_folder() -> Path:
    """The running worker's connection file, lock and log."""
    folder = platformdirs.user_state_path(_APP, appauthor=False)
    # Windows and macOS have one place for everything; what is the user's own stays apart there.
    return folder / "state" if folder == config_folder() else folder


def settings_file() -> SettingsFile:
    """All settings; readable by the user alone, because there may be a secret key among them."""
    return SettingsFile(config_folder() / "settings.json", private=True)


def connection() -> dict[str, Any] | None:
    """The LAN worker to use, as :meth:`.keys.Connection.to_dict` says it; None: the local one."""
    stored: dict[str, Any] | None = _stored().get(_CONNECTION)
    return stored


def set_connection(fields: dict[str, Any] | None) -> None:
    """Use this LAN worker from now on; None: the local one."""
    _set(_CONNECTION, fields)


def known_workers() -> dict[str, dict[str, Any]]:
    """All LAN workers that were ever connected to, by the public key of the invitation used."""
    return _known(_stored())


def remember_worker(invitation: str, fields: dict[str, Any]) -> None:
    """Keep a LAN worker among the known ones, to come back to."""
    _change(lambda stored: stored | {_KNOWN: _known(stored) | {invitation: fields}})


def weights_folder() -> Path | None:
    """The folder whose weights this machine's worker loads; None: the bundled ones."""
    stored = _stored().get(_WEIGHTS)
    return Path(stored) if stored else None


def set_weights_folder(folder: Path | None) -> None:
    """Load these weights from the worker's next start on; None: the bundled ones."""
    _set(_WEIGHTS, str(folder) if folder else None)


def devices() -> list[str]:
    """Where this machine's worker computes, as PyTorch names it; empty: on whatever there is."""
    return list(_stored().get(_DEVICES, []))


def set_devices(names: list[str]) -> None:
    """Compute on these devices from the worker's next start on; none: on whatever there is."""
    _set(_DEVICES, names)


def write_private(path: Path, text: str) -> None:
    """Write a file, and its folder, that only the user can read: it may hold a secret key."""
    make_private_folder(path.parent)
    with replacing(path, private=True) as part:
        part.write_text(text, "utf-8")


def _stored() -> dict[str, Any]:
    """All settings. Raises SemcolorError (CANNOT_READ) for another user's file, for instance."""
    file = settings_file()
    try:
        return file.load()
    except OSError as error:
        raise cannot_read(file.path, error) from error


def _known(stored: Stored) -> dict[str, dict[str, Any]]:
    known = stored.get(_KNOWN)
    return dict(known) if isinstance(known, dict) else {}


def _set(key: str, value: object) -> None:
    _change(lambda stored: stored | {key: value})


def _change(edit: Edit) -> None:
    file = settings_file()
    try:
        file.change(edit)
    except OSError as error:
        raise cannot_write(file.path, error) from error
