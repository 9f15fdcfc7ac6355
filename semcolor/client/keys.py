"""CURVE keys, connections to workers, and invitations.

Every socket is encrypted and authenticated with CURVE. A worker knows its clients by their public
keys. An invitation holds a key that is good for one thing: to come in once, with a key of one's own
(:class:`semcolor.protocol.schema.Pair`).
"""

import base64
import binascii
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Self

import zmq

from semcolor.shared.errors import Code, SemcolorError

from . import settings

_INVITATION = "semcolor-2-"


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
