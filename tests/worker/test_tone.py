import pytest
import torch

from semcolor_worker import tone


@pytest.fixture
def lightness():
    return torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(0)) ** 2 * 90


@pytest.mark.parametrize(
    ("contrast", "brightness"), [(0.45, 20), (0.45, 0), (1.0, 8), (1.1, 0), (0.5, 50)]
)
def test_faded_dark_and_bright_scans_look_alike(lightness, contrast, brightness):
    scan = (lightness * contrast + brightness).clamp(0, 100)
    assert (tone.evened(scan) - tone.evened(lightness)).abs().mean() < 0.6


def test_the_range_is_used_and_the_order_kept(lightness):
    evened = tone.evened(lightness * 0.4 + 30)
    assert evened.min() < 6
    assert evened.max() > 94
    assert 0 <= evened.min() <= evened.max() <= 100
    order = lightness.flatten().argsort()
    assert (evened.flatten()[order].diff() >= 0).all()


@pytest.mark.parametrize("level", [0.0, 50.0, 100.0])
def test_an_empty_page_stays_one(level):
    page = torch.full((1, 1, 40, 40), level) + torch.randn(1, 1, 40, 40) * 0.1
    assert tone.evened(page.clamp(0, 100)).std() < 1


def test_large_pictures_are_polled(lightness):
    large = lightness.repeat(1, 1, 30, 20)
    assert (tone.evened(large)[..., :60, :80] - tone.evened(lightness)).abs().max() < 1
