"""Where the set-up puts things on each system. Standard library only."""

import os
import sys
from pathlib import Path

COMMAND = "semcolor.exe" if sys.platform == "win32" else "semcolor"


def data_dir() -> Path:
    """Where the environment is; weights that the user adds may be beside it."""
    if sys.platform == "win32":
        return Path(os.environ["LOCALAPPDATA"]) / "semcolor"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "semcolor"


def scripts(venv: Path) -> Path:
    """The folder of an environment's programs."""
    return venv / ("Scripts" if sys.platform == "win32" else "bin")


def python_of(venv: Path) -> Path:
    """An environment's Python."""
    return scripts(venv) / ("python.exe" if sys.platform == "win32" else "python")


def command_of(venv: Path) -> Path:
    """The command `semcolor` in an environment."""
    return scripts(venv) / COMMAND


def link_path() -> Path:
    """Where the command is put for the user: a folder that systems have in PATH."""
    if sys.platform == "win32":
        return Path(os.environ["LOCALAPPDATA"]) / "Microsoft" / "WindowsApps" / "semcolor.cmd"
    return Path.home() / ".local/bin/semcolor"


def make_link(link: Path, command: Path) -> bool:
    """Let a name start a command; False where the name is somebody else's. Raises OSError."""
    if os.path.lexists(link) and not is_link(link):
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    if sys.platform == "win32":
        link.write_text(_script(command), "utf-8")
    else:
        link.symlink_to(command)
    return True


def is_link(link: Path, command: Path | None = None) -> bool:
    """Whether `make_link` has made it, for this command if one is given."""
    if sys.platform == "win32":
        text = link.read_text("utf-8", "replace") if link.is_file() else ""
        return text.startswith(_SCRIPT_MARK) if command is None else text == _script(command)
    return link.is_symlink() and command in (None, link.readlink())


_SCRIPT_MARK = "@rem semcolor's set-up has made this file.\n"


def _script(command: Path) -> str:
    # Windows' links need rights that few users have. 65001: names may have any letter.
    return f'{_SCRIPT_MARK}@chcp 65001 >nul\n@"{command}" %*\n'
