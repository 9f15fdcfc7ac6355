"""The graphics card, and the build of PyTorch that can use it. Standard library only."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_INDEX = "https://download.pytorch.org/whl/"
_Version = tuple[int, ...]


class Card(NamedTuple):
    """An NVIDIA card, by its driver's own words. ``capability``: empty where it was not told."""

    name: str
    driver: _Version
    capability: _Version = ()


class Build(NamedTuple):
    """A build of PyTorch. ``why``: what to tell the user, if anything; sizes in gigabytes."""

    name: str  # as in PyTorch's index and versions
    download: float
    disk: float
    why: str = ""

    @property
    def url(self) -> str:
        """Where it is; PyPI has one of them for each system."""
        return _INDEX + self.name

    @property
    def is_on_pypi(self) -> bool:
        """Whether PyPI's own build is this one, or one that does the same with more on disk."""
        return self.name == "mps" or (sys.platform != "linux" and self.name == "cpu")


CPU = Build("cpu", 0.3, 1.1)
_CUDA_13 = Build("cu130", 2.5, 6.0)
_CUDA_12 = Build("cu126", 2.7, 6.2)
_ROCM = Build("rocm7.2", 5.0, 18.0)
_MPS = Build("mps", 0.2, 0.8)
# PyTorch 2.13's support matrix, and the drivers that NVIDIA asks for (CUDA's release notes: any of
# its major version does within CUDA 12).
_CUDA_13_CARDS = ((7, 5), (13, 0))
_CUDA_12_CARDS = ((5, 0), (10, 0))
_CUDA_13_DRIVER = 580
# Cards, not the graphics in processors, for which the build is huge and of little use.
_ROCM_CARDS = {
    f"gfx_target_version {number}"
    for number in (90008, 90010, 90402, 90500, 100300, 110000, 110001, 110002, 120000, 120001)
}
_CUDA_12_DRIVER = 528 if sys.platform == "win32" else 525


def fitting_build(cards: list[Card] | None = None) -> Build:
    """The build for this machine; the first card counts."""
    if sys.platform == "darwin":
        return _MPS
    found = nvidia_cards() if cards is None else cards
    if found:
        return _for_nvidia(found[0])
    return _ROCM if sys.platform == "linux" and has_amd_card() else CPU


def _for_nvidia(card: Card) -> Build:
    # A card that was not told is taken for one of the last years.
    capability = card.capability or (8, 6)
    too_old = f"{card.name} needs a newer NVIDIA driver than {_dotted(card.driver)}: with driver"
    again = "and the set-up run again, it would be used. Until then semcolor uses the processor."
    if capability < _CUDA_12_CARDS[0]:
        return CPU._replace(why=f"PyTorch can't use {card.name} any more; the processor is used.")
    if _CUDA_13_CARDS[0] <= capability < _CUDA_13_CARDS[1] and card.driver >= (_CUDA_13_DRIVER,):
        return _CUDA_13
    if capability < _CUDA_12_CARDS[1]:
        if card.driver >= (_CUDA_12_DRIVER,):
            return _CUDA_12
        return CPU._replace(why=f"{too_old} {_CUDA_12_DRIVER} or newer, {again}")
    if capability < _CUDA_13_CARDS[1]:
        return CPU._replace(why=f"{too_old} {_CUDA_13_DRIVER} or newer, {again}")
    return CPU._replace(why=f"PyTorch does not know {card.name} yet; the processor is used.")


def nvidia_cards() -> list[Card]:
    """NVIDIA's cards whose driver works, as far as it can be told."""
    query = "--query-gpu=name,driver_version,compute_cap"
    try:
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return _from_kernel(Path("/proc/driver/nvidia/version"))
    lines = (line.split(", ") for line in said.splitlines())
    return [Card(line[0], _version(line[1]), _version(line[2])) for line in lines if len(line) == 3]


def has_amd_card(nodes: Path = Path("/sys/class/kfd/kfd/topology/nodes")) -> bool:
    """Whether there is a card that PyTorch's ROCm build has code for, and its kernel driver."""
    lines = [line for path in nodes.glob("*/properties") for line in _lines(path)]
    return any(line in _ROCM_CARDS for line in lines)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _from_kernel(told: Path) -> list[Card]:
    """A driver without its tools, as in some containers."""
    words = " ".join(_lines(told)[:1]).split()
    versions = [_version(word) for word in words if word[0].isdigit() and "." in word]
    return [Card("The NVIDIA card", versions[0])] if versions else []


def _version(text: str) -> _Version:
    numbers = text.strip().split(".")
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else ()


def _dotted(version: _Version) -> str:
    return ".".join(map(str, version))
