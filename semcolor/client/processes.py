"""How processes of ours are started, here and on Windows."""

import os
import subprocess
import sys

NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""``creationflags`` of a child that is to open no console window on Windows."""


def command(module: str, *arguments: str) -> list[str]:
    """The argument list that runs a module with this Python, in `environment`.

    The child is the Python itself: in a virtual environment on Windows, ``sys.executable`` is only
    a small program that starts another one, whose process id and end nobody would know.
    """
    python: str = getattr(sys, "_base_executable", sys.executable)
    return [python if sys.platform == "win32" else sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """For a child by `command`."""
    if sys.platform == "win32":
        # The name is CPython's own: so the Python knows in which virtual environment it is.
        return {**os.environ, "__PYVENV_LAUNCHER__": sys.executable, "PYTHONUTF8": "1"}
    return dict(os.environ)
