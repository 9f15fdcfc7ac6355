"""What the engine keeps, and what it does without when memory does not suffice."""

import time

import pytest
import torch

from semcolor.protocol.schema import Colorize, Recolor, Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring import strips
from semcolor_worker.coloring.painting import Painting
from semcolor_worker.engine.engine import Engine, PlanesMissingError
from semcolor_worker.lru import LruCache

from .strokes import edited_and_anew, held, too_large


@pytest.fixture(scope="module")
def engine():
    """The bundled models."""
    return Engine.load(None)


@pytest.fixture
def gray(sample_gray):
    return torch.from_numpy(sample_gray.copy())


def test_without_memory_detail_goes_down_and_the_answer_says_so(engine, gray, monkeypatch):
    """The failure is a real one of the allocator, for all but small pictures."""
    same = Engine.load(None)  # its networks may end on another device
    network, whole = same.color.network, Rectangle(0, 0, gray.shape[1], gray.shape[0])
    encode, tried = network.encode_gray, []

    def encode_small_ones(lightness, run):
        tried.append(max(lightness.shape))
        if max(lightness.shape) > limit:
            too_large()
        return encode(lightness, run)

    for one in (engine, same):
        one.put_plane("photo", gray)
    request = Colorize("photo", "", whole, 768)
    smaller = engine.colorize(Colorize("photo", "", whole, 192))
    monkeypatch.setattr(network, "encode_gray", encode_small_ones)
    limit = 200
    assert (same.colorize(request).int() - smaller.int()).abs().max() <= 1
    assert tried == [768, 768, 768, 384, 192, 192]  # the last one's mirror image, too
    assert same.policy.lowered(request) == 192
    same.colorize(request)
    assert tried[6:] == []  # neither tried again nor painted again: strips fit together
    assert same.policy.lowered(Colorize("photo", "", whole)) == 0
    limit = 64
    with pytest.raises(SemcolorError, match="memory does not suffice") as caught:
        same.colorize(Colorize("photo", "", whole))
    assert caught.value.code == Code.NO_MEMORY


def test_what_another_process_died_of_begins_with_a_quarter_of_the_detail(engine, gray):
    same = Engine(engine.color, engine.segmentation, engine.device)
    same.put_plane("photo", gray)
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    for request, detail in (
        (Colorize("photo", "", whole, 768), 192),
        (Colorize("photo", "", whole), 128),  # no smaller one is worth it
        (Segment("photo", whole, 640), 160),
    ):
        same.policy.begin_low(request)
        same.policy.begin_low(request)
        (same.segment if isinstance(request, Segment) else same.colorize)(request)
        assert same.policy.lowered(request) == detail
    assert same.policy.lowered(Segment("photo", whole)) == 0


def test_without_memory_nothing_is_kept_for_edits_before_detail_goes_down(gray, monkeypatch):
    """Strokes give the same colour; after a pause layers are kept again."""
    same, anew = (Engine.load(None, torch.device("cpu")) for _ in range(2))
    everywhere, short = strips.everywhere, True  # what fills the layers that are kept for edits

    def run_elsewhere(layer, *arguments):
        if short and layer in set(same.color.network.modules()):
            too_large()
        return everywhere(layer, *arguments)

    monkeypatch.setattr(strips, "everywhere", run_elsewhere)
    for strokes, whole in edited_and_anew(same, anew, gray, 384):
        assert (strokes.int() - whole.int()).abs().max() <= 1
    request = Colorize("photo", "edit 3", Rectangle(0, 0, 9, 9), 384)

    same.colorize(request)
    assert same.policy.lowered(request) == 0
    little = held()
    later, short = time.monotonic() + 61, False
    monkeypatch.setattr(time, "monotonic", lambda: later)
    same.colorize(request)
    much = held()
    same.forget()
    assert much - held() > 1.5 * (little - held())


def test_a_lowered_detail_is_raised_again_after_a_pause(engine, gray, monkeypatch):
    """As colour of another detail differs everywhere, all of it has changed then."""
    same = Engine(engine.color, engine.segmentation, engine.device)
    network, whole = engine.color.network, Rectangle(0, 0, gray.shape[1], gray.shape[0])
    same.put_plane("photo", gray)
    labels = torch.zeros_like(gray)
    labels[:40, :40] = 36
    same.put_plane("labels", labels)
    request = Colorize("photo", "", whole, 384)
    full = same.colorize(request)
    same.forget()
    changes = Recolor("photo", "labels", "", 384)
    encode, limit = network.encode_gray, [200]
    monkeypatch.setattr(
        network, "encode_gray",
        lambda x, run: encode(x if x.shape[3] <= limit[0] else too_large(), run),
    )  # fmt: skip
    assert same.recolor(changes)[0] == whole
    same.colorize(request)
    limit = [9999]
    assert same.policy.lowered(request) == 192
    now = time.monotonic()
    for later in (50, 100):  # a minute since the last request, not since the first
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        assert same.recolor(changes)[0] != whole
        assert same.policy.lowered(request) == 192
    monkeypatch.setattr(time, "monotonic", lambda: now + 200)
    assert same.recolor(changes)[0] == whole
    assert same.policy.lowered(request) == 0
    assert (same.colorize(request) == full).all()


@pytest.mark.parametrize(("budget", "left"), [(1, ["2"]), (1 << 30, ["0", "1", "2"])])
def test_what_is_kept_at_detail_keeps_to_its_budget(gray, monkeypatch, budget, left):
    whole = Rectangle(0, 0, 8, 8)
    monkeypatch.setattr("semcolor_worker.engine.memory.feature_budget", lambda _: budget)
    same = Engine.load(None)
    predict, predicted = same.segmentation.network.features, []
    same.put_plane("labels", torch.zeros_like(gray))
    for name in "012":
        same.put_plane(name, gray + int(name))
        same.colorize(Colorize(name, "labels", whole, 128))
        same.segment(Segment(name, whole, 128))
    colours = {name: Colorize(name, "labels", whole, 128) for name in "012"}
    assert [name for name in "012" if same.needed(colours[name]) == [name]] == left

    def note(*arguments):
        predicted.append(name)
        return predict(*arguments)

    monkeypatch.setattr(same.segmentation.network, "features", note)
    for name in "210":  # those that are kept first: each new one lets another go
        same.segment(Segment(name, whole, 128))
    assert sorted(set("012") - set(predicted)) == left


def test_without_memory_what_results_stood_in_for_is_asked_for(engine, gray, monkeypatch):
    same = Engine(engine.color, engine.segmentation, engine.device)
    same.put_plane("photo", gray)
    same.put_plane("before", torch.zeros_like(gray))
    same.colorize(Colorize("photo", "before", Rectangle(0, 0, 9, 9)))
    region = Rectangle(5, 5, 50, 50)
    same.edit_plane("after", "before", region, torch.full((2500,), 9, dtype=torch.uint8))
    request = Recolor("photo", "after", "before")
    assert same.lacking(same.needed(request)) == []
    monkeypatch.setattr(Painting, "paint", lambda *_: too_large())
    with pytest.raises(PlanesMissingError):
        same.recolor(request)
    assert same.lacking(same.needed(request)) == ["before"]


def test_without_memory_other_planes_make_way_for_a_new_one(engine, gray, monkeypatch):
    same = Engine(engine.color, engine.segmentation, engine.device)
    same.put_plane("photo", gray)
    empty = torch.empty
    monkeypatch.setattr(
        torch, "empty", lambda *a, **k: empty(1 << 50) if not same.lacking(["photo"])
        else empty(*a, **k)
    )  # fmt: skip
    assert same.new_plane(30, 40, torch.uint16).shape == (30, 40)
    assert same.lacking(["photo"]) == ["photo"]


def test_cache_drops_the_least_recently_used():
    cache = LruCache[int](budget=2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
