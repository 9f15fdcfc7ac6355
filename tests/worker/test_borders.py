from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semcolor.protocol.planes import plane_digest
from semcolor.protocol.schema import Colorize, Recolor, Segment
from semcolor.shared.geometry import Rectangle
from semcolor_worker.color import lab_from_rgb
from semcolor_worker.coloring.borders import picture_inside
from semcolor_worker.engine.engine import Engine

SAMPLES = Path(__file__).parents[2] / "samples"
SIDES = (60, 40, 50, 70)  # top, bottom, left, right


@pytest.fixture(scope="module")
def engine():
    """The bundled models."""
    return Engine.load(None)


def padded(gray, value, sides=SIDES):
    top, bottom, left, right = sides
    return np.pad(gray, ((top, bottom), (left, right)), constant_values=value)


def white(gray):
    return padded(gray, 255)


def black(gray):
    return padded(gray, 3)


def paper(gray):
    """Gray, grainy and unevenly lit."""
    rng = np.random.default_rng(0)
    light = padded(np.zeros(gray.shape), 1)
    shade = 205 + np.linspace(-6, 6, light.shape[1]) + rng.normal(0, 4, light.shape)
    return np.where(light, shade, padded(gray, 0)).clip(0, 255).astype(np.uint8)


def holder(gray):
    """A film holder's: black, with a white line around it and the scanner's bed outside."""
    framed = padded(gray, 8, (30, 10, 20, 40))
    lined = padded(framed, 245, (6, 6, 6, 6))
    return padded(lined, 12, (24, 24, 24, 24))


BORDERS = (white, black, paper, holder)


def place_of(gray):
    return Rectangle(50, 60, gray.shape[1], gray.shape[0])


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_borders_are_found_to_the_pixel(sample_gray, border, depth):
    scan = border(sample_gray)
    if depth == np.uint16:
        scan = scan.astype(np.uint16) * 257
    assert picture_inside(torch.from_numpy(scan)) == place_of(sample_gray)


def test_borders_of_large_scans_are_found_to_the_pixel(sample_gray):
    large = sample_gray.repeat(5, axis=0).repeat(5, axis=1)
    scan = padded(large, 250, (301, 127, 213, 333))
    place = Rectangle(213, 301, large.shape[1], large.shape[0])
    assert picture_inside(torch.from_numpy(scan)) == place


@pytest.mark.parametrize("sides", [(50, 0, 0, 0), (0, 0, 40, 60), (0, 30, 30, 0)])
def test_borders_on_some_sides_are_found(sample_gray, sides):
    scan = padded(sample_gray, 252, sides)
    assert picture_inside(torch.from_numpy(scan)) == Rectangle(
        sides[2], sides[0], sample_gray.shape[1], sample_gray.shape[0]
    )


def test_photos_without_borders_are_left_whole():
    for path in SAMPLES.glob("*.jpg"):
        gray = np.asarray(Image.open(path).convert("L"))
        place = picture_inside(torch.from_numpy(gray.copy()))
        assert place == Rectangle(0, 0, gray.shape[1], gray.shape[0]), path.name


@pytest.mark.parametrize("level", [0, 128, 255])
def test_what_is_even_all_over_is_no_border(level):
    page = torch.full((300, 400), level, dtype=torch.uint8)
    assert picture_inside(page) == Rectangle(0, 0, 400, 300)


def test_skies_walls_and_backdrops_are_no_borders():
    rows, columns = np.mgrid[:300, :400]
    sky = np.where(rows < 60 + 25 * np.sin(columns / 40), 255, 100).astype(np.uint8)
    head = np.where((rows - 160) ** 2 + (columns - 200) ** 2 < 140**2, 90, 30).astype(np.uint8)
    half = np.where(columns < 200, 250, 80).astype(np.uint8)
    for gray in (sky, head, half):
        assert picture_inside(torch.from_numpy(gray)) == Rectangle(0, 0, 400, 300)


def ab(rgb):
    top = 255 if rgb.dtype == torch.uint8 else 65535
    return lab_from_rgb(rgb.permute(2, 0, 1).float() / top)[1:]


def whole(plane):
    return Rectangle(0, 0, plane.shape[1], plane.shape[0])


def put(engine, plane):
    """Give a plane to the engine; returns its digest."""
    digest = plane_digest(plane.shape[1], plane.shape[0], 8 * plane.itemsize, plane.tobytes())
    engine.put_plane(digest, torch.from_numpy(plane.copy()))
    return digest


def colored(engine, gray, labels):
    return engine.colorize(Colorize(put(engine, gray), put(engine, labels), whole(gray)))


@pytest.fixture(scope="module")
def plain(engine, sample_gray):
    """Its predicted labels, and its colour by them."""
    labels = engine.segment(Segment(put(engine, sample_gray), whole(sample_gray))).numpy()
    return labels, colored(engine, sample_gray, labels)


@pytest.mark.parametrize("border", BORDERS)
def test_a_border_changes_nothing_inside_and_stays_gray(engine, sample_gray, plain, border):
    labels, rgb = plain
    scan, place = border(sample_gray), place_of(sample_gray)
    photo, given = put(engine, scan), put(engine, padded(labels, 36))
    found = engine.segment(Segment(photo, whole(scan)))
    assert (found[place.rows, place.columns].numpy() == labels).all()
    result = engine.colorize(Colorize(photo, given, whole(scan)))
    assert (result[place.rows, place.columns] == rgb).all()
    assert (result[:60] == torch.from_numpy(scan)[:60, :, None]).all()
    for outside in (found[:60], found[-40:], found[:, :50], found[:, -70:]):
        assert (outside == 0).all()
    strip = engine.colorize(Colorize(photo, given, Rectangle(20, 40, 300, 90)))
    assert (strip == result[40:130, 20:320]).all()
    beside = engine.colorize(Colorize(photo, given, Rectangle(0, 0, 40, 30)))
    assert (beside == result[:30, :40]).all()


def test_strokes_on_bordered_photos_are_what_colouring_anew_is(engine, sample_gray, plain):
    labels, _ = plain
    scan = holder(sample_gray).astype(np.uint16) * 257
    before = padded(labels, 0)
    stroke = Rectangle(20, 300, 200, 90)  # begins on the border
    after = before.copy()
    after[stroke.rows, stroke.columns] = 36
    anew = colored(engine, scan, after)
    first = colored(engine, scan, before)
    photo, unedited = put(engine, scan), put(engine, before)
    pixels = torch.full((stroke.pixels,), 36, dtype=torch.uint8)
    engine.edit_plane("edited", unedited, stroke, pixels)
    region, piece = engine.recolor(Recolor(photo, "edited", unedited))
    assert region.clip(place_of(sample_gray)) == region
    assert piece.shape[:2] == (region.height, region.width)
    changed = anew[region.rows, region.columns].int()
    assert (piece.int() - changed).abs().max() <= 257  # bfloat16 may round otherwise
    assert (changed - first[region.rows, region.columns].int()).abs().max() > 10 * 257
    rest = first.clone()
    rest[region.rows, region.columns] = anew[region.rows, region.columns]
    assert (rest.int() - anew.int()).abs().max() <= 257


def test_strokes_on_the_border_change_nothing(engine, sample_gray, plain):
    scan = white(sample_gray)
    before = padded(plain[0], 0)
    colored(engine, scan, before)
    photo, unedited = put(engine, scan), put(engine, before)
    stroke = Rectangle(0, 0, 500, 40)
    pixels = torch.full((stroke.pixels,), 36, dtype=torch.uint8)
    engine.edit_plane("beside", unedited, stroke, pixels)
    region, _ = engine.recolor(Recolor(photo, "beside", unedited))
    assert not region
