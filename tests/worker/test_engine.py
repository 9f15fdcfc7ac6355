import numpy as np
import pytest
import torch

from semcolor.photos.photo_files import read_photo
from semcolor.protocol.schema import Colorize, Recolor, Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.color import gray_lightness, lab_from_rgb
from semcolor_worker.coloring.detail import detail_size, lightness_at, majority
from semcolor_worker.coloring.painting import Painting
from semcolor_worker.coloring.windows import Window
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.metrics import bleeding, ciede2000

from .strokes import edited_and_anew, held


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
