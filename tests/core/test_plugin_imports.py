"""What the GIMP plug-in may import is kept, and seen to fail: on a copy, with imports planted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LINT = """
from importlinter.cli import lint_imports
raise SystemExit(lint_imports("gimp_plugin/importlinter.toml", no_cache=True, no_logo=True))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with what the plug-in consists of."""
    leave_out = shutil.ignore_patterns("__pycache__")
    for folder in ("gimp_plugin", "semcolor/shared"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=leave_out)
    (tmp_path / "tests").mkdir()
    shutil.copy(CHECKOUT / "tests/plugin_imports.py", tmp_path / "tests")
    return tmp_path


def python(copy: Path, *words: str) -> subprocess.CompletedProcess:
    path = os.pathsep.join(str(copy / name) for name in ("gimp_plugin/semcolor", "semcolor"))
    command, environment = [sys.executable, "-P", *words], {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def plant(copy: Path, file: str, line: str) -> None:
    with (copy / "gimp_plugin/semcolor" / file).open("a") as module:
        module.write(f"\n{line}\n")


def test_the_plugin_imports_what_it_may(copy: Path) -> None:
    assert python(copy, "tests/plugin_imports.py").returncode == 0
    assert python(copy, "-c", LINT).returncode == 0


@pytest.mark.parametrize(
    ("file", "line", "name"),
    [
        ("semcolor.py", "import numpy", "numpy"),
        ("live/tiles.py", "from msgpack import packb", "msgpack"),
        ("windows/panel.py", "def later():\n    import semcolor.client.session", "semcolor.client"),
        ("panel/jobs.py", "from semcolor_worker import color", "semcolor_worker"),
    ],
)
def test_what_gimps_python_has_not_is_told(copy: Path, file: str, line: str, name: str) -> None:
    plant(copy, file, line)
    done = python(copy, "tests/plugin_imports.py")
    assert done.returncode == 1
    assert f"may not import {name}" in done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("images/photo.py", "import bridge.process"),
        ("live/tiles.py", "import images.photo"),
        ("windows/panel.py", "import actions.edits"),
        ("language/__init__.py", "import labels.classes"),
        ("images/photo.py", "from . import roles"),  # which imports it: a circle
    ],
)
def test_a_look_upwards_or_around_is_told(copy: Path, file: str, line: str) -> None:
    plant(copy, file, line)
    done = python(copy, "-c", LINT)
    assert done.returncode == 1
    assert "BROKEN" in done.stdout
