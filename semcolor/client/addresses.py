"""HOST:PORT: where a worker listens, what an invitation names, and why nobody is there."""

import ipaddress
import socket
from typing import NamedTuple

from semcolor.shared.errors import Code, SemcolorError

EVERYWHERE = ("*", "0.0.0.0", "::")


class Address(NamedTuple):
    """A host's name or address, without brackets, and a port, 1 to 65535."""

    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """As ZeroMQ writes it."""
        return (
            f"tcp://[{self.host}]:{self.port}" if self.is_v6 else f"tcp://{self.host}:{self.port}"
        )

    @property
    def is_v6(self) -> bool:
        """Whether it is an IPv6 address, or all of them."""
        return ":" in self.host


def parse(text: str, default_port: int | None = None) -> Address:
    """Of HOST:PORT, or HOST where there is a default; an IPv6 address stands in brackets.

    Raises SemcolorError: LISTEN_ADDRESS.
    """
    host, colon, port = text.rpartition(":")
    if default_port and (not colon or text.endswith("]") or _is_v6(text)):
        host, port = text, str(default_port)
    host = host.removeprefix("[").removesuffix("]")
    is_whole = host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16
    if not is_whole or (":" in host and not _is_v6(host)):
        raise SemcolorError(Code.LISTEN_ADDRESS, address=text)
    return Address(host, int(port))


def to_listen_on(text: str) -> Address:
    """Of HOST:PORT; a name becomes an address of this machine, as ZeroMQ binds to those only.

    Raises SemcolorError: LISTEN_ADDRESS, LISTEN_HOST for a name without an address, LISTEN_LOOPBACK
    for one that only this machine has, as Debian gives a machine's own name in /etc/hosts.
    """
    address = parse(text)
    if address.host in EVERYWHERE or _is_literal(address.host):
        return address
    found = _addresses(address.host)
    if not found:
        raise SemcolorError(Code.LISTEN_HOST, host=address.host)
    reachable = [host for host in found if not ipaddress.ip_address(host).is_loopback]
    if not reachable and address.host != "localhost":
        raise SemcolorError(Code.LISTEN_LOOPBACK, host=address.host, address=found[0])
    return Address((reachable or found)[0], address.port)


def is_known(endpoint: str) -> bool:
    """Whether the host of tcp://HOST:PORT is an address, or a name that has one here."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return _is_literal(host) or bool(_addresses(host))


def needs_v6(endpoint: str) -> bool:
    """Whether the host of tcp://HOST:PORT has IPv6 addresses only."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    found = [host] if _is_literal(host) else _addresses(host)
    return bool(found) and all(":" in one for one in found)


def _addresses(name: str) -> list[str]:
    """What a name stands for; IPv4 first, since a worker that serves 0.0.0.0 has that only."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return [str(entry[4][0]).partition("%")[0] for entry in found]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_v6(host: str) -> bool:
    return ":" in host and _is_literal(host)
