"""Which Python the plug-in is given to: GIMP skips it without a word when that one lacks `gi`."""

from pathlib import Path

import pytest

from semcolor.shared.gimps import Gimp, GimpKind
from semcolor_installer import plugin


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders of PATH, in this order, each with its `python3`; there is no other Python."""
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(plugin, "_SYSTEM_PYTHONS", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", f"{first}:{second}")
    return first, second


def make_python(folder: Path, name: str, has_gi: bool) -> str:
    folder.mkdir(exist_ok=True)
    python = folder / name
    python.write_text(f"#!/bin/sh\nexit {0 if has_gi else 1}\n")
    python.chmod(0o755)
    return str(python)


def test_python_without_gi_is_passed_over(folders: tuple[Path, Path]) -> None:
    make_python(folders[0], "python3", has_gi=False)
    good = make_python(folders[1], "python3", has_gi=True)
    assert plugin.find_interpreter() == good


def test_name_with_a_version_counts_too(folders: tuple[Path, Path]) -> None:
    make_python(folders[0], "python3", has_gi=False)
    make_python(folders[0], "python3-config", has_gi=True)
    good = make_python(folders[0], "python3.13", has_gi=True)
    assert plugin.find_interpreter() == good


def test_no_python_with_gi_is_said(folders: tuple[Path, Path], tmp_path: Path) -> None:
    make_python(folders[0], "python3", has_gi=False)
    with pytest.raises(plugin.PluginInstallError, match="python3-gi"):
        plugin.install_plugin(Gimp(GimpKind.SYSTEM, tmp_path / "profile"), ["bridge"])
