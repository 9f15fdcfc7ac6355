import numpy as np
import pytest
import torch
from semcolor_worker import weights
from semcolor_worker.caches import LruCache
from semcolor_worker.engine import Engine, detail_size, majority
from semcolor_worker.weights import ModelSpec
from semcolor_worker.windows import Window

from semcolor.messages import Changes, Colorize, Rectangle, Segment


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
    assert engine.needed(Changes("photo", "after", "before")) == ["photo"]  # it is remembered
    assert engine.changes(Changes("photo", "after", "before")).pixels > 80_000 / 2
    assert engine.lacking(["before", "edited"]) == ["before"]


def test_changes_are_where_the_label_was_painted(engine, gray):
    engine.put_plane("photo", gray)
    labels = torch.zeros_like(gray)
    labels[300:500, 200:600] = 36
    engine.put_plane("painted", labels)
    region = engine.changes(Changes("photo", "painted", ""))
    whole = Rectangle(0, 0, 1024, 788)
    one, other = (engine.colorize(Colorize("photo", ids, whole)) for ids in ("", "painted"))
    difference = (one.int() - other.int()).abs()
    assert difference.max() > 8
    difference[region.rows, region.columns] = 0
    assert difference.max() <= 1
    assert engine.changes(Changes("photo", "painted", "painted")).pixels == 0


def test_labels_that_are_no_class_are_refused(engine, gray):
    with pytest.raises(ValueError, match="end at 59"):
        color(engine, gray, torch.full_like(gray, 60))


def test_what_does_not_fit_is_refused(engine, gray):
    with pytest.raises(ValueError, match="not inside"):
        color(engine, gray, region=Rectangle(1000, 0, 100, 10))
    with pytest.raises(ValueError, match="same size"):
        color(engine, gray, torch.zeros(10, 10, dtype=torch.uint8))


def test_majority_wins():
    labels = torch.zeros(64, 64, dtype=torch.uint8)
    labels[:, :40] = 7
    labels[0, 0] = 9
    small = majority(labels, Window.whole(2, 2), (2, 2))
    assert small.tolist() == [[7, 0], [7, 0]]


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
    with pytest.raises(weights.WeightsError, match="cannot read"):
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
        ("colorize", Colorize("photo", "", whole)), ("segment", Segment("photo", whole))
    ):  # fmt: skip
        for before in range(3):
            left = iter(["go on"] * before + ["stop"])
            with pytest.raises(StoppedError):
                getattr(same, ask)(request)
        assert (getattr(same, ask)(request) == getattr(engine, ask)(request)).all()
