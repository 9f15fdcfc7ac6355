import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from semcolor_worker.models import onednn, weights
from semcolor_worker.models.folding import fold_activations, fold_batch_norms, prepare
from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.efficientnet_lite0 import EfficientNetLite0
from semcolor_worker.models.networks.gridnet import GridNet
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet
from semcolor_worker.training.imagenet import begin_with_imagenet
from semcolor_worker.training.recipes import recipe


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def encoded(network, x):
    """What the encoder's layers make of an input, as they are."""
    levels = []
    for layer in network.encoder:
        x = layer(x)
        levels.append(x)
    return levels


def test_published_sizes():
    """The paper authors' networks have these many parameters."""
    assert parameters(TwoStreamUNet((32, 64, 128, 256, 512, 512), slope=0.1)) == 37_704_096
    assert parameters(GridNet()) == 13_206_674


@pytest.mark.parametrize("label_encoding", ["scalar", "embedding"])
def test_two_stream_unet_shapes(label_encoding):
    network = TwoStreamUNet((4, 6, 8), label_encoding=label_encoding)
    assert network.stride == 4
    gray, labels = torch.rand(2, 1, 24, 40), torch.randint(0, 60, (2, 24, 40))
    assert network(gray, labels).shape == (2, 2, 24, 40)


def test_only_gray_is_instance_normalised():
    network = TwoStreamUNet((4, 6, 8))
    gray = torch.rand(1, 1, 32, 32)
    for raw, level in zip(encoded(network, gray), network.encode_gray(gray), strict=True):
        mean, variance = raw.mean((2, 3), True), raw.var((2, 3), unbiased=False, keepdim=True)
        assert torch.allclose(level, (raw - mean) / (variance + 1e-5).sqrt(), atol=1e-4)
    for level in network.encode_labels(torch.randint(0, 60, (1, 32, 32))):
        assert not torch.allclose(level, F.instance_norm(level), atol=0.1)


def test_the_streams_share_one_encoder():
    """A label map fed as numbers gives the features that the same numbers give as gray."""
    network = TwoStreamUNet((4, 6, 8))
    labels = torch.randint(0, 60, (1, 32, 32))
    numbers = labels[:, None] * 2 / 59 - 1
    for raw, label in zip(encoded(network, numbers), network.encode_labels(labels), strict=True):
        assert torch.allclose(raw, label, atol=1e-6)


def test_without_instance_norm_gray_is_as_it_comes():
    network = TwoStreamUNet((4, 6, 8), instance_norm=False)
    gray = torch.rand(1, 1, 32, 32)
    for raw, level in zip(encoded(network, gray), network.encode_gray(gray), strict=True):
        assert torch.equal(raw, level)


def test_pretrained_gray_stream():
    """Six levels; all but the coarsest, which knows the scene, have mean 0 and variance 1."""
    network = TwoStreamUNet((4, 6, 8, 8, 8, 8), gray_encoder="efficientnet_lite0").eval()
    gray = torch.rand(2, 1, 64, 96)
    levels = network.encode_gray(gray)
    assert [level.shape[2] for level in levels] == [64, 32, 16, 8, 4, 2]
    for level in levels[:-1]:
        assert torch.allclose(level.mean((2, 3)), torch.zeros(2, level.shape[1]), atol=1e-4)
    context = levels[-1].mean((2, 3))
    assert torch.allclose(
        context, network.gray.context(network.gray.encoder(gray)[-1].mean((2, 3)))
    )
    assert network(gray, torch.zeros(2, 64, 96, dtype=torch.int64)).shape == (2, 2, 64, 96)


def test_bins_are_a_quarter_of_the_scale_and_do_not_change_chroma():
    network = TwoStreamUNet((4, 6, 8), label_encoding="embedding", bins=260)
    gray, labels = torch.rand(2, 1, 24, 40), torch.randint(0, 60, (2, 24, 40))
    chroma, logits = network.decode_with_bins(
        network.encode_gray(gray), network.encode_labels(labels)
    )
    assert logits.shape == (2, 260, 6, 10)
    assert torch.equal(chroma, network(gray, labels))


@pytest.mark.parametrize("name", ["fast", "full"])
def test_fast_costs_a_sixth_of_the_paper_network(name):
    def cost(network):
        with FlopCounterMode(display=False) as counter, torch.device("meta"):
            network(torch.rand(1, 1, 352, 352), torch.zeros(1, 352, 352, dtype=torch.int64))
        return counter.get_total_flops()

    paper = TwoStreamUNet((32, 64, 128, 256, 512, 512)).to("meta")
    ours = weights.build(recipe("color", name).model).network.to("meta")
    assert cost(ours) <= cost(paper) / (6 if name == "fast" else 1)


def test_efficientnet_fpn_shapes():
    network = EfficientNetFPN().eval()
    assert network(torch.rand(2, 1, 64, 96)).shape == (2, 60, 64, 96)


# Mean and standard deviation of each level of what the published weights, in float32, make of
# waves in RGB.
PUBLISHED = [
    (-0.13616, 7.83798), (-1.58333, 12.04171), (-0.37231, 10.60166), (-0.14599, 6.10382),
    (0.17511, 2.91898),
]  # fmt: skip


def test_imagenet_weights_give_the_published_features():
    """But for rounding to float16."""
    encoder = EfficientNetLite0().eval()
    begin_with_imagenet(encoder)
    ramp = torch.linspace(-1, 1, 64 * 96).view(1, 1, 64, 96)
    with torch.inference_mode():
        levels = encoder(torch.cos(40 * ramp) * ramp)
    for level, (mean, deviation) in zip(levels, PUBLISHED, strict=True):
        assert float(level.std()) == pytest.approx(deviation, rel=1e-3)
        assert float(level.mean()) == pytest.approx(mean, abs=1e-3 * deviation)


def test_imagenet_weights_of_the_wrong_shape_are_refused():
    encoder = EfficientNetLite0()
    encoder.stem[0][1] = nn.Conv2d(3, 32, 3, 2, bias=False)
    with pytest.raises(RuntimeError, match="size mismatch"):
        begin_with_imagenet(encoder)


@pytest.mark.parametrize("network", [EfficientNetFPN(), GridNet((4, 6, 8), columns=4)])
def test_folding_batch_norms_changes_nothing_but_rounding(network):
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if "running" in name:
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    gray = torch.rand(1, 1, 64, 64, generator=generator)
    before = network.eval()(gray)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    fold_batch_norms(network)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) < norms
    assert (network(gray) - before).abs().max() < 1e-4 * before.abs().max()


NETWORKS = {
    "fpn": EfficientNetFPN,
    "gridnet": lambda: GridNet((4, 6, 8), columns=4),
    "shared": lambda: TwoStreamUNet((4, 6, 8), slope=0.1),
    "pretrained": lambda: TwoStreamUNet(
        (4, 6, 8, 8, 8, 8), label_encoding="embedding", gray_encoder="efficientnet_lite0"
    ),
}


def activations(network):
    kinds = nn.ReLU | nn.ReLU6 | nn.LeakyReLU
    return sum(isinstance(module, kinds) for module in network.modules())


def run(network):
    generator = torch.Generator().manual_seed(1)
    gray = torch.rand(1, 1, 64, 96, generator=generator) * 200 - 100  # beyond what ReLU6 lets by
    labels = torch.randint(0, 60, (1, 64, 96), generator=generator)
    both = isinstance(network, TwoStreamUNet)
    with torch.inference_mode():
        return network(gray, labels) if both else network(gray)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NETWORKS)
def test_folding_activations_changes_nothing_but_rounding(name, precision):
    if onednn.fused(nn.Conv2d(8, 8, 1, dtype=precision), nn.ReLU()) is None:
        pytest.skip("not with this processor or build of PyTorch")
    torch.manual_seed(0)
    network = NETWORKS[name]().eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)
    fold_batch_norms(network)
    if isinstance(network, TwoStreamUNet):
        network.compute_in(precision)
    before, left, tensors = run(network), activations(network), network.state_dict().keys()
    fold_activations(network)
    assert activations(network) < left
    assert network.state_dict().keys() == tensors
    allowed = 1e-5 if precision == torch.float32 else 0.02
    assert (run(network) - before).abs().max() <= allowed * before.abs().max()


class Lacking:
    """As torch.ops.mkldnn is in a build that has none of the operators."""


class Changed:
    """They are there, and no longer do what they did."""

    @staticmethod
    def _convolution_pointwise(x, *_):
        return x

    @staticmethod
    def _reorder_convolution_weight(weight, *_):
        return weight

    _convolution_transpose_pointwise = _convolution_pointwise
    _reorder_convolution_transpose_weight = _reorder_convolution_weight


@pytest.mark.parametrize("operators", [Lacking, Changed])
@pytest.mark.parametrize("name", NETWORKS)
def test_without_the_private_operators_networks_give_the_same(monkeypatch, name, operators):
    """Within rounding, as PyTorch's public layers do it."""
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(NETWORKS[name]().eval().requires_grad_(False))
    prepared, without = networks
    prepare(prepared)
    monkeypatch.setattr(torch.ops, "mkldnn", operators, raising=False)
    left = activations(without)
    prepare(without)
    assert activations(without) == left
    kinds = {type(module) for module in without.modules() if hasattr(module, "weight")}
    assert all(kind.__module__.startswith("torch.nn.") for kind in kinds)
    expected = run(without)
    monkeypatch.undo()
    assert (run(prepared) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_without_the_private_operators_nothing_computes_in_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", Lacking, raising=False)
    assert not onednn.computes_bfloat16()


def test_activations_stay_where_there_is_no_processors_memory():
    network = NETWORKS["shared"]().eval().to("meta")
    left = activations(network)
    fold_activations(network)
    assert activations(network) == left


def test_gridnet_shapes_and_columns():
    network = GridNet((4, 6, 8), columns=4).eval()
    assert network.stride == 4
    assert network(torch.rand(2, 1, 16, 24)).shape == (2, 60, 16, 24)
    assert len(network.lateral[0]) == 3
    assert [len(network.down), len(network.down[0]), len(network.up[1])] == [2, 2, 2]
    with pytest.raises(ValueError, match="even"):
        GridNet(columns=5)
