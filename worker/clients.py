"""Who may use this machine's worker from elsewhere: one file per client in ``authorized/``.

A file has the client's public key. While somebody is only invited it is the invitation's, with the
time until which that is good for being used once: then it is replaced by the client's own key
(:func:`pair`), and the line that was mailed opens nothing any more.
"""

import contextlib
import errno
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from semcolor.client import settings
from semcolor.shared.errors import Code, SemcolorError

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_UNTIL = "invited until "


class Client(NamedTuple):
    """Somebody with a key. ``until``: the end of an invitation that was not used yet."""

    name: str
    public: str
    until: datetime | None = None

    @property
    def has_expired(self) -> bool:
        """Whether the invitation came to nothing."""
        return self.until is not None and datetime.now(UTC) > self.until


class Usage(NamedTuple):
    """What a client has done: when it was heard last (seconds since 1970), requests, bytes sent."""

    seen: float = 0.0
    requests: int = 0
    received: int = 0


def invite(name: str, public: str, lasts: timedelta, replace: bool = False) -> None:
    """Let whoever has this key come in once, to leave a key of his own.

    ``name``: letters, digits, ``-``, ``_`` and ``.``. Raises SemcolorError: CLIENT_NAME;
    CLIENT_EXISTS unless whoever has that name is to be shut out.
    """
    path = _key_file(name)
    there = {client.name: client for client in authorized()}.get(name)
    if path.exists() and not replace and not (there and there.has_expired):
        raise SemcolorError(Code.CLIENT_EXISTS, name=name)
    until = datetime.now(UTC) + lasts
    settings.write_private(path, f"{public}\n{_UNTIL}{until.isoformat(timespec='seconds')}\n")


def pair(client: Client, public: str) -> None:
    """An invitation is used: from now on this key is the client's."""
    settings.write_private(_key_file(client.name), f"{public}\n")


def revoke(name: str) -> None:
    """Shut a client out. Raises SemcolorError: CLIENT_NAME, NO_CLIENT."""
    try:
        _key_file(name).unlink()
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_CLIENT, name=name) from error


def authorized() -> list[Client]:
    """Everybody with a key, by name, expired invitations too; read anew at each call.

    A file that holds no key, or goes away meanwhile, is nobody's. Raises OSError where the folder
    can't be read at all.
    """
    folder, found = _authorized_folder(), list[Client]()
    for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
        path = folder / name
        if path.suffix != ".key":
            continue
        try:
            found.append(_parse(path.stem, path.read_text("utf-8", "replace")))
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # it is not this file's fault
                raise
    return found


def close_to_others() -> list[Path]:
    """Take from other users what they may do with keys and settings; returns where they could.

    What they could only list is closed without a word. On Windows a user's folders are private by
    themselves, and modes say nothing. Raises OSError.
    """
    folder = settings.config_folder()
    if sys.platform == "win32" or not folder.is_dir():
        return []
    open_ones = []
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat(follow_symlinks=False).st_mode)
        if path.is_symlink() or not mode & _OF_OTHERS:
            continue
        path.chmod(mode & ~_OF_OTHERS)
        if mode & (_WRITTEN_BY_OTHERS if path.is_dir() else _OF_OTHERS):
            open_ones.append(path)
    return open_ones


def usage() -> dict[str, Usage]:
    """By public key, as the worker has saved it last; nothing where that can't be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        stored = json.loads(_usage_file().read_text("utf-8"))
        return {public: Usage(*fields) for public, fields in stored.items()}
    return {}


def save_usage(by_key: Mapping[str, Usage]) -> None:
    """For the next one who asks. Raises OSError."""
    settings.write_private(_usage_file(), json.dumps(by_key))


def _parse(name: str, text: str) -> Client:
    public, _, rest = text.partition("\n")
    until = None
    if rest.startswith(_UNTIL):
        try:
            until = datetime.fromisoformat(rest.removeprefix(_UNTIL).strip())
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
        except ValueError:
            until = datetime.fromtimestamp(0, UTC)  # nobody can tell: then it has ended
    return Client(name, public.strip(), until)


def _key_file(name: str) -> Path:
    if not re.fullmatch(r"[\w][\w.-]{0,63}", name):
        raise SemcolorError(Code.CLIENT_NAME, name=name)
    return _authorized_folder() / f"{name}.key"


def _authorized_folder() -> Path:
    return settings.config_folder() / "authorized"


def _usage_file() -> Path:
    return settings.state_folder() / "clients.json"
