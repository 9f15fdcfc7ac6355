"""Windows with semcolor installed: in an environment whose path has a space and an umlaut."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from . import wine
from .wine import Wine, windows_path

_TIMEOUT_SECONDS = 900


class Windows(NamedTuple):
    """``scripts``: of the environment."""

    wine: Wine
    scripts: Path

    def python(self, *arguments: object, check: bool = True, **variables: str) -> str:
        """Run the environment's Python."""
        return self.wine.run(
            windows_path(self.scripts / "python.exe"), *arguments, check=check, **variables
        )

    def semcolor(self, *arguments: object, check: bool = True, **variables: str) -> str:
        """Run the command."""
        command = windows_path(self.scripts / "semcolor.exe")
        return self.wine.run(command, *arguments, check=check, **variables)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is made first takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def windows(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    """A GIMP of each version was started there, as far as its folders show."""
    reason = wine.why_impossible()
    if reason:
        pytest.skip(reason)
    python = wine.python_folder()
    folder = tmp_path_factory.mktemp("windows-")
    machine = Wine(folder)
    venv = machine.user_folder / "Grün er/semcolor"
    machine.run(
        windows_path(python / "python.exe"), "-m", "venv", "--system-site-packages",
        "--without-pip", windows_path(venv),
    )  # fmt: skip
    windows = Windows(machine, venv / "Scripts")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    windows.python(*install, windows_path(wheel))
    for version in ("3.0", "3.2"):
        (machine.app_data / "GIMP" / version).mkdir(parents=True)
    yield windows
    windows.semcolor("worker", "stop", check=False)
    machine.stop()
