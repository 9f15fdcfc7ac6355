import pytest
import torch

from semcolor_worker.evaluation.robustness import VARIANTS, changes


@pytest.fixture
def gray():
    coarse = torch.rand(1, 1, 6, 8, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(coarse, (60, 80), mode="bilinear")[0, 0].byte()


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_come_back_to_where_they_were(name, gray):
    variant = VARIANTS[name]
    scan = variant.gray(gray)
    assert scan.dtype == torch.uint8
    assert not torch.equal(scan, gray)
    assert variant.labels(gray).shape == scan.shape
    assert torch.equal(variant.back(variant.labels(gray)), gray)
    assert variant.back(scan[None].expand(3, -1, -1)).shape == (3, *gray.shape)


def test_borders_are_white_and_unlabelled(gray):
    variant = VARIANTS["white border of 6%"]
    assert variant.gray(gray).shape == (70, 90)
    assert (variant.gray(gray)[:5] == 255).all()
    assert (variant.labels(gray)[:, -5:] == 0).all()


def test_a_painter_who_sees_the_scene_alone_changes_nothing(gray):
    def paint(photo, labels):
        """By the size of the picture without its border, as it should be."""
        height, width = photo.shape
        chroma = torch.zeros(2, height, width)
        top, left = (height - 60) // 2, (width - 80) // 2
        chroma[:, top : top + 60, left : left + 80] = 10 if labels is None else 20
        return chroma

    for kinds in changes(paint, gray, gray).values():
        assert kinds == {"predicted labels": 0, "true labels": 0}


def test_changes_are_shares_of_the_chroma(gray):
    def paint(photo, labels):
        """Colour that follows the photo's mean."""
        return torch.full((2, *photo.shape), float(photo.float().mean()))

    found = changes(paint, gray, gray)
    assert found["mirrored"]["true labels"] == 0
    assert found["brightness × 0.9"]["true labels"] == pytest.approx(0.1, abs=0.01)
    assert found["contrast × 0.45"]["predicted labels"] == pytest.approx(0, abs=0.01)
