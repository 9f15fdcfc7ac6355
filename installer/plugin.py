"""Put the plug-in into GIMP's folders, and take it out again. Standard library only."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from semcolor.shared.atomic_files import patiently, replacing
from semcolor.shared.classes import PALETTE_FILE
from semcolor.shared.gimps import Gimp, GimpKind, can_run_plugins

from . import source

_SYSTEM_PYTHONS = "/usr/bin"


class PluginInstallError(Exception):
    """The plug-in can't be installed. The message says what to do."""


def install_plugin(
    gimp: Gimp,
    bridge: list[str],
    flatpak_bridge: list[str] | None = None,
    palette: str | None = None,
) -> Path:
    """Install the plug-in in a GIMP's user folder, replacing an older one as a whole.

    Args:
        gimp: its folder is made when it isn't there.
        bridge: the argument list that starts the bridge, with an absolute program.
        flatpak_bridge: the one to use inside of a Flatpak, which may share a folder with others.
        palette: the text of a `.gpl` file, installed beside it.

    Returns:
        The installed folder.

    Raises:
        PluginInstallError: no Python here can run GIMP plug-ins, or a file can't be written.
    """
    # Elsewhere, GIMP brings its own Python and finds it by itself.
    own_python = sys.platform in ("win32", "darwin") or gimp.kind is not GimpKind.SYSTEM
    interpreter = None if own_python else find_interpreter()
    commands = {"bridge": bridge} | ({"flatpak": flatpak_bridge} if flatpak_bridge else {})
    try:
        gimp.plugin.parent.mkdir(parents=True, exist_ok=True)
        # Beside plug-ins/, not in it: GIMP would complain of a half-made folder there.
        with tempfile.TemporaryDirectory(dir=gimp.profile, prefix=".semcolor-") as scratch:
            made = Path(scratch) / "new"
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source.PLUGIN, made, ignore=unwanted)
            shutil.copytree(source.SHARED, made / "shared", ignore=unwanted)
            _make_executable(made / "semcolor.py", interpreter)
            text = json.dumps(commands, indent=2) + "\n"
            (made / "install.json").write_text(text, encoding="utf-8")
            if gimp.plugin.exists():
                patiently(lambda: gimp.plugin.rename(Path(scratch) / "old"))
            patiently(lambda: made.rename(gimp.plugin))
        if palette is not None:
            path = _palette_path(gimp)
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as part:
                part.write_text(palette, encoding="utf-8")
    except OSError as error:
        raise PluginInstallError(
            f"{error.filename or gimp.profile} can't be written ({error.strerror}). Close GIMP, "
            "make it writable for you, and run the set-up again."
        ) from error
    return gimp.plugin


def remove_plugin(gimp: Gimp) -> None:
    """Take out what `install_plugin` put in this GIMP's user folder; nothing there is fine."""
    shutil.rmtree(gimp.plugin, ignore_errors=True)
    _palette_path(gimp).unlink(missing_ok=True)


def find_interpreter() -> str:
    """The Python that runs GIMP's plug-ins: the first that can really import GIMP's library.

    It has to be tried because GIMP skips a plug-in without a word when its interpreter lacks `gi`,
    which is so for a Python of pyenv or conda that comes first in PATH.
    """
    for candidate in _interpreters():
        if can_run_plugins([candidate]):
            return candidate
    raise PluginInstallError(
        "None of the Pythons here can run GIMP 3 plug-ins. Install GIMP's Python support "
        "(Debian and Ubuntu: `sudo apt install python3-gi gir1.2-gimp-3.0`), and run the set-up "
        "again."
    )


def _interpreters() -> Iterator[str]:
    """Absolute paths of the Pythons to try, the system's first, each once."""
    seen = set()
    folders = [_SYSTEM_PYTHONS, *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for folder in folders:
        for path in sorted(Path(folder).glob("python3*")):
            # python3, python3.13, but not python3-config
            plain = path.name.removeprefix("python3").removeprefix(".").isdigit()
            if (plain or path.name == "python3") and str(path) not in seen:
                seen.add(str(path))
                yield str(path)


def _make_executable(script: Path, interpreter: str | None) -> None:
    if interpreter:
        _, _, rest = script.read_text(encoding="utf-8").partition("\n")
        script.write_text(f"#!{interpreter}\n{rest}", encoding="utf-8", newline="\n")
    script.chmod(0o755)  # a wheel does not keep that


def _palette_path(gimp: Gimp) -> Path:
    return gimp.profile / "palettes" / PALETTE_FILE
