"""``semcolor worker …``: the process that does the work."""

import argparse
import contextlib
import json
import re
import socket
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from semcolor.client import addresses, keys, local_worker, settings
from semcolor.protocol.results import StatusResult
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import clients, service
from semcolor_worker.clients import Client, Usage
from semcolor_worker.service import Serving

_DAYS, _MOST_DAYS = 7, 3650  # of an invitation

if TYPE_CHECKING:
    from semcolor.cli import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    worker = commands.add_parser("worker", help="the process that does the work")
    actions = worker.add_subparsers(required=True, metavar="ACTION")
    _add_service_commands(actions)
    for name, run, text in (
        ("start", _start, "start it in the background, unless it runs"),
        ("stop", _stop, "end it"),
    ):
        actions.add_parser(name, help=text).set_defaults(run=run)
    status = actions.add_parser("status", help="how it is")
    status.set_defaults(run=_status)
    status.add_argument("--json", action="store_true", help="as one line of JSON")
    _add_system(status)
    serve = actions.add_parser("serve", help="run it in the foreground, for the LAN too")
    serve.set_defaults(run=_serve)
    service.add_options(serve)
    devices = actions.add_parser("devices", help="on which devices it computes, from now on")
    devices.set_defaults(run=_devices)
    devices.add_argument(
        "devices", metavar="DEVICES", help="for instance cuda:0,cuda:1, cpu or all (the default)"
    )
    _add_client_commands(actions)


def _add_service_commands(actions: "Commands") -> None:
    install = actions.add_parser("install-service", help="let systemd run it, from every start on")
    install.set_defaults(run=_install_service)
    service.add_options(install)
    uninstall = actions.add_parser("uninstall-service", help="end that; keys and settings stay")
    uninstall.set_defaults(run=_uninstall_service)
    for parser in (install, uninstall):
        parser.add_argument(
            "--system", action="store_true",
            help="as a service of the machine (as root), not of your own session",
        )  # fmt: skip


def _add_client_commands(actions: "Commands") -> None:
    invite = actions.add_parser("invite", help="let a client on the LAN in; prints one line for it")
    invite.set_defaults(run=_invite)
    invite.add_argument("name", metavar="NAME", help="what to call this client")
    invite.add_argument("--replace", action="store_true", help="shut out who had this name before")
    invite.add_argument(
        "--address", metavar="HOST[:PORT]",
        help="where this client finds the worker (default: this machine's name, or the one address "
        "on which it listens)",
    )  # fmt: skip
    invite.add_argument(
        "--days", type=_days, default=_DAYS, metavar="N",
        help=f"for how long the line is good (default: {_DAYS}); it is good once",
    )  # fmt: skip
    listed = actions.add_parser("clients", help="list those who were invited, and what they did")
    listed.set_defaults(run=_clients)
    revoke = actions.add_parser("revoke", help="shut a client out, at once")
    revoke.set_defaults(run=_revoke)
    revoke.add_argument("name", metavar="NAME", help="what the client was invited as")
    for parser in (invite, listed, revoke):
        _add_system(parser)


def _days(text: str) -> float:
    """For argparse: how long an invitation may be good."""
    days = float(text)
    if not 0 < days <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"say more than 0 and at most {_MOST_DAYS}")
    return days


def _add_system(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--system", action="store_true", help="of the machine's own service (as root)"
    )


def restart_worker() -> None:
    """Restart this machine's worker, for what was just chosen to count; print what was done."""
    done = local_worker.restart()
    if not done.was_running:
        print("no worker was running")
    elif done.listening:
        print(f"the worker serves the LAN at {done.listening}: stop it and start it again yourself")
    else:
        print("the worker was restarted")


def _start(_: argparse.Namespace) -> None:
    with contextlib.closing(local_worker.start()) as client:
        print(f"the worker runs (pid {client.hello().pid}, {client.status().state})")


def _status(options: argparse.Namespace) -> None:
    with _folders(options):
        _print_status(options)


def _print_status(options: argparse.Namespace) -> None:
    remote = local_worker.remote_connection()
    client = local_worker.connect() if remote else local_worker.running()
    if client is None:
        raise SemcolorError(Code.NOT_RUNNING)
    with contextlib.closing(client):
        status = client.status()
    if options.json:
        print(json.dumps(_as_dict(status, client.connection.address)))
        return
    print(f"{status.state} at {client.connection.address}, version {status.version}")
    print(f"device    {status.device or 'not known yet'}")
    for engine in status.engines:
        fault = engine.fault and str(engine.fault.error)
        if fault and not engine.is_used:
            fault += " It is tried again after a restart."
        if fault or len(status.engines) > 1:
            print(f"  {engine.device:7} {fault or engine.state}")
    print(f"models    {', '.join(status.models) or 'not loaded yet'}")
    print(f"LAN       {status.listening or 'no'}")
    print(f"sessions  {status.sessions}, jobs waiting or running: {status.waiting}")
    print(f"memory    {status.planes_bytes / 1e6:.0f} MB of photos and label maps")
    print(f"restarts  {status.restarts}")


def _as_dict(status: StatusResult, address: str) -> dict[str, Any]:
    """What a status says, for JSON: faults are sentences."""
    engines = [
        {
            "device": engine.device,
            "state": str(engine.state),
            "fault": str(engine.fault.error) if engine.fault else None,
        }
        for engine in status.engines
    ]
    rest = ("version", "device", "models", "listening", "sessions", "waiting", "planes_bytes",
            "restarts")  # fmt: skip
    said = {name: getattr(status, name) for name in rest}
    return {"address": address, "state": str(status.state), "engines": engines} | said


def _stop(_: argparse.Namespace) -> None:
    print("the worker has stopped" if local_worker.stop() else "no worker was running")


def _devices(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    names = [] if options.devices == "all" else options.devices.split(",")
    for name in names:
        if not re.fullmatch(r"cpu|mps|cuda:\d+", name):
            raise SemcolorError(Code.DEVICE_NAME, name=name)
    settings.set_devices(names)
    print(f"from now on: {', '.join(names) or 'every GPU, or the CPU where there is none'}")
    restart_worker()


def _serve(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.__main__ import serve

    serve(options.listen, options.metrics, options.announce)


def _install_service(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    if options.listen:
        addresses.to_listen_on(options.listen)
    local_worker.stop()  # of the two, only one would run
    how = Serving(options.listen, options.metrics, options.announce)
    print(f"installed as {service.install(how, options.system)}, and running")


def _uninstall_service(options: argparse.Namespace) -> None:
    done = service.uninstall(options.system)
    print("the service is gone" if done else "there was no such service")


def _folders(options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    return service.folders_of_system() if options.system else contextlib.nullcontext()


def _invite(options: argparse.Namespace) -> None:
    with _folders(options):
        _do_invite(options)


def _do_invite(options: argparse.Namespace) -> None:
    client = local_worker.running()
    listening = ""
    if client is not None:
        with contextlib.closing(client):
            listening = client.status().listening
    if not listening:
        raise SemcolorError(Code.NOT_SERVING_LAN)
    listens = addresses.parse(listening)
    host = socket.gethostname() if listens.host in addresses.EVERYWHERE else listens.host
    named = addresses.parse(options.address or host, listens.port)
    pair = keys.KeyPair.generate()
    lasts = timedelta(days=options.days)
    clients.invite(options.name, pair.public, lasts, options.replace)
    connection = keys.Connection(named.endpoint, keys.server_keys().public, pair)
    print(keys.encode_invitation(connection))
    print(
        f"Paste this line to {options.name}: `semcolor connect LINE`. It opens the worker to "
        f"whoever uses it first, within {options.days:g} days: send it privately.",
        file=sys.stderr,
    )


def _clients(options: argparse.Namespace) -> None:
    with _folders(options):
        usage, known = clients.usage(), clients.authorized()
    for client in known:
        print(f"{client.name}  {client.public[:8]}…  {_told(client, usage.get(client.public))}")


def _told(client: Client, usage: Usage | None) -> str:
    """How it is with a client."""
    if client.has_expired:
        return "the invitation has ended"
    if client.until is not None:
        return f"invited until {client.until.astimezone():%Y-%m-%d %H:%M}"
    if usage is None:
        return "never seen"
    seen = datetime.fromtimestamp(usage.seen).astimezone()
    received = f"{usage.received / 1e6:.0f} MB received"
    return f"seen {seen:%Y-%m-%d %H:%M}, {usage.requests} requests, {received}"


def _revoke(options: argparse.Namespace) -> None:
    with _folders(options):
        clients.revoke(options.name)
    print(f"{options.name} is shut out")
