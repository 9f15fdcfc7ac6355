"""The bridge inside of GIMP's Flatpak, whose sandbox starts no program of the system's.

Its own Python gets an environment of its own in the user's home, which the sandbox sees. The worker
runs outside, as a service of the user, or inside where there is no systemd.
"""

import os
import shutil
from pathlib import Path

from semcolor.shared.gimps import FLATPAK_ID

from . import environment as env
from . import folders, source
from .graphics import CPU

_INSIDE = ["flatpak", "run", "--command=env", FLATPAK_ID]
_HOMES = {"XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state"}
# semcolor's files are the user's, not the sandbox's own.


def venv() -> Path:
    """The environment of the sandbox's Python."""
    return folders.data_dir() / "flatpak-venv"


def install_bridge(command: Path, log: Path) -> list[str]:
    """Install it, and have a worker run for it; return the argument list that starts it inside.

    ``command``: semcolor outside. Raises SetupError.
    """
    if not shutil.which("flatpak"):
        raise env.SetupError("the command `flatpak` is not in PATH.")
    print("    For GIMP from Flatpak: an environment of its own Python", flush=True)
    python = env.make_venv(venv(), log, [*_INSIDE, "python3"])
    is_outside = _install_service(command, log)
    needed = env.own_requirements([] if is_outside else ["worker"])
    arguments = [] if is_outside else env.torch_arguments(CPU, needed)
    env.install_requirements([*_INSIDE, python], needed, arguments, log)
    if source.CHECKOUT:
        env.install_project([*_INSIDE, python], source.CHECKOUT, log)
    else:
        env.copy_package(next(venv().glob("lib/python3*/site-packages")))
    variables = [f"{name}={_home(name)}" for name in _HOMES]
    return ["env", *variables, str(python), "-I", "-m", "semcolor.bridge"]


def _install_service(command: Path, log: Path) -> bool:
    """Whether the worker runs as a service now."""
    asked = [str(command), "worker", "install-service"]
    try:
        env.run(asked, log, "There is no service for the worker.")
    except env.SetupError:
        return False
    return True


def _home(name: str) -> str:
    return os.environ.get(name) or str(Path.home() / _HOMES[name])
