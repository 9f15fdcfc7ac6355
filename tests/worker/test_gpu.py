"""The engine on a GPU, as far as that can be tried without one; `on_gpu.py` needs one."""

import time

import pytest
import torch

from semcolor.protocol.schema import Colorize, Recolor, Segment, Suggest, Tint
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.graphs import Graphs
from semcolor_worker.engine.engine import Engine

from .pretend_gpu import GPU, pretended_gpu

CPU = torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(
        "semcolor_worker.models.weights.precision_for", lambda device: torch.float32
    )
    with pretended_gpu(monkeypatch) as gpu:
        yield gpu


@pytest.fixture
def gray(sample_gray):
    """16 bits, a quarter of the sample."""
    return (torch.from_numpy(sample_gray[::2, ::2].astype("int32")) * 257).to(torch.uint16)


def whole(gray):
    return Rectangle(0, 0, gray.shape[1], gray.shape[0])


def strokes(engine, gray, detail):
    """All that the engine gives while somebody paints."""
    engine.put_plane("photo", gray.clone())
    labels = engine.segment(Segment("photo", whole(gray)))
    yield labels
    engine.put_plane("labels 0", labels.clone())
    yield engine.colorize(Colorize("photo", "labels 0", whole(gray), detail))
    for number in (1, 2, 3):
        now, before = f"labels {number}", f"labels {number - 1}"
        region = Rectangle(100 * number, 60, 32, 48)
        pixels = torch.full((region.pixels,), 20 + number, dtype=torch.uint8)
        engine.edit_plane(now, before, region, pixels)
        changed = engine.recolor(Recolor("photo", now, before, detail))[0]
        assert changed.pixels
        yield changed
        yield engine.colorize(Colorize("photo", now, changed, detail))
    engine.put_plane("mask", (labels == labels[0, 0]).to(torch.uint8) * 255)
    yield [colour.rgb for colour in engine.suggest(Suggest("photo", "labels 3", "mask", detail))]
    tints = (Tint(int(labels[0, 0]), "#804020"), Tint(int(labels[5, 9]), "#203080", 9, 5))
    yield engine.colorize(Colorize("photo", "labels 3", whole(gray), detail, tints))


@pytest.mark.parametrize(("detail", "graphed"), [(0, True), (768, False)])
def test_strokes_give_the_colours_that_they_give_on_the_cpu(gpu, gray, detail, graphed):
    engines = [Engine.load(None, device) for device in (CPU, GPU)]
    for one, other in zip(*(strokes(engine, gray, detail) for engine in engines), strict=True):
        if isinstance(one, torch.Tensor):
            assert (one.int() - other.int()).abs().max() <= 2
        else:
            assert one == other
    assert (gpu.replays > 0) == graphed


def test_without_memory_it_does_with_less_and_then_goes_to_the_cpu(gpu, gray):
    engine = Engine.load(None, GPU)
    engine.put_plane("photo", gray)
    request = Colorize("photo", "", whole(gray), 512)
    full = engine.colorize(request)
    for largest, device, lowered in ((16_000_000, GPU, 256), (1000, CPU, 0)):
        gpu.largest = largest
        engine.forget()
        differs_by = (engine.colorize(request).int() - full.int()).abs().max()
        assert engine.device == device
        assert engine.policy.lowered(request) == lowered
        assert (differs_by > 256) == (lowered > 0)


def test_it_comes_back_from_the_cpu_when_the_gpu_has_memory_again(gpu, gray, monkeypatch):
    """It looks once a minute."""
    now, later = time.monotonic(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now + later)
    engine = Engine.load(None, GPU)
    engine.put_plane("photo", gray)
    request = Colorize("photo", "", whole(gray), 384)
    full = engine.colorize(request)
    engine.forget()
    steps = [
        (0, False, CPU), (61, False, CPU), (120, True, CPU), (122, True, GPU), (200, False, CPU),
    ]  # fmt: skip
    for step in steps:
        later, room, device = step
        gpu.largest = gpu.free = (8 << 30) if room else 1000
        assert (engine.colorize(request).int() - full.int()).abs().max() <= 2
        assert engine.policy.lowered(request) == 0
        assert engine.device == device


def test_after_warming_up_photos_of_usual_shapes_need_no_new_graph(gpu):
    engine = Engine.load(None, GPU)
    engine.warm_up(lambda: False)
    recorded = gpu.recorded
    for name, shape in (("usual", (200, 300)), ("unusual", (100, 300))):
        photo = torch.zeros(shape, dtype=torch.uint8)
        engine.put_plane(name, photo)
        engine.colorize(Colorize(name, "", whole(photo)))
        assert gpu.recorded == recorded + (name == "unusual")


def test_a_graph_runs_anew_for_new_values_and_keeps_to_the_last_sizes(gpu):
    runs = []

    def double(x, y):
        runs.append(x.shape)
        return x * 2 + y, y

    graphs = Graphs(double)
    for _ in range(2):
        for size in range(1, 5):
            x, y = torch.rand(size), torch.rand(size)
            results = graphs(x.to(GPU), y.to(GPU))
            assert torch.equal(results[0].to(CPU), x * 2 + y)
    for size, sizes_run in ((4, []), (9, [9]), (4, []), (1, [1])):
        runs.clear()
        graphs(torch.rand(size).to(GPU), torch.rand(size).to(GPU))
        assert sorted({shape[0] for shape in runs}) == sizes_run


def test_what_cannot_be_recorded_runs_as_it_is(gpu, caplog):
    graphs = Graphs(lambda x: (x * x.max().item(),))
    for _ in range(2):
        x = torch.rand(3)
        assert torch.equal(graphs(x.to(GPU))[0].to(CPU), x * x.max())
    assert caplog.text.count("not permitted when stream is capturing") == 1
