"""Every kind of image: what is accepted works, what is refused is refused in a sentence.

A table is one script, so that GIMP starts once for all of its rows; each row is a test.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semcolor.photos.label_colors import palette
from semcolor.shared.classes import all_classes

from .harness import Gimp
from .rows import ACCEPTED, KINDS, ONLY_3_2, PAINTED, REFUSED, SELECTIONS

GRASS, SKY = (
    [*entry.rgb, 255] for entry in sorted(all_classes(), key=lambda entry: entry.name)
    if entry.name in ("grass", "sky")
)  # fmt: skip
_X, _Y, _WIDTH, _HEIGHT = PAINTED
INSIDE = (slice(_Y + 5, _Y + _HEIGHT - 5), slice(_X + 5, _X + _WIDTH - 5))
BEST = "RGB FLOAT_LINEAR"


@pytest.fixture(scope="session")
def kinds(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    return gimp.check_rows(photo_file, "work.check_kind", list(KINDS))


@pytest.fixture(scope="session")
def boats(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    """Of the sample whose predicted labels depend least on the last bit of so small a picture."""
    photo = photo_file.with_name("nagasaki-boats.jpg")
    return gimp.check_rows(photo, "work.check_kind", list(KINDS))


@pytest.fixture(scope="session")
def accepted(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    return gimp.check_rows(photo_file, "accepted.check_accepted", list(ACCEPTED))


@pytest.fixture(scope="session")
def refused(gimp: Gimp, photo_file: Path) -> dict[str, Any]:
    rows = [row for row in REFUSED if gimp.version != "3.0" or row not in ONLY_3_2]
    return gimp.check_rows(photo_file, "refused.check_refused", rows)


@pytest.mark.parametrize("row", KINDS)
def test_every_kind_is_coloured(kinds: dict[str, Any], row: str) -> None:
    done = kinds[row]
    _check(done)
    kind = KINDS[row]
    _check_lightness(done, _coarseness(kind.precision))
    # GIMP gives a gray image with a profile of its own the sRGB one when it becomes RGB.
    rounding = 0.0
    if kind.mode != "RGB":
        rounding = (0.003 if "U8" in kind.precision else 2e-5) if kind.profile else 2e-6
    assert np.abs(done["photo after"] - done["photo before"]).max() <= rounding
    for step in ("shown", "shown again", "shown live"):
        assert np.abs(done[step][..., 1:]).mean() > 3
    assert (done["painted"][INSIDE] == GRASS).all()
    assert (done["live"][INSIDE] == SKY).all()
    assert done["notes"] == done["notes again"] == []


def test_many_labels_in_a_deep_image_with_a_profile(gimp: Gimp, photo_file: Path) -> None:
    """After some thousand pixels, babl would convert these otherwise, and wrongly."""
    result = gimp.run(f"""
        import pictures
        from rows import Kind
        gray = pictures.gray_picture({gimp.path(photo_file)!r}, 400, 300)
        image = pictures.make(Kind("RGB", "U16_NON_LINEAR", "AdobeRGB"), gray, 400, 300)
        result["labels"] = pixels(add_labels(image), "R'G'B'A u8")
        colorize(image)
    """)
    colors = {(*color, 255) for color in palette().tolist()[1:]} | {(0, 0, 0, 0)}
    assert set(map(tuple, np.unique(result["labels"].reshape(-1, 4), axis=0).tolist())) <= colors


@pytest.mark.parametrize("row", KINDS)
def test_every_kind_gets_the_same_colours(boats: dict[str, Any], row: str) -> None:
    """The worker gets the same light, whatever the precision and the profile."""
    done, best = boats[row], boats[BEST]
    deviation = np.abs(done["shown"] - best["shown"])
    rough = "U8" in row
    assert deviation[..., 1:].mean() < (0.5 if rough else 0.1)
    assert np.abs(done["lab"] - best["lab"])[..., 0].mean() < (0.2 if rough else 0.02)
    different = (done["predicted"] != best["predicted"]).any(axis=2)
    assert different.mean() < 0.03  # the same labels, but for a few undecided pixels


@pytest.mark.parametrize("row", ACCEPTED)
def test_what_else_is_in_the_image_does_not_matter(accepted: dict[str, Any], row: str) -> None:
    done = accepted[row]
    _check(done)
    assert np.array_equal(done["photo after"], done["photo before"], equal_nan=True)
    if "painted" in done and row not in (*SELECTIONS, "switched off channels"):
        assert (done["painted"] == done["label layer"]).all()
        assert (done["painted"][INSIDE] == GRASS).all()
        assert (done["live"][INSIDE] == SKY).all()
    if row not in ("hidden", "in a hidden group", "filtered", "half transparent photo"):
        _check_lightness(done, 0.5)


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_refused_is_told_and_not_touched(refused: dict[str, Any], row: str) -> None:
    if row not in refused:
        pytest.skip("this GIMP has no such layers")
    done = refused[row]
    assert "raised" not in done, done["raised"]
    assert REFUSED[row] in done["message"]
    assert "\n" not in done["message"]
    assert done["after"] == done["before"]
    assert not done["changed"]  # so there is nothing new to undo


def _check(done: dict[str, Any]) -> None:
    """What holds for whatever is accepted."""
    assert "raised" not in done, done["raised"]
    assert done["user after"] == done["user before"]
    assert done["places"]["labels"] == done["places"]["colorized"] == done["places"]["photo"]
    assert done["order"] == ["Labels", "Colorized", "Photo"]
    assert done["lch color"]
    assert (done["read back"] == done["predicted"]).all()
    colors = {(*color, 255) for color in palette().tolist()[1:]} | {(0, 0, 0, 0)}
    assert set(map(tuple, np.unique(done["predicted"].reshape(-1, 4), axis=0).tolist())) <= colors


def _check_lightness(done: dict[str, Any], tolerance: float) -> None:
    """What is shown has the photo's lightness."""
    x, y, width, height = done["canvas"]
    on_canvas = (slice(max(0, -y), height - y), slice(max(0, -x), width - x))
    light = done["lab"][on_canvas][..., 0]
    known = np.isfinite(light) & (light > -1) & (light < 101)
    for step in ("shown", "shown again", "shown live"):
        if step in done:
            shown = done[step][on_canvas][..., 0]
            assert np.abs(shown - light)[known].max() < tolerance


def _coarseness(precision: str) -> float:
    """What rounding three channels to this precision can do to L*, at worst."""
    if precision == "U8_LINEAR":
        return 1.5
    return 0.5 if precision.startswith("U8") else 0.05


UNDONE = ("GRAY U8_LINEAR", "INDEXED U8_NON_LINEAR", "RGB FLOAT_LINEAR AdobeRGB")


def test_undo_takes_all_of_it_back_at_once(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run_in_window(f"""
        import pictures
        from rows import KINDS
        gray = pictures.gray_picture({gimp.path(photo_file)!r})
        for row in {UNDONE!r}:
            image = pictures.make(KINDS[row], gray)
            show(image) if row == {UNDONE[0]!r} else Gimp.Display.new(image)
            activate_image()
            before = [structure(image), content(image.get_layers()[0], "RGBA float").hex()]
            colorize(image)
            press("ctrl+z", lambda: len(image.get_layers()) == 1)
            after = [structure(image), content(image.get_layers()[0], "RGBA float").hex()]
            result[row] = [before, after]
    """)
    for row in UNDONE:
        before, after = result[row]
        assert after == before


def test_sixty_megapixels(gimp: Gimp, photo_file: Path) -> None:
    result = gimp.run(
        f"""
        import work
        work.run(result, [{gimp.path(photo_file)!r}], work.sixty_megapixels)
    """,
        BABL_LUT="0",
    )
    (done,) = result.values()
    assert "raised" not in done, done["raised"]
    assert np.abs(done["grass"] - done["sky"])[..., 1:].mean() > 2
    assert np.abs(done["corner"][..., 1:]).mean() > 1
    assert done["plug-in"] < 900  # MiB
    assert done["bridge"] < 900
