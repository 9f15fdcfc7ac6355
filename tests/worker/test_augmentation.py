"""What augmentation may change, and what it must not."""

import numpy as np
import pytest
import torch

from semcolor_worker.color import lab_from_rgb
from semcolor_worker.training import augmentation


@pytest.fixture
def photo():
    """A gray ramp with a bright disc."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 64), indexing="ij")
    return (30 + 20 * x + 40 * ((x**2 + y**2) < 0.3))[None]


@pytest.fixture
def labels():
    """Sky above grass, a person between them, a strip unlabelled."""
    labels = torch.full((48, 64), 36, dtype=torch.uint8)
    labels[:20], labels[15:35, 20:40], labels[:, 60:] = 50, 15, 0
    return labels


def test_ageing_damages_and_stays_in_range(photo):
    changed = 0
    for seed in range(40):
        aged = augmentation.age(photo.clone(), np.random.default_rng(seed))
        assert aged.shape == photo.shape
        assert aged.dtype == photo.dtype
        assert 0 <= aged.min() <= aged.max() <= 100
        changed += not torch.equal(aged, photo)
    assert changed > 30


@pytest.mark.parametrize("damage", augmentation.DAMAGES)
def test_each_damage_leaves_the_picture_recognisable(damage, photo):
    before = photo.clone()
    damaged = damage(photo, np.random.default_rng(3))
    assert torch.equal(photo, before), "the original is somebody else's"
    assert not torch.equal(damaged, photo)
    assert np.corrcoef(damaged.flatten(), photo.flatten())[0, 1] > 0.8


def test_old_plates_are_blind_to_red():
    colours = torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [1, 1, 1]]).T[:, None]
    red, blue, white = augmentation.exposed(
        colours, augmentation.orthochromatic(np.random.default_rng(0))
    )[0, 0]
    panchromatic = lab_from_rgb(colours)[0, 0]
    assert red < panchromatic[0]
    assert blue > panchromatic[1]
    assert white == pytest.approx(100, abs=0.01)


def test_coarse_labels_move_outlines_only(labels):
    for seed in range(20):
        coarse = augmentation.coarsen(labels, np.random.default_rng(seed))
        assert set(coarse.unique().tolist()) <= set(labels.unique().tolist())
        assert (coarse == labels).float().mean() > 0.5


def test_mislabelling_changes_one_class_within_a_rectangle(labels):
    changes = 0
    for seed in range(20):
        wrong = augmentation.mislabel(labels, np.random.default_rng(seed))
        changed = wrong != labels
        changes += bool(changed.any())
        assert len(labels[changed].unique()) <= 1
        assert len(wrong[changed].unique()) <= 1
        assert (labels[changed] > 0).all(), "what nobody labelled stays so"
    assert changes > 10


def test_unlabelling_only_unlabels(labels):
    before = labels.clone()
    shares = []
    for seed in range(40):
        partial = augmentation.unlabel(labels, 0.3, np.random.default_rng(seed))
        assert ((partial == labels) | (partial == 0)).all()
        shares.append((partial == 0).float().mean())
    assert torch.equal(labels, before)
    assert min(shares) < 0.1 < 0.3 < max(shares)
