"""``semcolor connect``: choose the worker."""

import argparse
from typing import TYPE_CHECKING

from semcolor.client import local_worker

if TYPE_CHECKING:
    from . import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    connect = commands.add_parser("connect", help="use a worker on the LAN")
    connect.set_defaults(run=_connect)
    connect.add_argument(
        "invitation", metavar="LINE", help="what `semcolor worker invite` printed there, or “local”"
    )


def _connect(options: argparse.Namespace) -> None:
    chosen = local_worker.choose(options.invitation)
    if chosen.address:
        device = f", device {chosen.device}" if chosen.device else ""
        print(f"connected to {chosen.address}: {chosen.state}{device}")
    else:
        print("semcolor uses this machine's own worker again")
