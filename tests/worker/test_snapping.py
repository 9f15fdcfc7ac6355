import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcolor.shared.errors import SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.snapping import snap

OBJECT, GRASS, SKY = 7, 36, 50
WHOLE = Rectangle(0, 0, 600, 400)


@pytest.fixture(scope="module")
def photo():
    """A grainy dark disc on a bright ground, and where it is."""
    y, x = np.mgrid[:400, :600]
    disc = (x - 300) ** 2 + (y - 200) ** 2 < 100**2
    grain = np.random.default_rng(0).normal(0, 8, disc.shape)
    return (np.where(disc, 80, 170) + grain).clip(0, 255).astype(np.uint8), disc


def labels_with(painted):
    labels = np.full((400, 600), SKY, np.uint8)
    labels[200:] = GRASS
    labels[painted] = OBJECT
    return labels


def snapped(gray, labels, region=WHOLE):
    changed, ids = snap(gray, labels, region, OBJECT)
    after = labels.copy()
    after[changed.rows, changed.columns] = ids
    return after


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def rough(width, height):
    painted = np.zeros((400, 600), bool)
    painted[200 - height : 200 + height, 300 - width : 300 + width] = True
    return painted


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [(75, 70), (110, 85), (60, 110)])
def test_a_rough_label_becomes_the_object(photo, size, depth):
    gray, disc = photo
    if depth == 16:
        gray = gray.astype(np.uint16) * 257
    labels = labels_with(rough(*size))
    assert overlap(labels == OBJECT, disc) < 0.85
    after = snapped(gray, labels)
    assert overlap(after == OBJECT, disc) > 0.98
    ground = after[~disc & (after != OBJECT)]
    assert set(np.unique(ground)) == {SKY, GRASS}  # what it gave up is what is beside it
    assert (after[210:][after[210:] != OBJECT] == GRASS).all()


def test_edges_are_those_of_the_photo_at_full_resolution():
    y, x = np.mgrid[:1600, :2400]
    disc = (x - 1200) ** 2 + (y - 800) ** 2 < 400**2
    labels = np.zeros(disc.shape, np.uint8)
    labels[500:1100, 900:1500] = OBJECT
    changed, ids = snap(np.where(disc, 80, 170).astype(np.uint8), labels,
                        Rectangle(0, 0, 2400, 1600), OBJECT)  # fmt: skip
    labels[changed.rows, changed.columns] = ids
    wrong = (labels == OBJECT) != disc
    assert wrong.mean() < 0.0005  # a fraction of a pixel along the circle


@settings(max_examples=25)
@given(st.data())
def test_only_the_rectangle_and_its_margin_change(data):
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    side = st.integers(1, 70)
    height, width = data.draw(side), data.draw(side)
    gray = generator.integers(0, 256, (height, width), np.uint8)
    labels = generator.choice([0, OBJECT, SKY], (height, width)).astype(np.uint8)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    region = Rectangle(
        x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    )
    after = snapped(gray, labels, region)
    assert set(np.unique(after)) <= {0, OBJECT, SKY}
    margin = int(0.35 * region.pixels**0.5) + 1
    near = np.zeros(labels.shape, bool)
    near[max(y - margin, 0) : y + region.height + margin,
         max(x - margin, 0) : x + region.width + margin] = True  # fmt: skip
    assert (after == labels)[~near].all()
    outside = np.ones(labels.shape, bool)
    outside[region.rows, region.columns] = False
    assert (after[outside & (labels == OBJECT)] == OBJECT).all()  # what is elsewhere stays


def test_nothing_to_do(photo):
    gray, _ = photo
    assert snap(gray, labels_with(rough(0, 0)), WHOLE, OBJECT)[0].pixels == 0
    everything = np.full((400, 600), OBJECT, np.uint8)
    assert snap(gray, everything, WHOLE, OBJECT)[0].pixels == 0
    with pytest.raises(SemcolorError, match="not inside"):
        snap(gray, everything, Rectangle(500, 0, 101, 10), OBJECT)


def test_the_same_again(photo):
    gray, _ = photo
    labels = labels_with(rough(75, 70))
    assert (snapped(gray, labels) == snapped(gray, labels)).all()
