import pytest
import torch
from semcolor_worker.networks.gridnet import GridNet
from semcolor_worker.networks.two_stream_unet import TwoStreamUNet
from torch.nn import functional as F


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


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
    for raw, level in zip(network._encode(gray), network.encode_gray(gray), strict=True):
        mean, variance = raw.mean((2, 3), True), raw.var((2, 3), unbiased=False, keepdim=True)
        assert torch.allclose(level, (raw - mean) / (variance + 1e-5).sqrt(), atol=1e-4)
    for level in network.encode_labels(torch.randint(0, 60, (1, 32, 32))):
        assert not torch.allclose(level, F.instance_norm(level), atol=0.1)


def test_the_streams_share_one_encoder():
    """A label map fed as numbers gives the features that the same numbers give as gray."""
    network = TwoStreamUNet((4, 6, 8))
    labels = torch.randint(0, 60, (1, 32, 32))
    numbers = labels[:, None] * 2 / 59 - 1
    for raw, label in zip(network._encode(numbers), network.encode_labels(labels), strict=True):
        assert torch.allclose(raw, label, atol=1e-6)


def test_gridnet_shapes_and_columns():
    network = GridNet((4, 6, 8), columns=4).eval()
    assert network.stride == 4
    assert network(torch.rand(2, 1, 16, 24)).shape == (2, 60, 16, 24)
    assert len(network.lateral[0]) == 3
    assert [len(network.down), len(network.down[0]), len(network.up[1])] == [2, 2, 2]
    with pytest.raises(ValueError, match="even"):
        GridNet(columns=5)
