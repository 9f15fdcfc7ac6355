"""The GIMPs of this user, and the plug-in in each."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from semcolor import __version__
from semcolor.client import processes
from semcolor.shared.bridge_schema import PREFIX_BYTES, PROTOCOL, pack_prefix, unpack_prefix
from semcolor.shared.gimps import Gimp, GimpKind, can_run_plugins, gimps, unstarted

from .findings import Finding, Level

_SET_UP = "Run semcolor's set-up again, then restart GIMP."
_PATIENCE_SECONDS = 60.0


def plugins() -> Iterator[Finding]:
    """Each GIMP, with what it needs to run the plug-in."""
    found = gimps()
    for gimp in found:
        yield from _plugin(gimp)
    never_started = unstarted()
    for sign in never_started:
        advice = "Start that GIMP once, close it, and run semcolor's set-up again."
        yield Finding("GIMP", Level.WARNING, f"{sign} was never started", advice)
    if not found and not never_started:
        advice = "Install GIMP 3, start it once, and run semcolor's set-up again."
        yield Finding("GIMP", Level.WARNING, "there is no GIMP 3 here", advice)


def _plugin(gimp: Gimp) -> Iterator[Finding]:
    name = f"{gimp.kind} ({gimp.profile})"
    script = gimp.plugin / "semcolor.py"
    if gimp.kind is GimpKind.SNAP:
        text = f"{name} lets no plug-in start other programs"
        yield Finding("GIMP", Level.WARNING, text, "Use a GIMP from Flathub or your distribution.")
        return
    if not script.is_file():
        yield Finding("GIMP", Level.PROBLEM, f"{name} has no plug-in", _SET_UP)
        return
    problem = _cannot_start(gimp, script) or _bridge_problem(gimp)
    if problem:
        yield Finding("GIMP", Level.PROBLEM, f"{name}: {problem}", _SET_UP)
    else:
        yield Finding("GIMP", Level.OK, f"{name} has the plug-in, and its bridge answers")


def _cannot_start(gimp: Gimp, script: Path) -> str:
    """Why GIMP would skip the plug-in without a word; empty if it would not."""
    if sys.platform == "win32":
        return ""
    if not os.access(script, os.X_OK):
        return f"{script} may not be executed"
    with script.open(encoding="utf-8") as file:
        interpreter = file.readline().removeprefix("#!").split()
    if gimp.kind is not GimpKind.SYSTEM or sys.platform == "darwin":
        return ""  # it brings a Python of its own
    if can_run_plugins(interpreter):
        return ""
    return f"{' '.join(interpreter)} can't run GIMP's plug-ins any more"


def _bridge_problem(gimp: Gimp) -> str:
    """Why the bridge does not answer; empty if it does."""
    try:
        command = json.loads((gimp.plugin / "install.json").read_text("utf-8"))["bridge"]
        if gimp.kind is GimpKind.FLATPAK:  # it runs inside
            return ""
        version = _bridge_version(command)
    except (OSError, ValueError, KeyError, struct.error, subprocess.SubprocessError) as error:
        return f"its bridge does not answer ({error or type(error).__name__})"
    return "" if version == __version__ else f"its bridge is of semcolor {version}"


def _bridge_version(command: list[str]) -> str:
    """What a bridge says of itself. Raises OSError, ValueError, SubprocessError."""
    hello = json.dumps({"op": "hello", "protocol": PROTOCOL}).encode()
    done = subprocess.run(
        command, input=pack_prefix(len(hello), 0) + hello, capture_output=True,
        timeout=_PATIENCE_SECONDS, check=True, creationflags=processes.NO_WINDOW,
    )  # fmt: skip
    header, _ = unpack_prefix(done.stdout[:PREFIX_BYTES])
    answer = json.loads(done.stdout[PREFIX_BYTES : PREFIX_BYTES + header])
    return str(answer.get("version", "an unknown version"))
