"""The environment: its pip, its torch, and what lands in it."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from semcolor_installer import environment, graphics, index

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def online() -> None:
    if not index.reachable(index.pip_page()):
        pytest.skip("The package index can't be reached, from which this test installs.")


@pytest.mark.usefixtures("online")
def test_environment_of_a_python_without_ensurepip_gets_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    asked_venv = []
    run = environment.run
    monkeypatch.setattr(environment, "run", lambda *a: (asked_venv.append(a[0]), run(*a)))
    python = environment.make_venv(tmp_path / "venv", tmp_path / "log")
    assert "--without-pip" in asked_venv[0]
    shown = subprocess.check_output([python, "-Im", "pip", "--version"], text=True)
    assert str(tmp_path / "venv") in shown


def test_no_pip_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:1/simple")
    with pytest.raises(environment.SetupError, match=r"no pip, and localhost.*python3-venv"):
        environment.bootstrap_pip([sys.executable], tmp_path / "log")


def test_broken_environment_is_made_anew_and_a_working_one_kept(tmp_path: Path):
    venv, log = tmp_path / "venv", tmp_path / "log"
    python = environment.make_venv(venv, log)
    (venv / "kept").touch()
    environment.make_venv(venv, log)
    assert (venv / "kept").exists()
    python.unlink()  # as when its Python was removed
    environment.make_venv(venv, log)
    assert not (venv / "kept").exists()
    assert python.exists()


def test_torch_comes_from_the_index_of_its_build_where_that_is_reachable():
    build, needed = graphics.CPU, ["numpy>=2", "torch==2.13.0"]
    arguments = environment.torch_arguments(build, needed, lambda url: True)
    assert arguments == ["--extra-index-url", f"{build.url}", "torch==2.13.0+cpu"]
    assert environment.torch_arguments(build, needed, lambda url: False) == []


def test_packages_of_an_installed_semcolor_are_those_of_the_checkout():
    extras = ["worker", "lan"]
    installed = environment.requirements_of_package(extras)
    of_checkout = environment.requirements(CHECKOUT, extras)
    assert {item.lower() for item in installed} == {
        item.lower() for item in of_checkout if not item.startswith("setuptools")
    }


def test_failure_shows_what_the_command_said_last(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("of another step\n")
    code = "print('much'); print('the reason'); exit(3)"
    with pytest.raises(environment.SetupError) as caught:
        environment.run([sys.executable, "-c", code], log, "It failed: do this.")
    message = str(caught.value)
    assert message.startswith(f"It failed: do this. The end of {log}:\n")
    assert "the reason" in message
    assert "of another step" not in message
    with pytest.raises(environment.SetupError, match="No such file"):
        environment.run([tmp_path / "absent"], log, "It failed.")


@pytest.mark.usefixtures("online")
def test_project_is_installed_without_stale_files(tmp_path: Path):
    """Files of an older build must not come back, and the checkout must stay as it is."""
    checkout = small_checkout(tmp_path / "checkout")
    stale = checkout / "build" / "lib" / "semcolor" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    before = sorted(checkout.rglob("*"))
    python = environment.make_venv(tmp_path / "venv", tmp_path / "log")
    environment.install_requirements([python], ["setuptools>=77"], [], tmp_path / "log")
    environment.install_project([python], checkout, tmp_path / "log")
    installed = next((tmp_path / "venv").glob("lib/python*/site-packages/semcolor"))
    assert [path.name for path in installed.iterdir()] == ["__init__.py"]
    assert sorted(checkout.rglob("*")) == before


def small_checkout(checkout: Path) -> Path:
    (checkout / "semcolor").mkdir(parents=True)
    (checkout / "semcolor" / "__init__.py").touch()
    (checkout / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
        "[project]\nname = 'semcolor-small'\nversion = '1'\n"
        "[tool.setuptools]\npackages = ['semcolor']\npackage-dir = { semcolor = 'semcolor' }\n"
    )
    return checkout


def test_requirements_are_those_of_pyproject():
    needed = environment.requirements(CHECKOUT, ["worker"])
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert set(project["dependencies"]) < set(needed)
    assert set(project["optional-dependencies"]["worker"]) < set(needed)
    assert not set(project["optional-dependencies"]["test"]) & set(needed)
    assert any(item.startswith("setuptools") for item in needed)
