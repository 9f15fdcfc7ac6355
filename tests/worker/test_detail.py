import torch
from hypothesis import given
from hypothesis import strategies as st

from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.detail import detail_size, majority, mended, shrunk
from semcolor_worker.coloring.windows import Window
from semcolor_worker.models import weights


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


def test_detail_is_a_multiple_of_the_stride():
    model = weights.load(weights.bundled("color"))
    assert detail_size(torch.Size((788, 1024)), 384, model) == (288, 384)
    assert detail_size(torch.Size((1024, 788)), 0, model) == (384, 288)
    assert detail_size(torch.Size((1, 5000)), 384, model) == (64, 384)


def test_a_16_bit_photo_is_averaged_by_bands_as_it_is_as_a_whole(monkeypatch):
    photo = torch.randint(0, 1 << 16, (331, 207)).to(torch.uint16)
    whole = shrunk(photo, (32, 48))
    monkeypatch.setattr("semcolor_worker.coloring.detail.BAND_PIXELS", 5000)
    assert torch.equal(shrunk(photo, (32, 48)), whole)
