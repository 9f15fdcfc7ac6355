"""Findings as a text, and without what is nobody else's business."""

import getpass
import re
import socket
from collections.abc import Iterable
from pathlib import Path

from .findings import Finding, Level

_MARKS = {Level.OK: "ok      ", Level.WARNING: "warning ", Level.PROBLEM: "problem "}
_KEYS = re.compile(r"semcolor-2-[\w-]+|[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}(?=\W|$)")
_ADDRESS = re.compile(r"(?:tcp://)?(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d+")
_HOME = re.compile(
    r"(?:[A-Za-z]:)?[/\\](?:home|[Uu]sers)[/\\](?:[^/\\\s:][^/\\:\n]*(?=[/\\])|[^/\\\s:]+)"
)


def as_text(finding: Finding) -> str:
    """One finding, on a line or two."""
    line = f"{_MARKS[finding.level]}{finding.topic}: {finding.text}"
    return f"{line}\n        → {finding.advice}" if finding.advice else line


def without_private(findings: Iterable[Finding]) -> str:
    """All findings, to be shown to strangers: no user, home, machine, address or key."""
    text = "\n".join(map(as_text, findings))
    for name, stand_in in ((str(Path.home()), "~"), (socket.gethostname(), "HOST")):
        if len(name) > 1:
            text = text.replace(name, stand_in)
    text = _ADDRESS.sub("ADDRESS", _HOME.sub("~", text))
    return re.sub(rf"\b{re.escape(_user())}\b", "USER", _KEYS.sub("KEY", text))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "nobody in particular"
