"""A virtual environment with semcolor in it. Standard library only."""

import contextlib
import importlib.metadata
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

from . import folders, index, source
from .graphics import Build


class SetupError(Exception):
    """The set-up can't go on. The message says what to do."""


def run(
    command: Sequence[object], log: Path, failure: str, environment: dict[str, str] | None = None
) -> None:
    """Run a command with its output appended to the log, and some variables besides.

    Raises:
        SetupError: it failed; the message is `failure`, the log's path and what it said last.
    """
    words = list(map(str, command))
    with log.open("a", encoding="utf-8") as stream:
        print("$", *words, file=stream, flush=True)
        start = log.stat().st_size
        try:
            nothing = subprocess.DEVNULL
            done = subprocess.run(
                words, stdin=nothing, stdout=stream, stderr=stream, check=False,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
            failed = done.returncode != 0
        except OSError as error:
            print(error, file=stream)
            failed = True
    if failed:
        last = log.read_bytes()[start:].decode(errors="replace").splitlines()[-12:]
        raise SetupError("\n    ".join([f"{failure} The end of {log}:", *last]))


def make_venv(venv: Path, log: Path, python: Sequence[object] = (sys.executable,)) -> Path:
    """Make a virtual environment that has pip, unless a working one is there; return its Python.

    ``python``: the command that starts the Python that it is for.

    Raises:
        SetupError: it can't be made, or pip can't be had.
    """
    inside = folders.python_of(venv)
    launcher = python[:-1]  # of a Python in a sandbox
    if _works([*launcher, inside]):
        return inside
    shutil.rmtree(venv, ignore_errors=True)
    # Debian and Ubuntu leave ensurepip out of their plain python3, and so do sandboxes.
    bare = bool(launcher) or importlib.util.find_spec("ensurepip") is None
    command = [*python, "-m", "venv", *(["--without-pip"] if bare else []), venv]
    failure = f"No Python environment can be made in {venv}: check the disk, and run this again."
    run(command, log, failure)
    if bare:
        bootstrap_pip([*launcher, inside], log)
    else:
        with contextlib.suppress(SetupError):  # a newer pip goes on with a broken download
            _pip([inside], ["--upgrade", "pip"], log, "")
    return inside


def _works(python: Sequence[object]) -> bool:
    """False also for an environment whose Python was upgraded or removed since."""
    try:
        command = [*map(str, python), "-Ic", "import pip"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def require_pip(python: Sequence[object], log: Path) -> None:
    """See that an environment has pip: others' tools leave it out. Raises SetupError."""
    if not _works(python):
        bootstrap_pip(python, log)


def has_packages(python: Path) -> bool:
    """Whether the large ones are there already."""
    return any(python.parent.parent.glob("lib/python3*/site-packages/torch")) or (
        (python.parent.parent / "Lib/site-packages/torch").is_dir()
    )


def bootstrap_pip(python: Sequence[object], log: Path) -> None:
    """Install pip from the package index in an environment that has none, by its Python's command.

    Raises:
        SetupError: it can't be had.
    """
    advice = "Run `sudo apt install python3-venv` (Debian, Ubuntu), and then this again."
    # Below the home, which a sandbox sees too.
    with tempfile.TemporaryDirectory(dir=log.parent) as scratch:
        try:
            wheel = index.download_pip(Path(scratch))
        except index.DownloadError as error:
            raise SetupError(f"This Python has no pip, and {error}. {advice}") from error
        # A wheel is a zip file, out of which Python can run.
        install = ["install", "--no-index", "--no-user", wheel]
        run([*python, wheel / "pip", *install], log, f"pip can't be installed. {advice}")


def requirements(checkout: Path, extras: Iterable[str]) -> list[str]:
    """Everything that pyproject.toml asks for, what builds the package included."""
    pyproject = _pyproject(checkout)
    project = pyproject["project"]
    optional = [item for extra in extras for item in project["optional-dependencies"][extra]]
    return [*pyproject["build-system"]["requires"], *project["dependencies"], *optional]


def own_requirements(extras: Iterable[str]) -> list[str]:
    """The requirements of the semcolor that this set-up belongs to."""
    if source.CHECKOUT:
        return requirements(source.CHECKOUT, extras)
    return requirements_of_package(extras)


def requirements_of_package(extras: Iterable[str]) -> list[str]:
    """The same where semcolor is an installed package."""
    wanted = importlib.metadata.requires("semcolor") or []
    marked = [item.partition(";") for item in wanted]
    ends = ["", *(f'extra == "{extra}"' for extra in extras)]
    return [item.strip() for item, _, marker in marked if marker.strip() in ends]


def install_requirements(
    python: Sequence[object], needed: Sequence[str], options: Sequence[str], log: Path
) -> None:
    """Install what `requirements` returned; quick when it is there.

    Raises:
        SetupError: pip failed.
    """
    failure = (
        "The packages can't be installed: check the network and the disk, close GIMP, and run this "
        "again."
    )
    _pip(python, [*options, *needed], log, failure)


def install_project(python: Sequence[object], checkout: Path, log: Path) -> None:
    """Install the checkout itself, replacing what is there. Needs no network.

    Raises:
        SetupError: pip failed.
    """
    with tempfile.TemporaryDirectory(dir=log.parent) as scratch:
        # A copy, because setuptools leaves a `build` folder and later takes stale files from it.
        _copy_source(checkout, Path(scratch))
        failure = "semcolor itself can't be installed: get a fresh copy of it, and run this again."
        _pip(python, ["--no-deps", "--no-build-isolation", scratch], log, failure)


def copy_package(site_packages: Path) -> None:
    """Put the installed semcolor itself, without its command, into another environment."""
    for path in source.INSTALLED:
        target = site_packages / path.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))


def _copy_source(checkout: Path, target: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in _pyproject(checkout)["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(checkout / folder, target / folder, ignore=unwanted)
    for path in checkout.iterdir():
        if path.is_file():
            shutil.copy(path, target)


def _pyproject(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def _pip(python: Sequence[object], arguments: Sequence[str], log: Path, failure: str) -> None:
    # --no-user: with `user = true` in its configuration pip would refuse to install.
    # --no-compile: most modules of torch are never imported.
    fixed = ["--no-user", "--no-input", "--no-compile", "--disable-pip-version-check"]
    # What pip is told by the environment it takes if it knows it: so an older one goes without.
    goes_on = {"PIP_RESUME_RETRIES": "20", "PIP_RETRIES": "10"}
    run([*python, "-Im", "pip", "install", *fixed, *arguments], log, failure, goes_on)


def torch_arguments(
    build: Build, needed: Sequence[str], reachable: Callable[[str], bool] = index.reachable
) -> list[str]:
    """pip's arguments that let `needed` have the build of torch that fits.

    Each build is on an index of its own. Where that isn't reachable, PyPI's must do.
    """
    if build.is_on_pypi or not reachable(f"{build.url}/torch/"):
        return []
    pinned = next(item for item in needed if item.startswith("torch=="))
    # With the build in its version, pip replaces another build that is there.
    return ["--extra-index-url", build.url, f"{pinned}+{build.name}"]
