"""Put the plug-in into GIMP's folders, and take it out again. Standard library only."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from semcolor.shared.atomic_files import replacing
from semcolor.shared.classes import PALETTE_FILE

CHECKOUT = Path(__file__).resolve().parent.parent
PLUGIN_SOURCE = CHECKOUT / "gimp_plugin" / "semcolor"
SHARED_SOURCE = CHECKOUT / "semcolor" / "shared"

_NAME = "semcolor"
_SYSTEM_PYTHONS = "/usr/bin"
_TEST_IMPORT = "import gi; gi.require_version('Gimp', '3.0'); from gi.repository import Gimp"


class PluginInstallError(Exception):
    """The plug-in can't be installed. The message says what to do."""


def gimp_profiles() -> list[Path]:
    """The user folders of every GIMP 3 that has been started here, such as `~/.config/GIMP/3.0`.

    A Flatpak's folder is not among them: its GIMP can't start programs outside of its sandbox.
    """
    chosen = os.environ.get("GIMP3_DIRECTORY")
    if chosen:
        return [Path(chosen)]
    return sorted(path for path in _config_dir().glob("GIMP/3.*") if path.is_dir())


def flatpak_profiles() -> list[Path]:
    """The user folders of GIMP 3 from Flatpak, in which the plug-in can't run yet."""
    return sorted(Path.home().glob(".var/app/org.gimp.GIMP/config/GIMP/3.*"))


def install_plugin(
    profile: Path,
    bridge_command: list[str],
    source: Path = PLUGIN_SOURCE,
    palette: str | None = None,
) -> Path:
    """Install the plug-in in a GIMP user folder, replacing an older one as a whole.

    Args:
        profile: one of `gimp_profiles()`; made when it isn't there.
        bridge_command: the argument list that starts the bridge, with an absolute program.
        source: the plug-in's folder.
        palette: the text of a `.gpl` file, installed beside it.

    Returns:
        The installed folder.

    Raises:
        PluginInstallError: no Python here can run GIMP plug-ins, or a file can't be written.
    """
    # On Windows and macOS, GIMP brings its own Python and finds it by itself.
    interpreter = None if sys.platform in ("win32", "darwin") else find_interpreter()
    plugins = profile / "plug-ins"
    target = plugins / _NAME
    try:
        plugins.mkdir(parents=True, exist_ok=True)
        # Beside plug-ins/, not in it: GIMP would complain of a half-made folder there.
        with tempfile.TemporaryDirectory(dir=profile, prefix=".semcolor-") as scratch:
            made = Path(scratch) / "new"
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, made, ignore=unwanted)
            shutil.copytree(SHARED_SOURCE, made / "shared", ignore=unwanted)
            if interpreter:
                _write_shebang(made / f"{_NAME}.py", interpreter)
            install = json.dumps({"bridge": bridge_command}, indent=2)
            (made / "install.json").write_text(install + "\n", encoding="utf-8")
            if target.exists():
                target.rename(Path(scratch) / "old")
            made.rename(target)
        if palette is not None:
            path = _palette_path(profile)
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as part:
                part.write_text(palette, encoding="utf-8")
    except OSError as error:
        raise PluginInstallError(
            f"{error.filename or profile} can't be written ({error.strerror}). "
            "Make it writable for you, and run the set-up again."
        ) from error
    return target


def remove_plugin(profile: Path) -> None:
    """Take out what `install_plugin` put in this GIMP user folder; nothing there is fine."""
    shutil.rmtree(profile / "plug-ins" / _NAME, ignore_errors=True)
    _palette_path(profile).unlink(missing_ok=True)


def find_interpreter() -> str:
    """The Python that runs GIMP's plug-ins: the first that can really import GIMP's library.

    It has to be tried because GIMP skips a plug-in without a word when its interpreter lacks `gi`,
    which is so for a Python of pyenv or conda that comes first in PATH.
    """
    for candidate in _interpreters():
        if _can_import_gimp(candidate):
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


def _can_import_gimp(interpreter: str) -> bool:
    try:
        done = subprocess.run(
            [interpreter, "-c", _TEST_IMPORT], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _write_shebang(script: Path, interpreter: str) -> None:
    _, _, rest = script.read_text(encoding="utf-8").partition("\n")
    script.write_text(f"#!{interpreter}\n{rest}", encoding="utf-8")
    script.chmod(0o755)


def _palette_path(profile: Path) -> Path:
    return profile / "palettes" / PALETTE_FILE


def _config_dir() -> Path:
    """Where GIMP keeps its user folders on this system."""
    if sys.platform == "win32":
        return Path(os.environ["APPDATA"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
