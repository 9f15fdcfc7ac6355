"""A virtual environment with semcolor in it. Standard library only."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from . import index

PYTORCH_CPU = "https://download.pytorch.org/whl/cpu"


class SetupError(Exception):
    """The set-up can't go on. The message says what to do."""


def run(command: Sequence[object], log: Path, failure: str) -> None:
    """Run a command with its output appended to the log.

    Raises:
        SetupError: it failed; the message is `failure`, the log's path and what it said last.
    """
    words = list(map(str, command))
    with log.open("a", encoding="utf-8") as stream:
        print("$", *words, file=stream, flush=True)
        start = log.stat().st_size
        try:
            nothing = subprocess.DEVNULL
            done = subprocess.run(words, stdin=nothing, stdout=stream, stderr=stream, check=False)
            failed = done.returncode != 0
        except OSError as error:
            print(error, file=stream)
            failed = True
    if failed:
        last = log.read_bytes()[start:].decode(errors="replace").splitlines()[-12:]
        raise SetupError("\n    ".join([f"{failure} The end of {log}:", *last]))


def make_venv(venv: Path, log: Path) -> Path:
    """Make a virtual environment that has pip, unless a working one is there; return its Python.

    Raises:
        SetupError: it can't be made, or pip can't be had.
    """
    python = venv / "bin" / "python"
    if _works(python):
        return python
    shutil.rmtree(venv, ignore_errors=True)
    # Debian and Ubuntu leave ensurepip out of their plain python3.
    bare = importlib.util.find_spec("ensurepip") is None
    command = [sys.executable, "-m", "venv", *(["--without-pip"] if bare else []), venv]
    failure = f"No Python environment can be made in {venv}: check the disk, and run this again."
    run(command, log, failure)
    if bare:
        bootstrap_pip(python, log)
    return python


def _works(python: Path) -> bool:
    """False also for an environment whose Python was upgraded or removed since."""
    try:
        command = [str(python), "-Ic", "import pip"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def bootstrap_pip(python: Path, log: Path) -> None:
    """Install pip from the package index in an environment that has none.

    Raises:
        SetupError: it can't be had.
    """
    advice = "Run `sudo apt install python3-venv` (Debian, Ubuntu), and then this again."
    with tempfile.TemporaryDirectory() as scratch:
        try:
            wheel = index.download_pip(Path(scratch))
        except index.DownloadError as error:
            raise SetupError(f"This Python has no pip, and {error}. {advice}") from error
        # A wheel is a zip file, out of which Python can run.
        install = ["install", "--no-index", "--no-user", wheel]
        run([python, wheel / "pip", *install], log, f"pip can't be installed. {advice}")


def requirements(checkout: Path, extras: Iterable[str]) -> list[str]:
    """Everything that pyproject.toml asks for, what builds the package included."""
    pyproject = _pyproject(checkout)
    project = pyproject["project"]
    optional = [item for extra in extras for item in project["optional-dependencies"][extra]]
    return [*pyproject["build-system"]["requires"], *project["dependencies"], *optional]


def install_requirements(
    python: Path, needed: Sequence[str], options: Sequence[str], log: Path
) -> None:
    """Install what `requirements` returned; quick when it is there.

    Raises:
        SetupError: pip failed.
    """
    failure = "The packages can't be installed: check the network and the disk, and run this again."
    _pip(python, [*options, *needed], log, failure)


def install_project(python: Path, checkout: Path, log: Path) -> None:
    """Install the checkout itself, replacing what is there. Needs no network.

    Raises:
        SetupError: pip failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # A copy, because setuptools leaves a `build` folder and later takes stale files from it.
        _copy_source(checkout, Path(scratch))
        failure = "semcolor itself can't be installed: get a fresh copy of it, and run this again."
        _pip(python, ["--no-deps", "--no-build-isolation", scratch], log, failure)


def _copy_source(checkout: Path, target: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in _pyproject(checkout)["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(checkout / folder, target / folder, ignore=unwanted)
    for path in checkout.iterdir():
        if path.is_file():
            shutil.copy(path, target)


def _pyproject(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def _pip(python: Path, arguments: Sequence[str], log: Path, failure: str) -> None:
    # --no-user: with `user = true` in its configuration pip would refuse to install.
    # --no-compile: most modules of torch are never imported.
    fixed = ["--no-user", "--no-input", "--no-compile", "--disable-pip-version-check"]
    run([python, "-Im", "pip", "install", *fixed, *arguments], log, failure)


def has_nvidia() -> bool:
    """Whether this machine has an NVIDIA card with its driver."""
    signs = ("/proc/driver/nvidia/version", "/dev/nvidia0")
    return any(map(os.path.exists, signs)) or shutil.which("nvidia-smi") is not None


def torch_options(
    platform: str, nvidia: bool, reachable: Callable[[str], bool] = index.reachable
) -> list[str]:
    """pip's options for the torch build that fits: PyPI's one has gigabytes of CUDA on Linux.

    The CPU build is on an index of its own. Where that isn't reachable, PyPI's does too.
    """
    if platform == "linux" and not nvidia and reachable(f"{PYTORCH_CPU}/torch/"):
        return ["--extra-index-url", PYTORCH_CPU]
    return []
