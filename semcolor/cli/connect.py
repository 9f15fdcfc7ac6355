"""``semcolor connect``: choose the worker."""

import argparse
from typing import TYPE_CHECKING

from semcolor.client import discovery, local_worker

_FIND_SECONDS = 2.0

if TYPE_CHECKING:
    from . import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    connect = commands.add_parser("connect", help="use a worker on the LAN")
    connect.set_defaults(run=_connect)
    connect.add_argument(
        "invitation", metavar="LINE",
        help="what `semcolor worker invite` printed there; the address of a worker that was used "
        "before; or “local”",
    )  # fmt: skip
    workers = commands.add_parser("workers", help="list the workers that are known, and found")
    workers.set_defaults(run=_list)
    workers.add_argument(
        "--seconds", type=float, default=_FIND_SECONDS, metavar="N", help="how long to listen"
    )


def _list(options: argparse.Namespace) -> None:
    chosen = local_worker.remote_connection()
    used = chosen.address.removeprefix("tcp://") if chosen else ""
    known = local_worker.known_addresses()
    for address in known:
        print(f"{address}  {'in use' if address == used else 'known'}")
    for found in discovery.find(options.seconds):
        address = found.address.removeprefix("tcp://")
        if address not in known:
            print(f"{address}  {found.name}, found in the network: ask for an invitation")


def _connect(options: argparse.Namespace) -> None:
    chosen = local_worker.choose(options.invitation)
    if chosen.address:
        device = f", device {chosen.device}" if chosen.device else ""
        print(f"connected to {chosen.address}: {chosen.state}{device}")
    else:
        print("semcolor uses this machine's own worker again")
