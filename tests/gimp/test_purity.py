"""Label layers with in-between colours: every pixel becomes a class that really is there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semcolor.shared.classes import all_classes

from .harness import Gimp
from .rows import SOFT, STROKES

PAINTED = [entry.rgb for entry in all_classes() if entry.name in STROKES]


@pytest.fixture(scope="session")
def soft(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    return gimp.check_rows(photo_file, "soft.check_soft", list(SOFT))


@pytest.mark.parametrize("row", SOFT)
def test_in_between_colours_become_classes_that_are_there(soft: dict[str, Any], row: str) -> None:
    done = soft[row]
    assert "raised" not in done, done["raised"]
    before, after, clean = (done[step] for step in ("before", "soft", "clean"))
    assert before["ambiguous"] == 0
    assert _is_pure(before["colors"], done["stored"]).all()
    pure = _is_pure(after["colors"], done["stored"])
    impure = np.count_nonzero(~pure)
    assert 0 < after["ambiguous"] < 1.2 * impure + 20  # and those through which an edge passes
    assert after["ambiguous"] > 0.6 * impure  # all but those that were only rounded
    expected = {(*color, 255) for color in PAINTED} | {(0, 0, 0, 0)}
    assert set(map(tuple, np.unique(after["labels"].reshape(-1, 4), axis=0).tolist())) <= expected
    assert (clean["labels"] == after["labels"]).all()
    assert clean["ambiguous"] == 0
    assert _is_pure(clean["colors"], done["stored"]).all()


def _is_pure(colors: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Which pixels are one of the palette's colours, as this image stores them, or nothing."""
    words = np.ascontiguousarray(colors).view(np.uint32)[..., 0]
    return np.isin(words, np.ascontiguousarray(stored).view(np.uint32)) | (colors[..., 3] == 0)
