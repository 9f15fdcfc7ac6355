import gc
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semcolor.photos.photo_files import read_photo
from semcolor.protocol.schema import Colorize, Recolor, Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.color import gray_lightness, lab_from_rgb
from semcolor_worker.coloring import strips
from semcolor_worker.coloring.detail import detail_size, lightness_at, majority, mended, shrunk
from semcolor_worker.coloring.painting import Painting
from semcolor_worker.coloring.windows import Window
from semcolor_worker.engine.engine import Engine, PlanesMissingError
from semcolor_worker.evaluation.metrics import bleeding, ciede2000
from semcolor_worker.lru import LruCache
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec


@pytest.fixture(scope="module")
def engine():
    """The bundled models."""
    return Engine.load(None)


@pytest.fixture
def gray(sample_gray):
    return torch.from_numpy(sample_gray.copy())


def color(engine, gray, labels=None, region=None):
    name = str(gray.dtype) + str(tuple(gray.shape))
    engine.put_plane(name, gray)
    digest = ""
    if labels is not None:
        digest = f"labels {labels.sum()} {tuple(labels.shape)}"
        engine.put_plane(digest, labels)
    height, width = gray.shape
    return engine.colorize(Colorize(name, digest, region or Rectangle(0, 0, width, height)))


def test_colour_keeps_lightness_and_depth(engine, gray):
    for photo in (gray, (gray.int() * 257).to(torch.uint16)):
        rgb = color(engine, photo)
        assert rgb.dtype == photo.dtype
        assert rgb.shape == (*photo.shape, 3)
        top = 255 if photo.dtype == torch.uint8 else 65535
        linear = (rgb.double() / top).numpy() ** 2.2
        wanted = (photo.double() / top).numpy() ** 2.2
        assert np.abs(linear @ [0.2126, 0.7152, 0.0722] - wanted).max() < 0.02
        assert rgb.float().std(dim=2).mean() > 0.01 * top  # it is coloured


def test_strips_equal_the_whole(engine, gray):
    whole = color(engine, gray)
    strip = color(engine, gray, region=Rectangle(100, 301, 555, 77))
    assert (strip == whole[301:378, 100:655]).all()


def test_labels_change_the_colour_where_they_are(engine, gray):
    labels = torch.zeros_like(gray)
    grass, sky = labels.clone(), labels.clone()
    grass[500:700, 200:600], sky[500:700, 200:600] = 36, 50
    change = (color(engine, gray, grass).int() - color(engine, gray, sky).int()).abs().sum(dim=2)
    assert change[550:650, 300:500].float().mean() > 3 * change[:200].float().mean() + 3


def test_segmentation_gives_a_class_everywhere(engine, gray):
    engine.put_plane("photo", gray)
    ids = engine.segment(Segment("photo", Rectangle(0, 0, 1024, 788)))
    assert ids.shape == gray.shape
    assert int(ids.min()) >= 1
    assert int(ids.max()) <= 59
    strip = engine.segment(Segment("photo", Rectangle(10, 100, 300, 50)))
    assert (strip == ids[100:150, 10:310]).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (33, 31)])
def test_odd_sizes(engine, shape):
    photo = torch.full(shape, 128, dtype=torch.uint8)
    assert color(engine, photo).shape == (*shape, 3)


def test_missing_planes_are_named(engine, gray):
    engine.put_plane("here", gray)
    request = Colorize("p" * 32, "l" * 32, Rectangle(0, 0, 1, 1))
    assert engine.lacking([*request.planes, "here"]) == ["p" * 32, "l" * 32]


def test_an_edited_plane_is_the_base_with_the_rectangle_changed(engine, gray):
    engine.put_plane("photo", gray)
    before, after = torch.zeros_like(gray), torch.zeros_like(gray)
    after[300:500, 200:600] = 36
    engine.put_plane("before", before)
    whole = Rectangle(0, 0, 1024, 788)
    unlabelled = engine.colorize(Colorize("photo", "before", whole))
    region = Rectangle(200, 300, 400, 200)
    engine.edit_plane("edited", "before", region, torch.full((80_000,), 36, dtype=torch.uint8))
    engine.put_plane("after", after)
    edited, painted = (
        engine.colorize(Colorize("photo", name, whole)) for name in ("edited", "after")
    )
    assert (edited == painted).all()
    assert (edited != unlabelled).any()
    assert engine.needed(Colorize("photo", "after", whole)) == ["photo"]  # colour is still known
    assert engine.needed(Colorize("photo", "after", whole, 64)) == ["photo", "after"]
    assert engine.needed(Recolor("photo", "after", "before")) == ["photo"]  # it is remembered
    assert engine.recolor(Recolor("photo", "after", "before"))[0].pixels > 80_000 / 2
    assert engine.lacking(["before", "edited"]) == ["before"]


def test_edits_of_many_photos_in_turn_read_the_labels_only_where_they_changed(
    engine, gray, monkeypatch
):
    maps, side = 40, Rectangle(0, 0, 64, 64)
    same = Engine(engine.color, engine.segmentation, engine.device)
    same.put_plane("photo", gray)
    for number in range(maps):
        same.put_plane(f"{number} before", torch.full_like(gray, number))
        same.colorize(Colorize("photo", f"{number} before", side, 128))
    read = []

    def note(labels, window, size):
        read.append(window.area)
        return majority(labels, window, size)

    for module in ("coloring.detail", "engine.planes"):
        monkeypatch.setattr(f"semcolor_worker.{module}.majority", note)
    for number in range(maps):
        ids = torch.full((side.pixels,), 50, dtype=torch.uint8)
        same.edit_plane(f"{number} after", f"{number} before", side, ids)
        same.colorize(Colorize("photo", f"{number} after", side, 128))
    assert len(read) == maps
    assert max(read) < 128 * 96 / 50


def test_changes_are_where_the_label_was_painted(engine, gray):
    engine.put_plane("photo", gray)
    labels = torch.zeros_like(gray)
    labels[300:500, 200:600] = 36
    engine.put_plane("painted", labels)
    region = engine.recolor(Recolor("photo", "painted", ""))[0]
    whole = Rectangle(0, 0, 1024, 788)
    one, other = (engine.colorize(Colorize("photo", ids, whole)) for ids in ("", "painted"))
    difference = (one.int() - other.int()).abs()
    assert difference.max() > 8
    difference[region.rows, region.columns] = 0
    assert difference.max() <= 1
    assert engine.recolor(Recolor("photo", "painted", "painted"))[0].pixels == 0


def test_labels_that_are_no_class_are_refused(engine, gray):
    with pytest.raises(SemcolorError, match="end at 59"):
        color(engine, gray, torch.full_like(gray, 60))


def test_what_does_not_fit_is_refused(engine, gray):
    with pytest.raises(SemcolorError, match="not inside") as outside:
        color(engine, gray, region=Rectangle(1000, 0, 100, 10))
    with pytest.raises(SemcolorError, match="same size") as smaller:
        color(engine, gray, torch.zeros(10, 10, dtype=torch.uint8))
    assert outside.value.code == smaller.value.code == Code.LABELS_MISMATCH


def test_majority_wins():
    labels = torch.zeros(64, 64, dtype=torch.uint8)
    labels[:, :40] = 7
    labels[0, 0] = 9
    small = majority(labels, Window.whole(2, 2), (2, 2))
    assert small.tolist() == [[7, 0], [7, 0]]


@given(st.data())
def test_the_majority_is_mended_where_labels_changed(data):
    side = st.integers(1, 60)
    shape, size = data.draw(st.tuples(side, side)), data.draw(st.tuples(side, side))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    labels = torch.randint(0, 3, shape, generator=generator).to(torch.uint8)
    before = majority(labels, Window.whole(*size), size)
    y, x = (data.draw(st.integers(0, limit - 1)) for limit in shape)
    height, width = shape[0] - y, shape[1] - x
    region = Rectangle(x, y, data.draw(st.integers(1, width)), data.draw(st.integers(1, height)))
    labels[region.rows, region.columns] = 7
    after = majority(labels, Window.whole(*size), size)
    assert torch.equal(mended(before, labels, region), after)


def test_detail_is_a_multiple_of_the_stride(engine):
    model = engine.color
    assert detail_size(torch.Size((788, 1024)), 384, model) == (288, 384)
    assert detail_size(torch.Size((1024, 788)), 0, model) == (384, 288)
    assert detail_size(torch.Size((1, 5000)), 384, model) == (64, 384)


def test_cache_drops_the_least_recently_used():
    cache = LruCache[int](budget=2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_weights_come_back_as_they_were(tmp_path):
    spec = ModelSpec("color", "two_stream_unet", {"widths": [4, 6], "slope": 0.1}, detail=64)
    model = weights.build(spec)
    weights.save(tmp_path / "w.safetensors", model, torch.float32)
    back = weights.load(tmp_path / "w.safetensors")
    assert back.spec == spec
    for one, other in zip(
        model.network.state_dict().values(), back.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_other_files_are_no_weights(tmp_path):
    (tmp_path / "pickle.pth").write_bytes(b"\x80\x04N.")
    with pytest.raises(weights.WeightsError, match="cannot be read"):
        weights.load(tmp_path / "pickle.pth")
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(weights.WeightsError, match="no description"):
        weights.load(tmp_path / "other.safetensors")


def test_saturation_is_part_of_the_model():
    """It strengthens what users get; training aims at the photos' own colours."""
    spec = ModelSpec("color", "two_stream_unet", {"widths": (4, 4)}, 64, saturation=1.5)
    model = weights.build(spec)
    chroma = torch.tensor([[20.0, -40.0]])
    assert torch.allclose(model.chroma(model.target(chroma)), 1.5 * chroma)


def test_a_job_ends_at_any_checkpoint_and_leaves_nothing_wrong_behind(engine, gray):
    class StoppedError(Exception):
        pass

    left = iter(())

    def checkpoint():
        if next(left, None) == "stop":
            raise StoppedError

    same = Engine(engine.color, engine.segmentation, engine.device, checkpoint)
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    for one in (engine, same):
        one.put_plane("photo", gray)
    for ask, request in (
        ("colorize", Colorize("photo", "", whole)), ("segment", Segment("photo", whole, 768))
    ):  # fmt: skip
        for before in (0, 1, 5, 20, 40):  # deep inside the networks, too
            left = iter(["go on"] * before + ["stop"])
            with pytest.raises(StoppedError):
                getattr(same, ask)(request)
            assert next(left, None) is None
        assert (getattr(same, ask)(request) == getattr(engine, ask)(request)).all()


def edited_and_anew(edited, anew, gray, detail):
    """Colour after strokes, by an engine that mends and by one that has never seen the photo."""
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    labels = torch.zeros_like(gray)
    edited.put_plane("photo", gray)
    edited.put_plane("edit 0", labels)
    edited.colorize(Colorize("photo", "edit 0", whole, detail))
    for number, (x, y, class_id) in enumerate([(50, 60, 36), (700, 500, 50), (60, 70, 0)]):
        region = Rectangle(x, y, 90, 70)
        labels = labels.clone()
        labels[region.rows, region.columns] = class_id
        pixels = torch.full((region.pixels,), class_id, dtype=torch.uint8)
        name = f"edit {number + 1}"
        edited.edit_plane(name, f"edit {number}", region, pixels)
        request = Colorize("photo", name, whole, detail)
        anew.put_plane("photo", gray)
        anew.put_plane(name, labels)
        anew.forget()
        yield edited.colorize(request), anew.colorize(request)


@pytest.mark.parametrize("detail", [0, 768])
def test_strokes_give_what_colouring_anew_gives(engine, gray, detail):
    anew = Engine(engine.color, engine.segmentation, engine.device)
    for strokes, whole in edited_and_anew(engine, anew, gray, detail):
        assert (strokes.int() - whole.int()).abs().max() <= 1


def test_rounding_to_what_the_processor_is_fast_in_is_not_seen(gray):
    """Of a photo and of labels everywhere, at the model's own detail and at a large one."""
    exact, rounded = (Engine.load(None, precision=p) for p in (torch.float32, torch.bfloat16))
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    exact.put_plane("photo", gray)
    rounded.put_plane("photo", gray)
    labels = exact.segment(Segment("photo", whole))
    for name, detail in (("", 0), ("labels", 0), ("labels", 768)):
        lab = []
        for one in (exact, rounded):
            one.put_plane("labels", labels)
            rgb = one.colorize(Colorize("photo", name, whole, detail))
            lab.append(lab_from_rgb(rgb.permute(2, 0, 1).float() / 255))
        difference = ciede2000(*lab).flatten()
        assert difference.mean() < 0.3
        assert difference.kthvalue(int(0.999 * len(difference))).values < 2


def test_precision_follows_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    for able in ({"avx512_bf16": True}, {"amx_bf16": True, "avx512_bf16": False}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert weights.precision_for(cpu) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    assert weights.precision_for(cpu) == torch.float32


def held():
    """Bytes of all tensors that Python holds."""
    gc.collect()
    tensors = [found for found in gc.get_objects() if issubclass(type(found), torch.Tensor)]
    storages = [t.untyped_storage() for t in tensors if t.layout == torch.strided]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.mark.parametrize("asked", [0, 1, 30, 10_000])
def test_warming_up_ends_when_something_is_wanted_and_leaves_nothing(engine, gray, asked):
    wanted = iter(range(asked))
    jobs = []
    same = Engine(engine.color, engine.segmentation, engine.device, lambda: jobs.append(1))
    gray_lightness(torch.zeros(1, 1, dtype=torch.uint16))  # makes tables, which stay
    before = held()
    same.warm_up(lambda: next(wanted, None) is None)
    assert (next(wanted, None) is None) == (asked < 10_000)
    assert not jobs
    assert held() == before
    for one in (same, engine):
        one.put_plane("photo", gray)
    request = Colorize("photo", "", Rectangle(0, 0, 99, 99))
    assert torch.equal(same.colorize(request), engine.colorize(request))
    assert jobs


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
    assert tried == [768, 768, 768, 384, 192]
    assert same.lowered(request) == 192
    same.colorize(request)
    assert tried[5:] == []  # neither tried again nor painted again: strips fit together
    assert same.lowered(Colorize("photo", "", whole)) == 0
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
        same.be_sparing(request)
        same.be_sparing(request)
        (same.segment if isinstance(request, Segment) else same.colorize)(request)
        assert same.lowered(request) == detail
    assert same.lowered(Segment("photo", whole)) == 0


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

    def kept():
        same.colorize(request)
        with_results = held()
        same.forget()
        return with_results - held()

    assert same.lowered(request) == 0
    little = kept()
    later, short = time.monotonic() + 61, False
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert kept() > 1.5 * little


def too_large():
    return torch.empty(1 << 50)


@pytest.mark.parametrize("name", ["dust-bowl-home", "french-alpine-landscape", "nagasaki-boats"])
def test_no_more_colour_crosses_a_label_edge_at_full_resolution_than_at_detail(
    engine, sample, name
):
    """Pixels that have the colour of a label edge's other side, of those near the edge."""
    gray = torch.from_numpy(read_photo(sample.with_stem(name)).gray.copy())
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    engine.put_plane(name, gray)
    labels = engine.segment(Segment(name, whole))
    engine.put_plane(f"{name} labels", labels)
    request = Colorize(name, f"{name} labels", whole)
    rgb = engine.colorize(request)
    size = detail_size(gray.shape, 0, engine.color)
    ids = majority(labels, Window.whole(*size), size)
    with torch.inference_mode():
        painting = Painting(engine.color, lightness_at(gray, size, engine.device))
        painting.paint("labels", ids.to(engine.device))
    band = round(2 * gray.shape[1] / size[1])
    full = lab_from_rgb(rgb.permute(2, 0, 1).float() / 255)[1:]
    shares = []
    for chroma, edges, width in ((painting.chroma[0].cpu(), ids, 2), (full, labels, band)):
        crossed, _, looked_at = bleeding(chroma, chroma, edges, width)
        assert looked_at > 1000
        shares.append(crossed / looked_at)
    assert shares[1] < shares[0]


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
    assert same.lowered(request) == 192
    now = time.monotonic()
    for later in (50, 100):  # a minute since the last request, not since the first
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        assert same.recolor(changes)[0] != whole
        assert same.lowered(request) == 192
    monkeypatch.setattr(time, "monotonic", lambda: now + 200)
    assert same.recolor(changes)[0] == whole
    assert same.lowered(request) == 0
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


def test_a_16_bit_photo_is_averaged_by_bands_as_it_is_as_a_whole(monkeypatch):
    photo = torch.randint(0, 1 << 16, (331, 207)).to(torch.uint16)
    whole = shrunk(photo, (32, 48))
    monkeypatch.setattr("semcolor_worker.coloring.detail._BAND_PIXELS", 5000)
    assert torch.equal(shrunk(photo, (32, 48)), whole)


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
        same.recolor(request)[0]
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
