"""Shared by all tests: folders of their own, sample photos, a real worker."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.photos.photo_files import read_photo
from semcolor.shared.errors import SemcolorError
from semcolor_worker import clients

# A commit passes or fails; `--hypothesis-profile=exploring` looks for examples nobody has tried.
hypothesis.settings.register_profile("exploring", deadline=None)
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

CHECKOUT = Path(__file__).parents[1]
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Windows has no signals and modes of POSIX, and starts no shell scripts."""
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="of POSIX"))


def folders_below(home: Path) -> dict[str, str]:
    """Environment that keeps semcolor's files in ``home``; Windows has one folder for them."""
    names = ("WIN_PD_OVERRIDE_LOCAL_APPDATA",) if sys.platform == "win32" else _FOLDERS
    return {name: str(home / name) for name in names}


@contextlib.contextmanager
def _set(environment: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the user's settings, keys or worker."""
    for name, value in folders_below(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture
def invite() -> Iterator[Callable[..., Connection]]:
    """Invites somebody to a worker, by its own user's connection; gives the invitation."""
    names = set()

    def do_invite(own: Connection, name: str = "anna", days: float = 7.0) -> Connection:
        names.add(name)
        pair = KeyPair.generate()
        clients.invite(name, pair.public, timedelta(days=days), replace=True)
        return Connection(own.address, own.server_key, pair)

    yield do_invite
    for name in names:
        with contextlib.suppress(SemcolorError):  # of a home that was left, or revoked already
            clients.revoke(name)


@pytest.fixture
def move_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """From now on semcolor's files are in another home."""

    def move(home: Path) -> None:
        for name, value in folders_below(home).items():
            monkeypatch.setenv(name, value)

    return move


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release's files: wheel and source, built of this checkout."""
    folder = tmp_path_factory.mktemp("packages")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info")
    shutil.copytree(CHECKOUT, folder / "checkout", ignore=unwanted)
    build = [sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", folder / "dist"]
    subprocess.run([*build, folder / "checkout"], check=True, capture_output=True)
    return folder / "dist"


@pytest.fixture(scope="session")
def wheel(packages: Path) -> Path:
    """The wheel of a release."""
    (path,) = packages.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sample() -> Path:
    return CHECKOUT / "samples" / "dust-bowl-home.jpg"


@pytest.fixture(scope="session")
def sample_gray(sample: Path) -> np.ndarray:
    """788×1024 uint8."""
    return read_photo(sample).gray


@pytest.fixture(scope="session")
def worker_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of one real worker that many tests share."""
    environment = folders_below(tmp_path_factory.mktemp("worker"))
    with _set(environment):
        local_worker.start().close()
    yield environment
    with _set(environment):
        local_worker.stop()


@pytest.fixture
def worker(
    worker_home: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ZmqWorkerClient]:
    """A client of the shared worker; the environment points to it as well."""
    for name, value in worker_home.items():
        monkeypatch.setenv(name, value)
    client = local_worker.start()
    yield client
    client.close()


@pytest.fixture
def own_worker(home: Path) -> Iterator[ZmqWorkerClient]:
    """A worker of this test alone, to be ill-treated."""
    client = local_worker.start()
    yield client
    client.close()
    local_worker.stop()
