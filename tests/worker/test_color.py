import numpy as np
import pytest
import torch
from torch.nn import functional as F

from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.coloring.upsampling import bilinear_rows, guide_chroma

LEVELS = {torch.uint8: 256, torch.uint16: 65536}


def f_of(gray, a, b):
    fy = (color.gray_lightness(gray) + 16) / 116
    return torch.stack([fy + a / 500, fy - b / 200])


@pytest.mark.parametrize("dtype", LEVELS)
def test_neutral_stays_exactly_gray(dtype):
    gray = torch.arange(LEVELS[dtype], dtype=torch.int32).to(dtype)[None]
    rgb = color.rgb_from_chroma(gray, f_of(gray, 0.0, 0.0))
    error = (rgb.int() - gray.int()).abs().max()
    assert error <= (0 if dtype == torch.uint8 else 1)


@pytest.mark.parametrize("dtype", LEVELS)
def test_lightness_is_kept_for_any_chroma(dtype):
    """Also where the colour asked for lies far outside sRGB."""
    generator = torch.Generator().manual_seed(0)
    gray = torch.randint(0, LEVELS[dtype], (200, 200), generator=generator, dtype=torch.int32)
    gray = gray.to(dtype)
    chroma = torch.randn(2, 200, 200, generator=generator) * 60
    rgb = color.rgb_from_chroma(gray, f_of(gray, *chroma))
    lab = color.lab_from_rgb(rgb.float() / (LEVELS[dtype] - 1))
    error = (lab[0] - color.gray_lightness(gray)).abs()
    assert error.max() < (0.6 if dtype == torch.uint8 else 0.02)  # rounding to integers
    assert error.mean() < (0.1 if dtype == torch.uint8 else 0.001)


def test_colours_inside_the_gamut_come_out_as_asked():
    rgb = torch.rand(3, 60, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    linear = color.linear_from_srgb(rgb)
    luminance = torch.einsum(
        "i,ihw->hw", torch.tensor([0.2126729, 0.7151522, 0.0721750]).double(), linear
    )
    rgb = color.srgb_from_linear(0.9 * linear + 0.1 * luminance)  # a little inside the edge
    lab = color.lab_from_rgb(rgb)
    luminance = ((lab[0] + 16) / 116) ** 3
    luminance = torch.where(lab[0] > 8, luminance, lab[0] / 903.2963)
    gray = (color.srgb_from_linear(luminance) * 65535).round().to(torch.int32).to(torch.uint16)
    back = color.rgb_from_chroma(gray, f_of(gray, lab[1].float(), lab[2].float()))
    assert (back.float() / 65535 - rgb).abs().max() < 2e-3


def test_lab_of_known_colours():
    red_white = torch.tensor([[1.0, 0, 0], [1, 1, 1]]).T[:, None]
    lab = color.lab_from_rgb(red_white)[:, 0].T
    assert torch.allclose(lab[0], torch.tensor([53.24, 80.09, 67.20]), atol=0.05)
    assert torch.allclose(lab[1], torch.tensor([100.0, 0, 0]), atol=0.01)


def test_tile_equals_cutting_from_the_whole():
    values = torch.rand(9, 13, 3)
    whole = F.interpolate(
        values.permute(2, 0, 1)[None], (100, 170), mode="bilinear", align_corners=False
    )[0].permute(1, 2, 0)
    tile = Rectangle(30, 55, 70, 20)
    part = bilinear_rows(values, (100, 170), tile)
    assert torch.allclose(part, whole[55:75, 30:100], atol=1e-5)


def test_chroma_follows_the_photos_edge():
    """A step in lightness and chroma at detail comes back sharp at 8 times the size."""
    lightness = torch.where(torch.arange(40) < 20, 30.0, 70.0).expand(1, 1, 40, 40)
    chroma = torch.where(lightness < 50, 40.0, -40.0).repeat(1, 2, 1, 1)
    guided = guide_chroma(lightness, chroma, torch.zeros(40, 40))
    full = torch.where(torch.arange(320) < 160, 30.0, 70.0).expand(8, 320)
    fx, _ = guided.at(full, (320, 320), Rectangle(0, 100, 320, 8))
    a = (fx - (full + 16) / 116) * 500
    assert (a[:, :158] > 36).all()
    assert (a[:, 162:] < -36).all()


def test_wrong_dtype_is_refused():
    with pytest.raises(TypeError, match="uint8 or uint16"):
        color.gray_lightness(torch.from_numpy(np.zeros((2, 2), np.float32)))
