"""Augmentations: what time does to a photograph, and what people do to a label map.

Pure functions of a tensor and a random generator. Photos are 1×H×W L* (0..100), label maps H×W
uint8 class ids.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.nn.functional import interpolate

from semcolor.photos.curves import RGB_TO_XYZ
from semcolor_worker.color import lightness_from_luminance, linear_from_srgb

Rng = np.random.Generator

PANCHROMATIC = torch.tensor(RGB_TO_XYZ[1], dtype=torch.float32)  # what L* is of


def age(lightness: Tensor, rng: Rng, evened: bool = False) -> Tensor:
    """Some of what old prints and their scans suffer from, in the order in which it happens.

    ``evened``: the tone has been evened out, so nothing is faded any more.
    """
    for damage in DAMAGES:
        damage = _harden if evened and damage is _fade else damage
        if rng.random() < 0.35:
            lightness = damage(lightness, rng).clamp(0, 100)
    return lightness


def orthochromatic(rng: Rng) -> Tensor:
    """How much of red, green and blue plates before about 1930 saw: next to no red."""
    red = rng.uniform(0, 0.15)
    green = rng.uniform(0.2, 0.7) * (1 - red)
    return torch.tensor([red, green, 1 - red - green], dtype=torch.float32)


def exposed(rgb: Tensor, plate: Tensor) -> Tensor:
    """1×H×W L* of a 3×H×W sRGB picture (0..1) on a plate with these sensitivities."""
    luminance = torch.einsum("c,chw->hw", plate, linear_from_srgb(rgb))
    return lightness_from_luminance(luminance)[None]


def coarsen(labels: Tensor, rng: Rng) -> Tensor:
    """Move outlines by some pixels and round them to blocks, as a broad brush does."""
    height, width = labels.shape
    block = int(rng.integers(1, 9))
    reach = rng.uniform(0, 5)
    shift = rng.normal(0, reach, (1, 2, 5, 5)).astype(np.float32)
    shift_y, shift_x = interpolate(torch.from_numpy(shift), (height, width), mode="bilinear")[0]
    y = (torch.arange(height) // block * block + block // 2)[:, None] + shift_y
    x = (torch.arange(width) // block * block + block // 2)[None] + shift_x
    rows, columns = y.round().long().clamp(0, height - 1), x.round().long().clamp(0, width - 1)
    return labels[rows, columns]


def mislabel(labels: Tensor, rng: Rng) -> Tensor:
    """Give one class, within a rectangle, another class's id: predicted maps err by region."""
    present = labels.unique()
    present = present[present > 0]
    if not len(present):
        return labels
    wrong = torch.zeros_like(labels, dtype=torch.bool)
    wrong[_rectangle(labels, rng)] = True
    wrong &= labels == present[int(rng.integers(len(present)))]
    return torch.where(wrong, int(rng.integers(1, 60)), labels).to(labels.dtype)


def unlabel(labels: Tensor, dropped_class: float, rng: Rng) -> Tensor:
    """Unlabel each class with a probability, and sometimes a rectangle."""
    dropped = torch.from_numpy(rng.random(256) < dropped_class)
    labels = torch.where(dropped[labels.long()], 0, labels).to(labels.dtype)
    if rng.random() < dropped_class:
        labels[_rectangle(labels, rng)] = 0
    return labels


def _rectangle(labels: Tensor, rng: Rng) -> tuple[slice, slice]:
    height, width = labels.shape
    return _stretch(height, rng), _stretch(width, rng)


def _stretch(length: int, rng: Rng) -> slice:
    size = int(rng.integers(length // 4, length + 1))
    start = int(rng.integers(0, length - size + 1))
    return slice(start, start + size)


def _blur(x: Tensor, rng: Rng) -> Tensor:
    sigma = rng.uniform(0.4, 1.6)
    taps = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / (2 * sigma**2))
    taps = taps / taps.sum()
    x = F.conv2d(F.pad(x[None], (4, 4, 0, 0), mode="reflect"), taps.view(1, 1, 1, 9))
    return F.conv2d(F.pad(x, (0, 0, 4, 4), mode="reflect"), taps.view(1, 1, 9, 1))[0]


def _expose_unevenly(x: Tensor, rng: Rng) -> Tensor:
    knots = torch.from_numpy(rng.normal(0, 8, (1, 1, 3, 3)).astype(np.float32))
    return x + interpolate(knots, x.shape[1:], mode="bicubic", align_corners=True)[0]


def _fade(x: Tensor, rng: Rng) -> Tensor:
    black, white = rng.uniform(0, 25), rng.uniform(70, 100)
    return black + x * ((white - black) / 100)


def _harden(x: Tensor, rng: Rng) -> Tensor:
    """As a copy on hard paper, or a soft one."""
    return 50 + (x - 50) * rng.uniform(0.8, 1.6)


def _add_grain(x: Tensor, rng: Rng) -> Tensor:
    size = int(rng.integers(1, 3))
    shape = (1, 1, -(-x.shape[1] // size), -(-x.shape[2] // size))
    grain = torch.from_numpy(rng.normal(0, rng.uniform(1, 7), shape).astype(np.float32))
    return x + interpolate(grain, scale_factor=size)[0, :, : x.shape[1], : x.shape[2]]


def _scratch(x: Tensor, rng: Rng) -> Tensor:
    x = x.clone()
    height, width = x.shape[1:]
    for _ in range(int(rng.integers(1, 6))):
        length = int(rng.integers(height // 4, height + 1))
        top = int(rng.integers(0, height - length + 1))
        drift = rng.uniform(-0.2, 0.2) * torch.arange(length)
        columns = (float(rng.uniform(0, width)) + drift).long().clamp(0, width - 1)
        x[:, torch.arange(top, top + length), columns] = float(rng.choice([5.0, 95.0]))
    return x


def _compress(x: Tensor, rng: Rng) -> Tensor:
    file = io.BytesIO()
    pixels = (x[0] * 2.55).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(20, 80)))
    with Image.open(file) as image:
        return torch.from_numpy(np.asarray(image, np.float32))[None] / 2.55


DAMAGES = (_blur, _expose_unevenly, _fade, _add_grain, _scratch, _compress)
"""What age does to a lightness (1×H×W, 0..100), in the order in which it happens."""
