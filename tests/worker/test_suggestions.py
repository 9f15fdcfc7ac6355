import numpy as np
import pytest
import torch

from semcolor.protocol.schema import Colorize, Recolor, Suggest, SuggestAll, Tint
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.coloring import suggestions
from semcolor_worker.engine.engine import Engine
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec

CENTRES = color.chroma_bins()
RED, BLUE, GRAY = (60.0, 50.0), (20.0, -60.0), (0.0, 0.0)
WHOLE = Rectangle(0, 0, 200, 100)


def bin_of(a, b):
    return int(((CENTRES - torch.tensor([a, b])) ** 2).sum(dim=1).argmin())


@pytest.fixture(scope="module")
def engine():
    """Its colour model says red, sometimes blue, whatever it sees."""
    torch.manual_seed(0)
    arguments = {"widths": [4, 6, 8, 8], "bins": len(CENTRES)}
    model = weights.build(ModelSpec("color", "two_stream_unet", arguments, detail=64))
    head = model.network.bins_head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-20)
        head.bias[bin_of(*RED)] = 1.0
        head.bias[bin_of(*BLUE)] = 0.8
    model.network.eval().requires_grad_(False)
    segmentation = weights.build(ModelSpec("segmentation", "gridnet", {"widths": [4, 4]}, 64))
    engine = Engine(model, segmentation, torch.device("cpu"))
    gray = np.random.default_rng(0).integers(60, 200, (100, 200), np.uint8)
    engine.put_plane("photo", torch.from_numpy(gray))
    mask = torch.zeros(100, 200, dtype=torch.uint8)
    engine.put_plane("nothing", mask)
    mask = mask.clone()
    mask[20:80, 20:100] = 255
    engine.put_plane("left", mask)
    return engine


def test_suggestions_are_what_the_model_finds_likely(engine):
    colors = engine.suggest(Suggest("photo", "", "left"))
    assert (colors[0].a, colors[0].b) == pytest.approx(RED, abs=1)
    assert sum(c.share for c in colors) == pytest.approx(1, abs=0.01)
    assert any(c.b < -20 and c.share > 0.3 for c in colors[1:])
    red, _, blue = bytes.fromhex(colors[0].rgb.removeprefix("#"))
    assert red > blue + 50


def test_nothing_selected_and_a_model_without_suggestions_are_told(engine):
    with pytest.raises(SemcolorError) as caught:
        engine.suggest(Suggest("photo", "", "nothing"))
    assert caught.value.code == Code.EMPTY_SELECTION
    bundled = Engine.load(None)
    if bundled.color.network.bins_head is None:
        with pytest.raises(SemcolorError, match="suggests no colours") as caught:
            bundled.suggest(Suggest("photo", "", "left"))
        assert caught.value.code == Code.NO_SUGGESTIONS


def test_the_mask_says_where_to_look():
    logits = torch.full((len(CENTRES), 10, 10), -20.0)
    logits[bin_of(*RED), :, :5] = 5
    logits[bin_of(*BLUE), :, 5:] = 5
    mask = torch.zeros(10, 10)
    mask[:, 4:6] = torch.tensor([1.0, 0.25])
    probabilities = suggestions.average_distribution(logits.softmax(0), mask)
    red, blue = probabilities[bin_of(*RED)], probabilities[bin_of(*BLUE)]
    assert (float(red), float(blue)) == pytest.approx((0.8, 0.2), abs=0.01)


def places_of(found):
    return torch.tensor([(c.a, c.b) for c in found])


def test_the_first_is_where_most_pixels_are():
    spread = torch.exp(-((CENTRES - torch.tensor(RED)) ** 2).sum(dim=1) / (2 * 5**2))
    found = suggestions.distinct_colours(spread / spread.sum(), CENTRES, torch.tensor(RED))
    assert (found[0].a, found[0].b) == pytest.approx(RED, abs=3)
    assert found[0].share > 0.9


def test_at_most_six_come_that_really_differ():
    flat = torch.full((len(CENTRES),), 1 / len(CENTRES))
    found = suggestions.distinct_colours(flat, CENTRES, torch.tensor(GRAY))
    assert len(found) == suggestions.MOST
    others = [c.share for c in found[1:]]
    assert others == sorted(others, reverse=True)
    distances = torch.cdist(places_of(found), places_of(found)) + 1000 * torch.eye(6)
    assert distances.min() >= 15 - 1e-4


def test_they_cover_more_than_the_likeliest_pixels_do():
    """Garments are red or blue, and mostly gray: each of these is among the suggestions."""
    garment = torch.zeros(len(CENTRES))
    for place, share in ((GRAY, 0.8), (RED, 0.1), (BLUE, 0.1)):
        garment[bin_of(*place)] = share
    found = suggestions.distinct_colours(garment, CENTRES, torch.tensor(GRAY))
    narrower = 0.6 * torch.tensor([GRAY, RED, BLUE])
    assert torch.cdist(narrower, places_of(found)).amin(1).max() < 10


def test_each_object_has_its_colours(engine):
    labels = torch.zeros(100, 200, dtype=torch.uint8)
    labels[:, 120:] = 50
    labels[10:90, 10:60] = 36
    labels[10:40, 80:110] = 36
    labels[50, 110] = 7  # too small to be one
    engine.put_plane("objects", labels)
    found = engine.suggest_all(SuggestAll("photo", "objects"))
    assert [entry.class_id for entry in found] == [50, 36, 36]
    for entry, (x, y, width, height) in zip(
        found, [(120, 0, 80, 100), (10, 10, 50, 80), (80, 10, 30, 30)], strict=True
    ):
        assert labels[entry.y, entry.x] == entry.class_id
        assert entry.region == pytest.approx((x, y, width, height), abs=6)
        assert entry.share == pytest.approx(width * height / 20_000, rel=0.15)
        assert (entry.colors[0].a, entry.colors[0].b) == pytest.approx(RED, abs=1)
    assert not engine.suggest_all(SuggestAll("photo", ""))


def chroma_of(rgb):
    return color.lab_from_rgb(rgb.permute(2, 0, 1).float() / 255)[1:]


def test_a_tint_moves_the_mean_and_keeps_the_variation():
    generator = torch.Generator().manual_seed(0)
    chroma = 10 * torch.randn(1, 2, 20, 30, generator=generator)
    mask = torch.zeros(20, 30)
    mask[5:15, 5:15], mask[5:15, 15:20] = 1, 0.5
    after = suggestions.tinted(chroma, mask, 30, -20)
    inside = after[0, :, 5:15, 5:15]
    before = chroma[0, :, 5:15, 5:15]
    shift = (inside - before).mean(dim=(1, 2))
    assert torch.allclose(inside - before, shift[:, None, None].expand_as(inside), atol=1e-4)
    assert torch.allclose((after - chroma)[0, :, 5:15, 15:20], shift[:, None, None] / 2, atol=1e-4)
    assert torch.equal(after[..., 20:], chroma[..., 20:])
    mean = (chroma * mask).sum(dim=(2, 3))[0] / mask.sum()
    assert torch.allclose(mean + shift, torch.tensor([30.0, -20.0]), atol=1e-4)
    assert torch.equal(suggestions.tinted(chroma, torch.zeros(20, 30), 1, 1), chroma)


def test_a_tint_colours_its_objects_only(engine):
    labels = torch.full((100, 200), 7, dtype=torch.uint8)
    labels[20:80, 20:90] = labels[20:80, 150:190] = 15
    engine.put_plane("two", labels)
    plain = chroma_of(engine.colorize(Colorize("photo", "two", WHOLE)))
    left, right = (slice(35, 65), slice(35, 75)), (slice(35, 65), slice(160, 180))
    a, b = color.chroma_of("#bb7755")
    one, all_of_them = (Tint(15, "#bb7755", 88, 50),), (Tint(15, "#bb7755"),)

    def mean(tints, part):
        chroma = chroma_of(engine.colorize(Colorize("photo", "two", WHOLE, 0, tints)))
        return chroma[(slice(None), *part)].mean(dim=(1, 2)).tolist()

    assert mean(one, left) == pytest.approx([a, b], abs=3)
    assert mean(one, right) == pytest.approx(plain[(slice(None), *right)].mean((1, 2)), abs=1)
    for part in (left, right):
        assert mean(all_of_them, part) == pytest.approx([a, b], abs=3)
    # The pixel is of another class by now: a thin object may miss it by a little, not by so much.
    assert mean((Tint(15, "#bb7755", 120, 50),), left) == mean((), left)
    region = engine.recolor(Recolor("photo", "two", "two", 0, one))[0]
    assert region.x + region.width < 150
    assert region.width > 60
    assert engine.recolor(Recolor("photo", "two", "two", 0, one, one))[0].pixels == 0


def test_a_tint_follows_its_object_through_edits(engine):
    labels = torch.full((100, 200), 7, dtype=torch.uint8)
    labels[20:80, 20:90] = 15
    engine.put_plane("before", labels)
    grown = labels.clone()
    grown[20:80, 90:150] = 15
    engine.put_plane("after", grown)
    tint = (Tint(15, "#bb7755", 40, 50),)
    engine.colorize(Colorize("photo", "before", WHOLE, 0, tint))
    region = engine.recolor(Recolor("photo", "after", "before", 0, tint, tint))[0]
    assert region.x + region.width > 130
    chroma = chroma_of(engine.colorize(Colorize("photo", "after", WHOLE, 0, tint)))
    found = chroma[:, 35:65, 100:140].mean(dim=(1, 2)).tolist()
    assert found == pytest.approx(color.chroma_of("#bb7755"), abs=3)


def test_swatches_have_the_lightness_they_are_for():
    assert suggestions.swatch(100, 0, 0) == "#ffffff"
    assert suggestions.swatch(0, 0, 0) == "#000000"
    red, green, blue = bytes.fromhex(suggestions.swatch(50, 60, 50)[1:])
    assert red > green
    assert red > blue


def test_an_object_is_suggested_colours_for_as_if_it_were_selected(engine):
    labels = torch.full((100, 200), 7, dtype=torch.uint8)
    labels[20:80, 20:100] = labels[20:80, 150:190] = 15
    engine.put_plane("objects", labels)
    selected = engine.suggest(Suggest("photo", "objects", "left"))
    found = engine.suggest(Suggest("photo", "objects", "", 0, 50, 50))
    assert (found[0].a, found[0].b) == pytest.approx((selected[0].a, selected[0].b), abs=0.1)
    assert found[0].rgb == selected[0].rgb
    assert found[0].rgb != engine.suggest(Suggest("photo", "objects", "", 0, 160, 50))[0].rgb
