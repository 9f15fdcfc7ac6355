import math

import pytest
import torch

from semcolor_worker.color import chroma_bins
from semcolor_worker.evaluation import metrics
from semcolor_worker.evaluation.metrics import ClassColours

# Sharma, Wu & Dalal (2005), table 1: L*a*b* of both colours, and their difference.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_ciede2000_agrees_with_the_published_table():
    rows = [[float(number) for number in row.split()] for row in SHARMA.strip().splitlines()]
    table = torch.tensor(rows, dtype=torch.float64)
    assert len(table) == 34
    one, other, difference = table[:, :3].T, table[:, 3:6].T, table[:, 6]
    assert (metrics.ciede2000(one, other) - difference).abs().max() < 6e-5
    assert (metrics.ciede2000(other, one) - difference).abs().max() < 6e-5
    in_float32 = metrics.ciede2000(one[:, 16:].float(), other[:, 16:].float())
    assert (in_float32 - difference[16:]).abs().max() < 1e-3


def plane(a, b, height=40, width=60):
    return torch.tensor([a, b], dtype=torch.float32).view(2, 1, 1).repeat(1, height, width)


def test_errors_of_flat_pictures():
    chroma, true = plane(3, 4), plane(0, 0)
    assert metrics.ab_mae(chroma, true) == pytest.approx(3.5)
    assert metrics.mean_chroma(chroma) == pytest.approx(5)
    assert metrics.auc_ab(chroma, true) == pytest.approx(1 - 5 / 150)
    assert metrics.auc_ab(plane(200, 0), true) == 0
    assert metrics.auc_ab(true, true) == 1


def test_colourfulness_is_signed():
    assert metrics.colourfulness(torch.full((3, 4, 4), 90, dtype=torch.uint8)) == 0
    rgb = torch.zeros(3, 2, 2, dtype=torch.uint8)
    rgb[0, 0], rgb[1, 1] = 100, 100  # red above green: rg is ±100, yb is 50 everywhere
    assert metrics.colourfulness(rgb) == pytest.approx(100 + 0.3 * 50)


def test_bins_are_the_nearest_ones():
    chroma = torch.rand(2, 20, 20, generator=torch.Generator().manual_seed(0)) * 120 - 60
    nearest = torch.cdist(chroma.flatten(1).T, chroma_bins()).argmin(1).view(20, 20)
    found = metrics.bin_index(chroma)
    centre = chroma_bins()[found].permute(2, 0, 1)
    best = chroma_bins()[nearest].permute(2, 0, 1)
    # A cell out of gamut goes to the bin nearest to the cell: at most half a diagonal worse.
    gap = (centre - chroma).norm(dim=0) - (best - chroma).norm(dim=0)
    assert gap.max() <= 2 * math.sqrt(50)
    assert (found == nearest).float().mean() > 0.9


def test_class_colours_add_up_and_leave_one_out():
    labels = torch.zeros(4, 4, dtype=torch.uint8)
    labels[:2] = 50
    one = ClassColours.of(plane(0, -20, 4, 4), labels)
    other = ClassColours.of(plane(0, -40, 4, 4), labels)
    both = one + other
    assert both.means()[50].tolist() == [0, -30]
    assert both.means()[36].tolist() == [0, -30]  # never seen: the mean of all
    assert (both - other).means()[50].tolist() == [0, -20]
    assert both.photos[50] == 2
    assert torch.allclose(both.log_probability().exp().sum(1), torch.ones(60))


def test_plausible_colours_are_those_of_the_class():
    labels = torch.full((4, 4), 50, dtype=torch.uint8)
    sky = ClassColours.of(plane(0, -20, 4, 4), labels)
    likely = sky.log_probability()
    bins = len(chroma_bins())
    blue = metrics.plausibility(plane(0, -20, 4, 4), labels, likely)
    red = metrics.plausibility(plane(50, 30, 4, 4), labels, likely)
    assert blue == pytest.approx(math.log((1 + 1 / bins) / 2), abs=1e-5)
    assert red == pytest.approx(math.log((1 / bins) / 2), abs=1e-5)
    assert math.isnan(metrics.plausibility(plane(0, 0, 4, 4), torch.zeros_like(labels), likely))


def two_sides(edge):
    """A blue half above a green half, as colours and as labels."""
    chroma = plane(0, -30)
    chroma[:, edge:] = plane(-20, 30)[:, edge:]
    labels = torch.full((40, 60), 50, dtype=torch.uint8)
    labels[20:] = 36
    return chroma, labels


def test_bleeding_counts_what_crossed_the_edge():
    original, labels = two_sides(20)
    assert metrics.bleeding(original, original, labels, 3) == (0, 0, 6 * 60)
    bled, _ = two_sides(22)  # blue runs two rows into the green half
    assert metrics.bleeding(bled, original, labels, 3) == (2 * 60, 0, 6 * 60)


def test_bleeding_needs_two_colours():
    original, labels = two_sides(20)
    assert metrics.bleeding(plane(5, 5), original, labels, 3) == (0, 0, 0)
    assert metrics.bleeding(original, original, torch.zeros_like(labels), 3) == (0, 0, 0)


def test_edit_response():
    before, goal = plane(0, 0), torch.tensor([0.0, -20.0])
    region = torch.zeros(40, 60, dtype=torch.bool)
    region[:20] = True
    after = before.clone()
    after[1, :20], after[0, 20:] = -10, 1
    response = metrics.edit_response(before, after, region, goal)
    assert (response.toward, response.nearer) == (True, True)
    assert response.inside == pytest.approx(10)
    assert response.outside == pytest.approx(1)
    away = metrics.edit_response(before, -after, region, goal)
    assert (away.toward, away.nearer) == (False, False)
    beyond = metrics.edit_response(before, 5 * after, region, goal)
    assert (beyond.toward, beyond.nearer) == (True, False)
    everything = metrics.edit_response(before, after, torch.ones_like(region), goal)
    assert everything.outside == 0


def test_labels_are_compared_where_there_are_any():
    labels = torch.tensor([[1, 1, 1, 2], [2, 3, 0, 0]], dtype=torch.uint8)
    predicted = torch.tensor([[1, 1, 2, 2], [2, 4, 5, 5]], dtype=torch.uint8)
    matrix = metrics.confusion(predicted, labels)
    assert int(matrix.sum()) == 6
    assert metrics.pixel_accuracy(matrix) == pytest.approx(4 / 6)
    by_class = metrics.iou(matrix)
    assert by_class[1:4].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert by_class[4].isnan()  # only predicted
    assert metrics.mean_iou(matrix) == pytest.approx(4 / 9)


def test_interval_holds_the_mean_and_shrinks():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0)) + 5
    low, high = metrics.interval(values)
    error = 1.96 * float(values.std()) / 20
    assert low == pytest.approx(float(values.mean()) - error, abs=0.03)
    assert high == pytest.approx(float(values.mean()) + error, abs=0.03)
    assert metrics.interval(3 * values, over=values) == pytest.approx((3, 3))
