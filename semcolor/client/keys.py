"""Who may talk to a worker: CURVE keys, connections, invitations, authorised clients.

Every socket is encrypted and authenticated with CURVE. A worker knows its clients by their public
keys, one file per client in ``authorized/``; whoever is not there is refused.
"""

import base64
import binascii
import errno
import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import zmq

from semcolor.shared.errors import Code, SemcolorError

from . import settings

_INVITATION = "semcolor-1-"
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class KeyPair:
    """A CURVE key pair, Z85-encoded (40 characters each)."""

    public: str
    secret: str

    @classmethod
    def generate(cls) -> Self:
        """A new pair."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


@dataclass(frozen=True)
class Connection:
    """All that a client needs to reach a worker. Holds a secret: store it with mode 0600."""

    address: str  # tcp://HOST:PORT
    server_key: str  # the worker's public key
    client: KeyPair

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`. Raises KeyError or TypeError for other dictionaries."""
        client = KeyPair(fields["client"]["public"], fields["client"]["secret"])
        return cls(fields["address"], fields["server_key"], client)


def encode_invitation(connection: Connection) -> str:
    """One line, safe to paste into a shell, that :func:`decode_invitation` takes."""
    fields = [connection.address, connection.server_key, connection.client.secret]
    return _INVITATION + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def decode_invitation(line: str) -> Connection:
    """The connection of an invitation line. Raises SemcolorError (INVITATION)."""
    body = line.strip().removeprefix(_INVITATION)
    try:
        if body == line.strip():
            raise ValueError("no prefix")
        address, server_key, secret = json.loads(
            base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        )
        if not re.fullmatch(r"tcp://\S+:\d+", address) or len(server_key) != 40:
            raise ValueError("no address or key")
        public = zmq.curve_public(secret.encode()).decode()
    except (ValueError, TypeError, AttributeError, binascii.Error, zmq.ZMQError) as error:
        raise SemcolorError(Code.INVITATION) from error
    return Connection(address, server_key, KeyPair(public, secret))


def server_keys() -> KeyPair:
    """This machine's worker key pair; made on first use, so that invitations stay valid.

    Raises SemcolorError (WORKER_KEY): the file is damaged, and a new key would end them all.
    """
    path = settings.config_folder() / "worker_key.json"
    try:
        pair = KeyPair(**json.loads(path.read_text("utf-8")))
        if zmq.curve_public(pair.secret.encode()).decode() != pair.public:
            raise ValueError("not a pair")
    except FileNotFoundError:
        pair = KeyPair.generate()
        settings.write_private(path, json.dumps(asdict(pair)))
    except (ValueError, TypeError, AttributeError, zmq.ZMQError) as error:
        raise SemcolorError(Code.WORKER_KEY, file=str(path)) from error
    return pair


def close_to_others() -> list[Path]:
    """Take from other users what they may do with keys and settings; returns where they could.

    What they could only list is closed without a word. Raises OSError.
    """
    folder = settings.config_folder()
    if not folder.is_dir():
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


def authorize(name: str, public: str, replace: bool = False) -> None:
    """Let a client in, under a name of letters, digits, ``-``, ``_`` and ``.``.

    Raises SemcolorError: CLIENT_NAME; CLIENT_EXISTS unless whoever has that name is to be shut out.
    """
    path = _key_file(name)
    if path.exists() and not replace:
        raise SemcolorError(Code.CLIENT_EXISTS, name=name)
    settings.write_private(path, public + "\n")


def revoke(name: str) -> None:
    """Shut a client out. Raises SemcolorError: CLIENT_NAME, NO_CLIENT."""
    try:
        _key_file(name).unlink()
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_CLIENT, name=name) from error


def authorized() -> dict[str, str]:
    """Public key → name of every client that was invited; read anew at each call.

    A file that holds no key, or goes away meanwhile, is nobody's. Raises OSError where the folder
    can't be read at all.
    """
    clients: dict[str, str] = {}
    folder = _authorized_folder()
    for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
        path = folder / name
        if path.suffix == ".key":
            try:
                clients[path.read_text("utf-8", "replace").strip()] = path.stem
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):  # it is not this file's fault
                    raise
    return clients


def _key_file(name: str) -> Path:
    if not re.fullmatch(r"[\w][\w.-]{0,63}", name):
        raise SemcolorError(Code.CLIENT_NAME, name=name)
    return _authorized_folder() / f"{name}.key"


def _authorized_folder() -> Path:
    return settings.config_folder() / "authorized"
