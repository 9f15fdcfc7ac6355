"""An edited painting is the one that painting everything anew gives."""

import dataclasses
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.modules.module import register_module_forward_pre_hook

from semcolor_worker.coloring import strips
from semcolor_worker.coloring.detail import lightness_at
from semcolor_worker.coloring.painting import Painting, at_once
from semcolor_worker.coloring.windows import Window, crop_for
from semcolor_worker.models import weights
from semcolor_worker.models.folding import fold_activations
from semcolor_worker.models.weights import Model, ModelSpec

SHARED = {"widths": [4, 6, 8, 8]}
PRETRAINED = {
    "widths": [4, 6, 8, 8, 8, 8], "gray_encoder": "efficientnet_lite0",
    "label_encoding": "embedding", "bins": 7,
}  # fmt: skip
HOW = [None, None, strips.chroma, at_once]  # after an edit: what it reaches, or everything


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    built = [
        weights.build(ModelSpec("color", "two_stream_unet", a, 64)) for a in (SHARED, PRETRAINED)
    ]
    for model in built:
        model.network.eval().requires_grad_(False)
        for name, parameter in model.network.named_parameters():
            if name.startswith(("encoder", "decoder", "final")):
                parameter.mul_(2.5)  # as weights come, little would reach the far end
        fold_activations(model.network)  # as the engine has it
    return built


@st.composite
def edits(draw, height, width):
    """Rectangles with a class, one after the other; some change nothing."""

    def one():
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom = draw(st.integers(top + 1, min(height, top + 24)))
        right = draw(st.integers(left + 1, min(width, left + 24)))
        return slice(top, bottom), slice(left, right), draw(st.integers(0, 59))

    return [one() for _ in range(draw(st.integers(1, 4)))]


class StoppedError(Exception):
    pass


@settings(max_examples=40)
@given(data=st.data(), which=st.integers(0, 1), seed=st.integers(0, 1000), how=st.sampled_from(HOW))
@torch.inference_mode()
def test_after_any_edits_it_is_as_painted_anew(models, data, which, seed, how):
    model = models[which]
    height, width = (model.stride * data.draw(st.integers(2, 8 // (which + 1))) for _ in "hw")
    generator = torch.Generator().manual_seed(seed)
    lightness = 100 * torch.rand(1, 1, height, width, generator=generator)
    ids = torch.randint(0, 60, (height, width), generator=generator).to(torch.uint8)
    layers = 0

    def count():
        nonlocal layers
        layers -= 1
        if layers == 0:
            raise StoppedError

    full_pass = how and partial(how, model.network)
    if how is strips.chroma:
        full_pass = partial(full_pass, checkpoint=count)
    painting = Painting(model, lightness, full_pass, count)
    painting.paint("first", ids)
    for number, (*place, class_id) in enumerate(data.draw(edits(height, width))):
        before = painting.chroma.clone()
        previous, ids = ids, ids.clone()
        ids[*place] = class_id
        layers = data.draw(st.integers(0, 25))  # until it is stopped
        try:
            changed = painting.paint(number, ids)
        except StoppedError:
            assert painting.labels is None
            ids = data.draw(st.sampled_from([ids, previous]))  # the edit may be taken back
            continue
        assert painting.labels == number
        if changed is not None:
            before[:, :, *changed.slices] = painting.chroma[:, :, *changed.slices]
        assert torch.equal(before, painting.chroma)
    layers = 0
    painting.paint("last", ids)
    anew = Painting(model, lightness, how and partial(how, model.network))
    anew.paint("last", ids)
    output = model.network(model.network_input(lightness), ids[None].long())
    assert (anew.chroma - model.chroma(output)).abs().max() < 1e-3
    assert (painting.chroma - anew.chroma).abs().max() < 1e-5 * model.spec.chroma_scale
    if which:
        assert torch.allclose(painting.bin_logits, anew.bin_logits, atol=1e-3)


@pytest.mark.parametrize("which", [0, 1])
@torch.inference_mode()
def test_a_large_picture_is_painted_strip_by_strip_as_it_is_as_a_whole(models, which, monkeypatch):
    monkeypatch.setitem(strips.STRIP_PIXELS, "cpu", 1)  # of as few rows as possible
    model = models[which]
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(1, 1, 320, 64, generator=generator)
    ids = torch.randint(0, 60, (320, 64), generator=generator).to(torch.uint8)
    whole = model.chroma(model.network(model.network_input(lightness), ids[None].long()))
    rows = []
    convolutions = {
        module for module in model.network.modules()
        if hasattr(module, "weight") and module.weight.ndim == 4
    } - {model.network.final_conv}  # fmt: skip

    def note(module, inputs):
        if module in convolutions:
            rows.append(inputs[0].shape[2])

    in_strips = partial(strips.chroma, model.network)
    with register_module_forward_pre_hook(note):
        paintings = [Painting(model, lightness, how) for how in (None, in_strips)]
        for painting in paintings:
            painting.paint("labels", ids)
            assert (painting.chroma - whole).abs().max() < 1e-4 * model.spec.chroma_scale
    assert max(rows) < 320 / 1.5
    kept, low = (painting.nbytes for painting in paintings)
    assert low < 0.7 * kept
    if which:
        one, other = (painting.bin_logits for painting in paintings)
        assert torch.allclose(one, other, atol=1e-3)


def test_crops_of_windows_have_few_sizes():
    whole = Window.whole(1000, 1000)
    sizes = set()
    for top in range(0, 1000, 7):
        for bottom in range(top + 1, 1001, 13):
            window = Window(top, bottom, 1000 - bottom, 1000 - top)
            crop = crop_for(window, whole)
            assert crop == crop.inside(whole)
            assert crop == crop.joined(window.grown(2).inside(whole))
            sizes |= {crop.bottom - crop.top, crop.right - crop.left}
    assert len(sizes) < 50


@torch.inference_mode()
def test_a_mirrored_photo_gets_nearly_the_same_colours(sample_gray):
    """What is shown its mirror image, too, has no left and right, but for the decoder's own."""
    bundled = weights.load(weights.bundled("color"))
    lightness = lightness_at(torch.from_numpy(sample_gray.copy()), (288, 384), torch.device("cpu"))
    ids = torch.zeros(288, 384, dtype=torch.uint8)
    ids[150:] = 36
    changes = {}
    for mirrored in (False, True):
        spec = dataclasses.replace(bundled.spec, mirrored=mirrored)
        model = Model(bundled.network, spec)
        one, other = Painting(model, lightness), Painting(model, lightness.flip(-1))
        one.paint("labels", ids)
        other.paint("labels", ids.flip(-1))
        change = (one.chroma - other.chroma.flip(-1)).norm(dim=1).mean()
        changes[mirrored] = float(change / one.chroma.norm(dim=1).mean())
    assert changes[True] < 0.8 * changes[False]
    assert changes[True] < 0.12
