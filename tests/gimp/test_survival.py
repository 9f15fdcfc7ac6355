"""Work survives: saved and opened on another machine, copied, scaled, cropped."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semcolor.shared.classes import gimp_palette

from . import roots
from .harness import Gimp

Labels = np.ndarray

SAVED = ("RGB U8_NON_LINEAR", "GRAY U16_NON_LINEAR", "RGB FLOAT_LINEAR AdobeRGB")


def _same(labels: Labels) -> Labels:
    return labels


def _moved(labels: Labels) -> Labels:
    moved = np.zeros_like(labels)
    moved[9:, 5:] = labels[:-9, :-5]
    return moved


# What is done to the image: how many layers Colorize then adds, and what the labels should be then.
CHANGES: dict[str, tuple[int, Callable[[Labels], Labels] | None]] = {
    "image duplicated": (0, _same),
    "labels duplicated": (0, _same),
    "labels pasted": (0, _same),
    "labels made anew in a duplicate": (0, None),
    "colours duplicated": (0, _same),
    "photo duplicated": (2, None),  # the copy is another photo
    "flattened": (2, None),
    "labels moved": (0, _moved),
    "labels deleted": (1, None),
    "canvas larger": (0, _same),
    "canvas smaller": (0, _same),
    "cropped": (0, lambda labels: labels[10:50, 20:80]),
    "scaled": (0, lambda labels: labels.repeat(2, axis=0).repeat(2, axis=1)),
    "turned": (0, lambda labels: np.rot90(labels, -1)),
    "mirrored": (0, lambda labels: labels[:, ::-1]),
    "made 16 bits": (0, _same),
    "made linear floats": (0, _same),
    "made AdobeRGB": (0, _same),
}


@pytest.fixture(scope="session")
def other_machine(gimp: Gimp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gimp]:
    """A GIMP of the other version that has never been used, with a worker of its own."""
    (version,) = set(roots.RELEASES) - {gimp.version}
    other = Gimp(version, tmp_path_factory.mktemp(f"gimp-{version}-other-"))
    other.install(gimp_palette())
    yield other
    other.stop_worker()


@pytest.fixture(scope="session")
def opened(
    gimp: Gimp, other_machine: Gimp, photo_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """For each kind of image: as it was saved, and after it was opened by the other GIMP."""
    folder = tmp_path_factory.mktemp("saved")
    saved = gimp.run(f"""
        import pictures, survival, work
        gray = pictures.gray_picture({gimp.path(photo_file)!r})
        work.run(result, {SAVED!r}, survival.save_labelled(gray, {gimp.path(folder)!r}))
    """)
    other = other_machine.run(f"""
        import survival, work
        work.run(result, {SAVED!r}, survival.open_labelled({other_machine.path(folder)!r}))
    """)
    return {row: {"saved": saved[row], "opened": other[row]} for row in SAVED}


@pytest.mark.parametrize("row", SAVED)
def test_work_goes_on_elsewhere(opened: dict[str, dict[str, Any]], row: str) -> None:
    saved, found = opened[row]["saved"], opened[row]["opened"]
    assert "raised" not in saved, saved["raised"]
    assert "raised" not in found, found["raised"]
    assert (found["labels"] == saved["labels"]).all()
    assert found["ambiguous"] == 0
    assert np.abs(found["shown"] - saved["shown"]).mean() < 0.1
    assert found["structure"]["layers"] == saved["structure"]["layers"]  # nothing twice
    assert "has a label layer already" in found["add labels"]
    changed = (found["painted"] != found["labels"]).any(axis=2)
    assert 100 < np.count_nonzero(changed) < 100 + 60 * 44  # where a class was painted


@pytest.fixture(scope="session")
def changed(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    return gimp.check_rows(photo_file, "survival.check_change", list(CHANGES))


@pytest.mark.parametrize("row", CHANGES)
def test_colorize_goes_on_after(changed: dict[str, Any], row: str) -> None:
    done = changed[row]
    assert "raised" not in done, done["raised"]
    assert [*done["labels"].shape[:2]] == [*done["shown"].shape[:2]] == done["size"]
    assert np.abs(done["shown"][..., 1:]).mean() > 0.5
    new_layers, expected = CHANGES[row]
    assert done["new layers"] == new_layers
    if expected:
        same = (done["labels"] == expected(done["before"])).all(axis=2)
        assert same.mean() > (0.97 if row == "scaled" else 0.999)
