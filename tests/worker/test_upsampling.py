import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.coloring.guiding import Guiding
from semcolor_worker.coloring.upsampling import gray_range, guide_chroma, visible_changes
from semcolor_worker.coloring.windows import Window


def photo_of(generator, size, depth):
    """Patches with grain: flat areas, edges, and noise."""
    patches = torch.rand(1, 1, 4, 5, generator=generator)
    gray = torch.nn.functional.interpolate(patches, size, mode="nearest")[0, 0]
    gray = gray + 0.1 * torch.randn(size, generator=generator)
    top, dtype = (255, torch.uint8) if depth == 8 else (65535, torch.uint16)
    return (gray.clamp(0, 1) * top).int().to(dtype)


def unlabelled(lightness):
    return torch.zeros(lightness.shape[2:])


def painted(photo, chroma):
    height, width = photo.shape
    f = chroma.at(color.gray_lightness(photo), (height, width), Rectangle(0, 0, width, height))
    levels = 1 if photo.dtype == torch.uint8 else 257
    return color.rgb_from_chroma(photo, f).int() / levels


@given(st.data())
def test_outside_the_rectangle_nothing_changes_by_more_than_a_level(data):
    side = st.integers(1, 90)
    size, small = data.draw(st.tuples(side, side)), data.draw(st.tuples(side, side))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    photo = photo_of(generator, size, data.draw(st.sampled_from([8, 16])))
    lightness = 100 * torch.rand(1, 1, *small, generator=generator)
    saturation = data.draw(st.sampled_from([10, 60, 110]))
    before = saturation * torch.randn(1, 2, *small, generator=generator)
    y, x = (data.draw(st.integers(0, limit - 1)) for limit in small)
    # Strong where the brush was, and fading with the distance, as a network answers.
    rows, columns = torch.arange(small[0]) - y, torch.arange(small[1]) - x
    distance = (rows[:, None] ** 2 + columns**2).sqrt()
    after = before + data.draw(st.sampled_from([1, 20, 100])) * torch.exp(-distance)
    window = Window(y, y + 1, x, x + 1).grown(data.draw(st.integers(0, 90)))
    window = window.inside(Window.whole(*small))
    mixed = before.clone()
    mixed[:, :, *window.slices] = after[:, :, *window.slices]
    labels = torch.randint(0, 3, small, generator=generator).to(torch.uint8)
    edited = labels.clone()
    edited[window.slices] = torch.randint(0, 3, (), generator=generator).to(torch.uint8)
    guiding = Guiding(lightness)
    guiding.update("before", before, labels, None)
    for name in range(data.draw(st.integers(0, 3))):
        guiding.update(name, before, labels, data.draw(st.sampled_from([window, None])))
    guiding.update("after", mixed, edited, window)
    one = guide_chroma(lightness, before, labels)
    other = guide_chroma(lightness, mixed, edited)
    assert torch.allclose(guiding.current.coefficients, other.coefficients, atol=1e-5)
    assert guiding.remembers("before")
    place, *pair = guiding.since("before")
    for mended, whole in zip(pair, (one, other), strict=True):
        cut = whole.coefficients[place.slices]
        assert torch.allclose(mended.coefficients, cut, atol=1e-5)
    region = visible_changes(*pair, gray_range(photo, small), size, place)
    difference = (painted(photo, one) - painted(photo, other)).abs().amax(dim=0)
    difference[region.rows, region.columns] = 0
    assert difference.max() <= 1


def test_the_rectangle_is_around_the_change_and_empty_without_one():
    generator = torch.Generator().manual_seed(0)
    photo = photo_of(generator, (400, 800), 8)
    lightness = 100 * torch.rand(1, 1, 40, 80, generator=generator)
    before = 20 * torch.randn(1, 2, 40, 80, generator=generator)
    after = before.clone()
    after[..., 10:15, 50:60] += 30
    labels = unlabelled(lightness)
    one, other = (guide_chroma(lightness, chroma, labels) for chroma in (before, after))
    grays, whole = gray_range(photo, (40, 80)), Window.whole(40, 80)
    region = visible_changes(one, other, grays, (400, 800), whole)
    assert region.x <= 500
    assert region.y <= 100
    assert region.x + region.width >= 600
    assert region.y + region.height >= 150
    assert region.pixels < (150 + 50) * (100 + 100)
    assert visible_changes(one, one, grays, (400, 800), whole).pixels == 0


@given(st.data())
def test_the_range_of_grays_holds_every_pixel_that_interpolation_reads(data):
    full, small = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    seed = data.draw(st.integers(0, 100))
    photo = torch.from_numpy(np.random.default_rng(seed).integers(0, 255, (full, 1), np.uint8))
    darkest, lightest = gray_range(photo, (small, 1)).int() // 257
    position = ((np.arange(full) + 0.5) * small / full - 0.5).clip(0, small - 1)
    for gray, place in zip(photo[:, 0].tolist(), position, strict=True):
        for near in {int(np.floor(place)), int(np.ceil(place))}:
            assert darkest[near, 0] <= gray <= lightest[near, 0]


def test_what_changed_is_remembered_for_a_while():
    lightness = 100 * torch.rand(1, 1, 8, 8)
    guiding, labels = Guiding(lightness), unlabelled(lightness)
    for name in range(12):
        guiding.update(name, torch.full((1, 2, 8, 8), float(name)), labels, Window.whole(8, 8))
    assert guiding.since(11) is None
    assert [name for name in range(12) if guiding.remembers(name)] == list(range(3, 12))
    _, before, _ = guiding.since(3)
    assert torch.equal(
        before.coefficients,
        guide_chroma(lightness, torch.full((1, 2, 8, 8), 3.0), labels).coefficients,
    )
    with pytest.raises(KeyError):
        guiding.since(0)


@pytest.mark.parametrize("scale", [1, 8])
def test_colour_stays_on_its_side_of_a_label_edge(scale):
    """Of an edge that follows one in the photo, as far at full resolution as at detail.

    Two flat colours meet: how much of one is found across the edge, in pixels at detail.
    """
    h = w = 48
    lightness = torch.where(torch.arange(w) < w // 2, 35.0, 65.0).expand(1, 1, h, w)
    chroma = torch.where(lightness < 50, 50.0, -30.0).repeat(1, 2, 1, 1)
    size = (h * scale, w * scale)
    full = torch.where(torch.arange(size[1]) < size[1] // 2, 35.0, 65.0).expand(size)
    whole = Rectangle(0, 0, size[1], size[0])
    labels = unlabelled(lightness)
    fx, _ = guide_chroma(lightness, chroma, labels).at(full.contiguous(), size, whole)
    a = 500 * (fx - (full + 16) / 116)
    wanted = torch.where(full < 50, 50.0, -30.0)
    wrong = ((a - wanted).abs() / 80).sum(dim=1) / scale
    assert wrong.max() < 0.1


def test_colour_stays_on_its_side_of_a_label_edge_that_the_photo_does_not_show():
    """How much of the other colour is found across it, in pixels at detail."""
    lightness = torch.full((1, 1, 24, 24), 50.0)
    left = torch.arange(24).expand(24, 24) < 12
    chroma = torch.where(left, 40.0, -40.0).expand(1, 2, 24, 24)
    leaked = {}
    for name, labels in {
        "two classes": torch.where(left, 36, 50),
        "one class": torch.full((24, 24), 36),
        "a class beside unlabelled": torch.where(left, 36, 0),
    }.items():
        guided = guide_chroma(lightness, chroma, labels.to(torch.uint8)).coefficients
        a = 500 * (guided[..., 0] * 50 + guided[..., 2] - (50 + 16) / 116)
        leaked[name] = float((40 - a[12, :12]).sum() / 80)
    assert leaked["two classes"] < 0.5 * leaked["one class"]
    assert leaked["two classes"] > 0.1  # still smooth
    assert leaked["a class beside unlabelled"] == pytest.approx(leaked["one class"])
