"""Photographs of nothing, quickly made."""

import numpy as np
from PIL import Image


def make(path, seed=0):
    """A gray one of 80 × 60 pixels, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path
