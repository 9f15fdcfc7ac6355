"""Workers that announce themselves in the local network: DNS-SD (RFC 6763) over multicast DNS.

Both ends need the package `zeroconf`; without it nobody is found. An announcement lets nobody in.
"""

import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from semcolor.shared.errors import Code, SemcolorError

from . import addresses

if TYPE_CHECKING:
    from zeroconf import Zeroconf

log = logging.getLogger("semcolor")

SERVICE = "_semcolor._tcp.local."
_ASK_MS = 1000


class Found(NamedTuple):
    """A worker: its machine's name, and tcp://HOST:PORT."""

    name: str
    address: str


def find(seconds: float) -> list[Found]:
    """Who answers within this time, by name; nobody where `zeroconf` is not installed."""
    try:
        from zeroconf import IPVersion, Zeroconf

        network = Zeroconf()
    except (ImportError, OSError):  # or there is no network
        return []
    found = []
    with contextlib.closing(network):
        for name in _heard(network, seconds):
            info = network.get_service_info(SERVICE, name, _ASK_MS)
            hosts = info.parsed_scoped_addresses(IPVersion.All) if info else []
            if info and info.port and hosts:
                address = addresses.Address(hosts[0], info.port).endpoint
                found.append(Found(name.removesuffix("." + SERVICE), address))
    return found


def _heard(network: "Zeroconf", seconds: float) -> list[str]:
    """The full names of those who have said within this time that they are there."""
    from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

    names: set[str] = set()
    lock = threading.Lock()

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            with lock:
                names.add(name)

        def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            self.add_service(zc, type_, name)

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            with lock:
                names.discard(name)

    ServiceBrowser(network, SERVICE, Listener())
    time.sleep(seconds)
    with lock:
        return sorted(names)


@contextlib.contextmanager
def announced(listening: str) -> Iterator[None]:
    """Announce a worker that listens on HOST:PORT, for the block, if there is a network.

    Raises SemcolorError (LAN_NOT_INSTALLED).
    """
    try:
        import ifaddr
        from zeroconf import Error, ServiceInfo, Zeroconf
    except ImportError as error:
        raise SemcolorError(Code.LAN_NOT_INSTALLED) from error
    address = addresses.to_listen_on(listening)
    hosts = [address.host]
    if address.host in addresses.EVERYWHERE:
        every = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
        hosts = [host for host in every if isinstance(host, str) and _is_reachable(host)]
    name = socket.gethostname().partition(".")[0]
    info = ServiceInfo(
        SERVICE, f"{name}.{SERVICE}", address.port, parsed_addresses=hosts, server=f"{name}.local."
    )
    with contextlib.ExitStack() as registered:
        try:
            network = registered.enter_context(contextlib.closing(Zeroconf()))
            network.register_service(info, allow_name_change=True)
        except (OSError, Error) as error:
            log.warning("the worker can't be announced: %s", error)
        yield


def _is_reachable(host: str) -> bool:
    """Whether others may reach this address of ours."""
    return not ipaddress.ip_address(host).is_loopback
