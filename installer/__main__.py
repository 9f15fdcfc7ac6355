"""The set-up: `python3 -m installer`, and `python3 -m installer --uninstall`."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from semcolor.shared.classes import gimp_palette

from . import environment as env
from . import plugin

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLE = CHECKOUT / "samples" / "dust-bowl-home.jpg"

_FOLDER = "from semcolor.client import settings; print(settings.{}_folder(), end='')"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m installer", description="Set up semcolor.")
    parser.add_argument("--uninstall", action="store_true", help="take it out again")
    arguments = parser.parse_args()
    try:
        if os.name != "posix":
            raise env.SetupError("semcolor's set-up runs on Linux and macOS so far.")
        if arguments.uninstall:
            uninstall()
        else:
            install()
    except env.SetupError as error:
        print(f"\n{error}", file=sys.stderr)
    except OSError as error:
        print(
            f"\n{error.filename or 'A file'} can't be written ({error.strerror}). "
            "Make it writable for you, and run this again.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("\nStopped. Run this again to go on.", file=sys.stderr)
    else:
        return 0
    return 1


def install() -> None:
    """Install or update everything, and colour a sample photo.

    Raises:
        SetupError: a step failed that the others need.
        OSError: a file can't be written.
    """
    if not (CHECKOUT / "pyproject.toml").is_file():
        raise env.SetupError("Run the set-up in a copy of semcolor's repository.")
    venv, link, log = data_dir() / "venv", link_path(), data_dir() / "setup.log"
    data_dir().mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)

    print(f"1/5 A Python environment in {venv}", flush=True)
    stop_worker(venv)  # it would go on with the old program
    python = env.make_venv(venv, log)

    nvidia = env.has_nvidia()
    options = env.torch_options(sys.platform, nvidia)
    build = "for your NVIDIA card" if nvidia else "for the processor"
    print(f"2/5 PyTorch {build} and other packages; some minutes at first", flush=True)
    env.install_requirements(python, env.requirements(CHECKOUT, ["worker", "lan"]), options, log)
    env.install_project(python, CHECKOUT, log)

    print(f"3/5 The command {link}", flush=True)
    make_link(link, venv / "bin" / "semcolor")

    print("4/5 The GIMP plug-in", flush=True)
    install_plugins(python)

    print("5/5 The worker, and a first photo", flush=True)
    command, picture = venv / "bin" / "semcolor", Path.cwd() / "semcolor-sample.png"
    again = "Do what it says, and run this again."
    env.run([command, "worker", "start"], log, f"The worker doesn't start. {again}")
    colorize = [command, "colorize", SAMPLE, "-o", picture, "--force"]
    env.run(colorize, log, f"The worker runs, but can't colour the sample. {again}")
    print(f"\nsemcolor is ready, and {SAMPLE.name} is now in colour:\n{picture}")


def uninstall() -> None:
    """Take out what `install` put in, except what belongs to the user."""
    venv, link = data_dir() / "venv", link_path()
    settings = ask(venv / "bin" / "python", _FOLDER.format("config"))
    state = ask(venv / "bin" / "python", _FOLDER.format("state"))
    stop_worker(venv)
    if state:  # the worker's log
        shutil.rmtree(state, ignore_errors=True)
    for profile in [*plugin.gimp_profiles(), *plugin.flatpak_profiles()]:
        plugin.remove_plugin(profile)
    if link.is_symlink() and link.readlink() == venv / "bin" / "semcolor":
        link.unlink()
    if venv.exists():
        shutil.rmtree(venv)
    (data_dir() / "setup.log").unlink(missing_ok=True)
    if data_dir().exists() and not any_file(data_dir()):
        data_dir().rmdir()
    print("semcolor, its command and its GIMP plug-in are removed.")
    users = [data_dir(), *([Path(settings)] if settings else [])]
    kept = [folder for folder in users if any_file(folder)]
    if kept:
        print("Your settings and weights are kept; if you want, delete these folders yourself:")
        print(*kept, sep="\n")


def data_dir() -> Path:
    """Where the environment is; weights that the user adds may be beside it."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "semcolor"


def link_path() -> Path:
    """Where the command is put for the user."""
    return Path.home() / ".local/bin/semcolor"


def make_link(link: Path, target: Path) -> None:
    """Link the command, unless the name is taken; say so if the shell won't find it."""
    if link.exists() and not link.is_symlink():
        warn(f"{link} is not semcolor's and was left alone. Start {target} instead.")
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    if str(link.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        warn(
            f"{link.parent} is not in PATH. Log out and in again (most systems add it then), "
            f"or start semcolor as {link}."
        )


def install_plugins(python: Path) -> None:
    """Install the plug-in in every GIMP 3 of this user; a problem with one stops nothing."""
    # -I: GIMP's own PYTHONHOME, its PYTHONPATH and its current folder are nothing to the bridge.
    bridge = [str(python), "-I", "-m", "semcolor.bridge"]
    profiles = plugin.gimp_profiles()
    for profile in profiles:
        try:
            print(f"    {plugin.install_plugin(profile, bridge, palette=gimp_palette())}")
        except plugin.PluginInstallError as error:
            warn(f"Not installed in {profile}: {error}")
    if plugin.flatpak_profiles():
        warn("GIMP from Flatpak can't run the plug-in: it keeps other programs out.")
    if not profiles:
        warn(why_no_profile())


def why_no_profile() -> str:
    """What to do where no GIMP 3 has left a user folder."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if any(path for folder in folders for path in Path(folder).glob("gimp-3*")):
        return "GIMP 3 was never started here. Start it once, close it, and run this again."
    return (
        "There is no GIMP 3 here. Install it (Debian 13, Ubuntu 25.04 and newer: `sudo apt install "
        "gimp gir1.2-gimp-3.0 python3-gi`), start it once, close it, and run this again. The "
        "command `semcolor` works without it."
    )


def stop_worker(venv: Path) -> None:
    """Stop the worker, if there is one; say so if it may go on."""
    command = venv / "bin" / "semcolor"
    if not command.exists():
        return
    try:
        subprocess.run([command, "worker", "stop"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        warn("The worker can't be stopped. If it still runs, end it or restart the computer.")


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


if __name__ == "__main__":
    sys.exit(main())
