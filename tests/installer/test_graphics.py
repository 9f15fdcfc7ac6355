"""Which build of PyTorch a machine gets, by what its driver says of the card."""

import subprocess
from pathlib import Path

import pytest

from semcolor_installer import graphics
from semcolor_installer.graphics import Card, fitting_build


@pytest.mark.parametrize(
    ("capability", "driver", "build"),
    [
        ((8, 6), (580, 65), "cu130"),
        ((12, 0), (595,), "cu130"),  # RTX 50
        ((12, 0), (550, 163), "cpu"),  # Debian 13's driver
        ((8, 6), (535, 247), "cu126"),  # Debian 12's
        ((8, 6), (550, 163), "cu126"),
        ((8, 6), (470, 256), "cpu"),
        ((6, 1), (580, 65), "cu126"),  # GTX 10: not in CUDA 13 any more
        ((3, 5), (470, 256), "cpu"),
        ((), (580, 65), "cu130"),
        ((), (550, 163), "cu126"),
        ((), (470, 256), "cpu"),
    ],
)
def test_driver_and_card_choose_the_build(capability, driver, build):
    chosen = fitting_build([Card("GeForce", driver, capability)])
    assert chosen.name == build
    assert bool(chosen.why) == (build == "cpu")


def test_a_driver_that_is_too_old_is_told_with_the_one_that_helps():
    assert "driver than 550.163" in fitting_build([Card("RTX 5090", (550, 163), (12, 0))]).why
    assert "580 or newer" in fitting_build([Card("RTX 5090", (550, 163), (12, 0))]).why
    assert "525 or newer" in fitting_build([Card("GTX 1080", (470, 256), (6, 1))]).why


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts an `nvidia-smi` that prints this into PATH."""

    def put(text: str, status: int = 0) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def test_the_card_is_asked_by_its_own_tool(smi):
    smi("NVIDIA GeForce RTX 3060, 550.163.01, 8.6\nNVIDIA GeForce GTX 1080, 550.163.01, 6.1")
    first, second = graphics.nvidia_cards()
    assert first == Card("NVIDIA GeForce RTX 3060", (550, 163, 1), (8, 6))
    assert second.capability == (6, 1)


def test_a_card_without_its_driver_counts_as_none(smi, tmp_path, monkeypatch):
    smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9)
    monkeypatch.setattr(graphics, "_from_kernel", lambda _: [])
    assert graphics.nvidia_cards() == []
    monkeypatch.setattr(graphics, "has_amd_card", lambda: False)
    assert fitting_build().name == "cpu"
    monkeypatch.setattr(graphics, "has_amd_card", lambda: True)
    assert fitting_build().name == "rocm7.2"


@pytest.mark.parametrize(("version", "is_one"), [(110000, True), (110003, False), (0, False)])
def test_an_amd_card_counts_and_a_processors_graphics_do_not(tmp_path, version, is_one):
    node = tmp_path / "1/properties"
    node.parent.mkdir()
    node.write_text(f"cpu_cores_count 0\ngfx_target_version {version}\nvendor_id 4098\n")
    assert graphics.has_amd_card(tmp_path) == is_one
    assert not graphics.has_amd_card(tmp_path / "none")


def test_a_driver_without_its_tools(tmp_path):
    told = tmp_path / "version"
    told.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.247.01  Fri\nGCC: 12.2\n")
    (card,) = graphics._from_kernel(told)
    assert card.driver == (535, 247, 1)
    assert fitting_build([card]).name == "cu126"
    assert graphics._from_kernel(tmp_path / "none") == []


def test_a_tool_that_hangs_is_not_waited_for(monkeypatch):
    def hang(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 30)

    monkeypatch.setattr(subprocess, "run", hang)
    monkeypatch.setattr(graphics, "_from_kernel", lambda _: [])
    assert graphics.nvidia_cards() == []
