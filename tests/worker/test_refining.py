import numpy as np
import pytest
import torch

from semcolor.protocol.planes import plane_digest
from semcolor.protocol.schema import Refine, Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.refining import _runs
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.strokes import stroke, wrong_regions

WALL, DISC, OTHER = 56, 5, 7


@pytest.fixture(scope="module")
def engine():
    """The bundled models."""
    return Engine.load(None)


def put(engine, plane):
    digest = plane_digest(plane.shape[1], plane.shape[0], 8 * plane.itemsize, plane.tobytes())
    engine.put_plane(digest, torch.from_numpy(plane.copy()))
    return digest


@pytest.fixture(scope="module")
def discs():
    """Two dark discs on a light ground, and where they are."""
    rows, columns = np.mgrid[:480, :640]
    inside = [(rows - 240) ** 2 + (columns - x) ** 2 < 90**2 for x in (170, 470)]
    gray = np.where(inside[0] | inside[1], 60, 190).astype(np.float64)
    gray += np.random.default_rng(0).normal(0, 4, gray.shape)
    return gray.clip(0, 255).astype(np.uint8), inside


def refined(engine, gray, ids, place, class_id, strokes=None, everywhere=False):
    """The whole map after a stroke."""
    mask = "" if strokes is None else put(engine, strokes)
    request = Refine(put(engine, gray), put(engine, ids), place, class_id, mask, everywhere)
    changed, new = engine.refine(request)
    after = ids.copy()
    if changed:
        after[changed.rows, changed.columns] = new
    return after


def painted(ids, place, class_id):
    after, strokes = ids.copy(), np.zeros_like(ids)
    after[place.rows, place.columns] = class_id
    strokes[place.rows, place.columns] = 255
    return after, strokes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_object_under_a_stroke_gets_its_class(engine, discs, dtype):
    gray, (disc, _) = discs
    if dtype == np.uint16:
        gray = gray.astype(np.uint16) * 257
    place = Rectangle(140, 230, 60, 20)
    ids, strokes = painted(np.full(disc.shape, WALL, np.uint8), place, DISC)
    after = refined(engine, gray, ids, place, DISC, strokes)
    found = after == DISC
    assert (found & disc).sum() / (found | disc).sum() > 0.9
    assert set(np.unique(after)) == {WALL, DISC}


def test_what_was_painted_is_never_touched(engine, discs):
    gray, (disc, _) = discs
    place, fenced = Rectangle(140, 230, 60, 20), Rectangle(150, 180, 40, 30)
    ids, strokes = painted(np.full(disc.shape, WALL, np.uint8), place, DISC)
    ids[fenced.rows, fenced.columns], strokes[fenced.rows, fenced.columns] = OTHER, 255
    after = refined(engine, gray, ids, place, DISC, strokes)
    assert (after[fenced.rows, fenced.columns] == OTHER).all()
    assert (after == DISC).sum() > 5 * place.pixels


def test_edits_stay_local(engine, discs):
    gray, (disc, other) = discs
    place = Rectangle(140, 230, 60, 20)
    ids, strokes = painted(np.full(disc.shape, WALL, np.uint8), place, DISC)
    after = refined(engine, gray, ids, place, DISC, strokes)
    assert (after[other] == WALL).all()


def test_others_like_it_follow_when_asked(engine, discs):
    gray, (disc, other) = discs
    place = Rectangle(140, 230, 60, 20)
    ids, strokes = painted(np.full(disc.shape, WALL, np.uint8), place, DISC)
    after = refined(engine, gray, ids, place, DISC, strokes, everywhere=True)
    assert (after[other] == DISC).mean() > 0.9
    assert (after[~disc & ~other] == DISC).mean() < 0.02


def test_a_photo_without_strokes_known_takes_the_class_in_the_rectangle(engine, discs):
    gray, (disc, _) = discs
    place = Rectangle(140, 230, 60, 20)
    ids, _ = painted(np.full(disc.shape, WALL, np.uint8), place, DISC)
    after = refined(engine, gray, ids, place, DISC)
    assert ((after == DISC) & disc).sum() / disc.sum() > 0.9


def test_a_border_is_left_alone(engine, discs):
    gray, (disc, _) = discs
    scan = np.pad(gray, 50, constant_values=255)
    place = Rectangle(190, 280, 60, 20)
    ids, strokes = painted(np.full(scan.shape, WALL, np.uint8), place, DISC)
    after = refined(engine, scan, ids, place, DISC, strokes)
    found = after[50:-50, 50:-50] == DISC
    assert (found & disc).sum() / (found | disc).sum() > 0.9
    beside = Rectangle(0, 0, 30, 30)
    ids, strokes = painted(ids, beside, OTHER)
    assert (refined(engine, scan, ids, beside, OTHER, strokes) == ids).all()


def test_nothing_is_painted_where_the_class_is_not(engine, discs):
    gray, (disc, _) = discs
    ids = np.full(disc.shape, WALL, np.uint8)
    assert (refined(engine, gray, ids, Rectangle(10, 10, 50, 50), DISC) == ids).all()


def test_planes_that_do_not_fit_are_told(engine, discs):
    gray, _ = discs
    ids = np.zeros_like(gray)
    for place, labels, strokes in (
        (Rectangle(600, 0, 50, 50), ids, None),
        (Rectangle(0, 0, 50, 50), ids[:99], None),
        (Rectangle(0, 0, 50, 50), ids, ids[:99]),
    ):
        with pytest.raises(SemcolorError) as caught:
            refined(engine, gray, labels, place, DISC, strokes)
        assert caught.value.code == Code.LABELS_MISMATCH


def test_a_scene_is_kept_for_the_next_stroke(engine, sample_gray):
    photo = put(engine, sample_gray)
    engine.segment(Segment(photo, Rectangle(0, 0, 10, 10)))
    assert engine.scene(photo) is engine.scene(photo)
    assert max(engine.scene(photo).size) == 160


def test_strokes_are_inside_what_is_wrong_and_a_third_of_its_length():
    truth, ids = np.full((120, 200), WALL, np.uint8), np.full((120, 200), WALL, np.uint8)
    truth[40:70, 20:140] = DISC
    truth[100:110, 180:190] = OTHER
    truth[:20] = 0  # nobody knows
    regions = wrong_regions(ids, truth)
    assert [(class_id, int(mask.sum())) for class_id, mask in regions] == [
        (DISC, 30 * 120), (OTHER, 100),
    ]  # fmt: skip
    for rng in (None, np.random.default_rng(0)):
        painted_there = stroke(regions[0][1], rng)
        assert (painted_there & regions[0][1]).sum() == painted_there.sum() > 20
    columns = np.flatnonzero(stroke(regions[0][1]).any(0))
    assert np.ptp(columns) == pytest.approx(40, abs=12)


def test_runs():
    flags = np.array([1, 1, 0, 0, 1, 0, 1], np.bool_)
    assert _runs(flags) == [(0, 2), (4, 5), (6, 7)]
    assert _runs(~flags | flags) == [(0, 7)]
    assert _runs(flags & ~flags) == []
