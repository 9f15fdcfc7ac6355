"""A release's files: what they hold, and that they install and work in a clean environment."""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import semcolor
from semcolor_installer import environment, folders, index

CHECKOUT = Path(__file__).resolve().parents[2]


def test_packages_are_as_pypi_wants_them(packages: Path):
    files = sorted(packages.iterdir())
    assert [path.name for path in files] == [
        f"semcolor-{semcolor.__version__}-py3-none-any.whl",
        f"semcolor-{semcolor.__version__}.tar.gz",
    ]
    check = [sys.executable, "-P", "-m", "twine", "check", "--strict", *files]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert all(path.stat().st_size < 100e6 for path in files)  # PyPI takes no more


def test_the_wheel_has_all_that_a_user_needs_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    roots = {name.partition("/")[0] for name in names}
    assert roots == {
        "semcolor", "semcolor_worker", "semcolor_installer", "semcolor_gimp_plugin",
        "semcolor_samples", f"semcolor-{semcolor.__version__}.dist-info",
    }  # fmt: skip
    here = {
        path.relative_to(CHECKOUT / "gimp_plugin/semcolor").as_posix()
        for path in (CHECKOUT / "gimp_plugin/semcolor").rglob("*")
        if path.suffix in (".py", ".mo", ".tsv")
    }
    prefix = "semcolor_gimp_plugin/"
    assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == here
    assert "semcolor_samples/dust-bowl-home.jpg" in names
    assert "semcolor_samples/CREDITS.md" in names
    assert "semcolor_worker/models/bundled/color.safetensors" in names
    assert "semcolor_worker/models/bundled/MODEL_CARD.md" in names


def test_the_source_can_be_built_from(packages: Path):
    (source,) = packages.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "semcolor/cli/main.py"} <= names
    assert "worker/models/bundled/segmentation.safetensors" in names


def test_this_version_has_its_changes_told():
    changes = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {semcolor.__version__}" in changes


@pytest.fixture
def clean(tmp_path: Path, wheel: Path) -> Path:
    """An environment with nothing but the wheel and what it needs for the command line."""
    if not index.reachable(index.pip_page()):
        pytest.skip("The package index can't be reached, from which this test installs.")
    python = environment.make_venv(tmp_path / "venv", tmp_path / "log")
    environment.install_requirements([python], [str(wheel)], [], tmp_path / "log")
    return folders.command_of(tmp_path / "venv")


def test_a_clean_environment_has_the_command(clean: Path, tmp_path: Path):
    shown = subprocess.check_output([clean, "--version"], text=True)
    assert shown == f"semcolor {semcolor.__version__}\n"
    done = subprocess.run([clean, "doctor", "--json"], capture_output=True, text=True, check=False)
    findings = {one["topic"]: one for one in json.loads(done.stdout)}
    assert findings["system"]["level"] == "ok"
    assert findings["worker"]["level"] == "problem"
    assert "`semcolor setup` installs it" in findings["worker"]["text"]


def test_setup_there_makes_it_whole_and_takes_it_out(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """PyTorch and the rest come from the tests' own environment: they are gigabytes."""
    home = tmp_path / "user"
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    home.mkdir()
    monkeypatch.chdir(home)
    python = environment.make_venv(tmp_path / "venv", tmp_path / "log")
    (packages_folder,) = (tmp_path / "venv").glob("lib/python3*/site-packages")
    torch = next(path for path in map(Path, sys.path) if (path / "torch").is_dir())
    (packages_folder / "others.pth").write_text(f"{torch}\n")
    options = ["-q", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([python, "-m", "pip", "install", *options, wheel], check=True)
    command = folders.command_of(tmp_path / "venv")
    said = subprocess.run([command, "setup"], capture_output=True, text=True, check=False)
    try:
        assert said.returncode == 0, said.stderr
        assert "semcolor is ready" in said.stdout
        assert (home / "semcolor-sample.png").stat().st_size > 100_000
        status = subprocess.check_output([command, "worker", "status", "--json"], text=True)
        assert json.loads(status)["version"] == semcolor.__version__
    finally:
        gone = subprocess.run([command, "setup", "--uninstall"], capture_output=True, text=True)
    assert gone.returncode == 0, gone.stderr
    assert "pipx uninstall semcolor" in gone.stdout
    # Others' tools may have left files of theirs.
    left = {path.name for path in home.rglob("*semcolor*/**/*") if path.is_file()}
    assert left == {"worker_key.json"}  # its invitations stay valid
