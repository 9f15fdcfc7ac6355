"""What the set-up does, step by step: environment, PyTorch, command, plug-in, worker, a photo."""

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from semcolor.shared.atomic_files import make_private_folder
from semcolor.shared.classes import gimp_palette
from semcolor.shared.gimps import GimpKind, gimps, unstarted

from . import environment as env
from . import flatpak, folders, plugin, source
from .graphics import Build, fitting_build

_EXTRAS = ["worker", "lan"]
_NEWEST_PYTHON = (3, 14)  # that PyTorch 2.13 has builds for
_FOLDER = "from semcolor.client import settings; print(settings.{}_folder(), end='')"
_NO_GIMP = {
    "linux": "Install it (Debian 13, Ubuntu 25.04 and newer: `sudo apt install gimp "
    "gir1.2-gimp-3.0 python3-gi`)",
    "win32": "Install it from gimp.org",
    "darwin": "Install it from gimp.org",
}


class Home(NamedTuple):
    """Where semcolor is, or is to be, installed."""

    python: Path
    command: Path

    @classmethod
    def of(cls, venv: Path) -> "Home":
        """An environment's."""
        return cls(folders.python_of(venv), folders.command_of(venv))


def home() -> Home:
    """Of a checkout, an environment of its own; else the one that semcolor is installed in."""
    if source.CHECKOUT:
        return Home.of(folders.data_dir() / "venv")
    # Windows' own Python has its programs in a folder beside it.
    scripts = Path(sysconfig.get_path("scripts"))
    return Home(Path(sys.executable), scripts / folders.COMMAND)


def install() -> None:
    """Install or update everything, and colour a sample photo.

    Raises:
        SetupError: a step failed that the others need.
        OSError: a file can't be written.
    """
    if sys.version_info[:2] > _NEWEST_PYTHON:
        raise env.SetupError(
            "PyTorch has no build for Python {}.{} yet. Install Python {}.{} beside it, and run "
            "the set-up with that one.".format(*sys.version_info[:2], *_NEWEST_PYTHON)
        )
    log = folders.data_dir() / "setup.log"
    make_private_folder(folders.data_dir())  # on Windows keys are beside
    log.unlink(missing_ok=True)
    build = fitting_build()
    where = home()
    check_room(build, where)
    stop_worker(where.command)  # it would go on with the old program

    print(f"1/5 The Python environment {where.python.parent.parent}", flush=True)
    make_home(where, log)

    print(f"2/5 PyTorch ({build.name}) and other packages; some minutes at first", flush=True)
    if build.why:
        warn(build.why)
    install_packages(where, build, log)

    print(f"3/5 The command {where.command}", flush=True)
    if source.CHECKOUT:
        link(where.command)

    print("4/5 The GIMP plug-in", flush=True)
    install_plugins(where, log)

    print("5/5 The worker, and a first photo", flush=True)
    picture = Path.cwd() / "semcolor-sample.png"
    again = "Do what it says, and run this again."
    env.run([where.command, "worker", "start"], log, f"The worker doesn't start. {again}")
    colorize = [where.command, "colorize", source.SAMPLE, "-o", picture, "--force"]
    env.run(colorize, log, f"The worker runs, but can't colour the sample. {again}")
    print(f"\nsemcolor is ready, and {source.SAMPLE.name} is now in colour:\n{picture}")


def check_room(build: Build, where: Home) -> None:
    """Say how much comes and whether there is room for it. Raises SetupError where there is not."""
    if env.has_packages(where.python):
        return
    free = shutil.disk_usage(folders.data_dir()).free / 1e9
    print(
        f"About {build.download:.1f} GB are downloaded and {build.disk:.1f} GB used on the disk, "
        f"which has {free:.1f} GB free.",
        flush=True,
    )
    if free < build.disk:
        raise env.SetupError(
            f"{folders.data_dir()} is on a disk with too little room. Make some, and run this "
            "again."
        )


def make_home(where: Home, log: Path) -> None:
    """Make the environment, if it is not there. Raises SetupError."""
    if source.CHECKOUT:
        env.make_venv(where.python.parent.parent, log)
        return
    in_system = sys.prefix == sys.base_prefix
    if in_system and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        raise env.SetupError(
            "semcolor is installed in your system's own Python, where nothing else may be put. "
            "Install it with `pipx install semcolor` instead, and run `semcolor setup` again."
        )
    env.require_pip([where.python], log)


def install_packages(where: Home, build: Build, log: Path) -> None:
    """Install PyTorch, what else the worker needs, and semcolor itself. Raises SetupError."""
    needed = env.own_requirements(_EXTRAS)
    arguments = env.torch_arguments(build, needed)
    env.install_requirements([where.python], needed, arguments, log)
    if source.CHECKOUT:
        env.install_project([where.python], source.CHECKOUT, log)


def uninstall() -> None:
    """Take out what `install` put in, except what belongs to the user."""
    where, data = home(), folders.data_dir()
    settings = ask(where.python, _FOLDER.format("config"))
    state = ask(where.python, _FOLDER.format("state"))
    stop_worker(where.command)
    remove_service(where.command)
    if state:  # the worker's log
        shutil.rmtree(state, ignore_errors=True)
    for gimp in gimps():
        plugin.remove_plugin(gimp)
    if folders.is_link(folders.link_path(), folders.command_of(data / "venv")):
        folders.link_path().unlink()
    for venv in (data / "venv", flatpak.venv()):
        if venv.exists():
            shutil.rmtree(venv)
    (data / "setup.log").unlink(missing_ok=True)
    if data.exists() and not any_file(data):
        data.rmdir()
    print("semcolor, its command and its GIMP plug-in are removed.")
    if not source.CHECKOUT:
        print("Now `pipx uninstall semcolor` (or as you installed it) takes the rest.")
    users = dict.fromkeys([data, *([Path(settings)] if settings else [])])
    kept = [folder for folder in users if any_file(folder)]
    if kept:
        print("Your settings and weights are kept; if you want, delete these folders yourself:")
        print(*kept, sep="\n")


def link(command: Path) -> None:
    """Put the command where the shell finds it; say so if it won't."""
    name = folders.link_path()
    if not folders.make_link(name, command):
        warn(f"{name} is not semcolor's and was left alone. Start {command} instead.")
    elif str(name.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        warn(
            f"{name.parent} is not in PATH. Log out and in again (most systems add it then), "
            f"or start semcolor as {name}."
        )


def install_plugins(where: Home, log: Path) -> None:
    """Install the plug-in in every GIMP 3 of this user; a problem with one stops nothing."""
    # -I: GIMP's own PYTHONHOME, its PYTHONPATH and its current folder are nothing to the bridge.
    bridge = [str(where.python), "-I", "-m", "semcolor.bridge"]
    found = gimps()
    flatpak_bridge = None
    if any(gimp.kind is GimpKind.FLATPAK for gimp in found):
        try:
            flatpak_bridge = flatpak.install_bridge(where.command, log)
        except env.SetupError as error:
            warn(f"GIMP from Flatpak can't be served: {error}")
    for gimp in found:
        if gimp.kind is GimpKind.SNAP:
            warn(
                f"{gimp.kind} lets no plug-in start other programs, so semcolor can't work in it. "
                "The command `semcolor` works, and so does GIMP from Flathub or your distribution."
            )
            continue
        if gimp.kind is GimpKind.FLATPAK and flatpak_bridge is None:
            continue
        try:
            path = plugin.install_plugin(gimp, bridge, flatpak_bridge, palette=gimp_palette())
            print(f"    {path}")
        except plugin.PluginInstallError as error:
            warn(f"Not installed in {gimp.profile}: {error}")
    never_started = unstarted()
    for sign in never_started:
        warn(f"{sign} was never started. Start that GIMP once, close it, and run this again.")
    if not found and not never_started:
        advice = _NO_GIMP.get(sys.platform, _NO_GIMP["linux"])
        warn(
            f"There is no GIMP 3 here. {advice}, start it once, close it, and run this again. The "
            "command `semcolor` works without it."
        )


def stop_worker(command: Path) -> None:
    """Stop the worker, if there is one; say so if it may go on."""
    if not command.exists():
        return
    try:
        subprocess.run([command, "worker", "stop"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        warn("The worker can't be stopped. If it still runs, end it or restart the computer.")


def remove_service(command: Path) -> None:
    """Take out the worker's service, if it was installed as one."""
    if sys.platform == "linux" and command.exists():
        with contextlib.suppress(OSError):
            asked = [str(command), "worker", "uninstall-service"]
            subprocess.run(asked, capture_output=True, check=False)  # maybe there is no systemd


def ask(python: Path, code: str) -> str | None:
    """What a line of Python prints in the environment, or None when it doesn't work."""
    try:
        done = subprocess.run([python, "-Ic", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def any_file(folder: Path) -> bool:
    """Whether there is anything in a folder, which needn't exist."""
    return folder.is_dir() and any(folder.iterdir())


def warn(message: str) -> None:
    """Say what needs the user's attention and doesn't stop the set-up."""
    print(f"    Note: {message}", flush=True)
