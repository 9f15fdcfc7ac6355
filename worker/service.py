"""The worker as a systemd service: it starts with the machine, and is started again if it ends."""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from semcolor.shared.errors import Code, SemcolorError, cannot_write

_NAME = "semcolor-worker.service"
_HOME = "semcolor"  # below /var/lib, of a system service
_FOLDERS = {"XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "cache"}

_UNIT = """\
# Written by `semcolor worker install-service`, which writes it anew.
[Unit]
Description=semcolor worker: colours photographs for clients of this machine and the LAN

[Service]
Type=notify
ExecStart={command}
WatchdogSec=60
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
KillMode=mixed
NoNewPrivileges=yes
LimitCORE=1
MemorySwapMax=0
MemoryMax=85%
{rest}
[Install]
WantedBy={target}
"""

# What it does not need. Devices and writable code are a GPU's.
_SYSTEM = """\
DynamicUser=yes
StateDirectory={home}
StateDirectoryMode=0700
UMask=0077
Environment={environment}
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
"""


class Serving(NamedTuple):
    """The options of `worker serve`."""

    listen: str | None = None
    metrics: int | None = None
    announce: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of `worker serve`, to whoever runs or installs it."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="for instance 0.0.0.0:7777")
    parser.add_argument(
        "--announce", action="store_true",
        help="let the local network find it (DNS-SD); an invitation is needed all the same",
    )  # fmt: skip
    parser.add_argument(
        "--metrics", metavar="PORT", type=int,
        help="figures for Prometheus at http://127.0.0.1:PORT/metrics",
    )  # fmt: skip


def unit(how: Serving, system: bool) -> str:
    """The text of the unit."""
    command = [sys.executable, "-m", "semcolor_worker"]
    command += ["--listen", how.listen] if how.listen else []
    command += ["--metrics", str(how.metrics)] if how.metrics else []
    command += ["--announce"] if how.announce else []
    folders = (f"{name}=%S/{_HOME}/{below}" for name, below in _FOLDERS.items())
    rest = _SYSTEM.format(home=_HOME, environment=" ".join(["HOME=%S/" + _HOME, *folders]))
    return _UNIT.format(
        command=" ".join(map(_quoted, command)),
        rest=rest if system else "",
        target="multi-user.target" if system else "default.target",
    )


def install(how: Serving, system: bool) -> Path:
    """Write the unit, start it, and let it start with the machine, or with the user's session.

    Raises SemcolorError: NO_SYSTEMD; CANNOT_WRITE; SERVICE_FAILED where systemd can't start it.
    """
    _require_systemd()
    path = _unit_file(system)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit(how, system), "utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error
    _systemctl(system, "daemon-reload")
    _systemctl(system, "enable", _NAME)
    _systemctl(system, "restart", _NAME)
    return path


def uninstall(system: bool) -> bool:
    """Stop it for good; keys and settings stay. False: it was not installed.

    Raises SemcolorError: NO_SYSTEMD, CANNOT_WRITE, SERVICE_FAILED.
    """
    _require_systemd()
    path = _unit_file(system)
    if not path.exists():
        return False
    _systemctl(system, "disable", "--now", _NAME)
    try:
        path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error
    _systemctl(system, "daemon-reload")
    return True


@contextlib.contextmanager
def folders_of_system() -> Iterator[None]:
    """In the block, settings, keys and state are those of the system's service."""
    before = {name: os.environ.get(name) for name in _FOLDERS}
    os.environ |= {name: f"/var/lib/{_HOME}/{below}" for name, below in _FOLDERS.items()}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _unit_file(system: bool) -> Path:
    if system:
        return Path("/etc/systemd/system", _NAME)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config, "systemd/user", _NAME)


def _require_systemd() -> None:
    if not shutil.which("systemctl"):
        raise SemcolorError(Code.NO_SYSTEMD)


def _systemctl(system: bool, *words: str) -> None:
    command = ["systemctl", "--system" if system else "--user", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        journal = "journalctl " + ("" if system else "--user ") + f"-u {_NAME}"
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise SemcolorError(Code.SERVICE_FAILED, reason=reason, journal=journal)


def _quoted(word: str) -> str:
    """As systemd reads it: no specifier, no variable, no blank that ends it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or " " in word else word
