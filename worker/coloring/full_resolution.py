"""From detail to the photo's own pixels, by tiles that stay in the processor's cache."""

from collections.abc import Iterator

import torch
from torch import Tensor

from semcolor.shared.geometry import Rectangle
from semcolor_worker import color

from .checkpoints import Checkpoint
from .upsampling import GuidedChroma, Size, bilinear_rows

_TILE_PIXELS = 1 << 18


def rgb_inside(
    photo: Tensor, chroma: GuidedChroma, region: Rectangle, checkpoint: Checkpoint
) -> Tensor:
    """Colour of a rectangle of a photo (H×W uint8 or uint16): height×width×3 of its dtype.

    ``photo`` and the result are on the CPU; ``chroma`` is where it is computed.
    """
    rgb = torch.empty((region.height, region.width, 3), dtype=photo.dtype)
    pixels = rgb.numpy()
    for tile, rows in _tiles(region):
        checkpoint()
        part = photo[tile.rows, tile.columns].to(chroma.coefficients.device)
        fx_fz = chroma.at(color.gray_lightness(part), _size(photo), tile)
        for channel, plane in enumerate(color.rgb_from_chroma(part, fx_fz).cpu().numpy()):
            pixels[rows, :, channel] = plane  # interleaving is much faster in numpy
    return rgb


def classes_inside(
    photo: Tensor, winners: tuple[Tensor, Tensor], region: Rectangle, checkpoint: Checkpoint
) -> Tensor:
    """The winning classes of a rectangle of a photo, height×width uint8 on the CPU.

    ``winners``: the K classes that win anywhere at detail, and their h×w×K logits.
    """
    present, logits = winners
    ids = torch.empty((region.height, region.width), dtype=torch.uint8)
    for tile, rows in _tiles(region):
        checkpoint()
        winner = bilinear_rows(logits, _size(photo), tile).argmax(dim=2)
        ids[rows] = present[winner].to(torch.uint8).cpu()
    return ids


def _tiles(region: Rectangle) -> Iterator[tuple[Rectangle, slice]]:
    """The tiles of a rectangle, and which rows of it each of them is."""
    step = max(1, _TILE_PIXELS // max(1, region.width))
    for top in range(0, region.height, step):
        rows = min(step, region.height - top)
        yield Rectangle(region.x, region.y + top, region.width, rows), slice(top, top + rows)


def _size(photo: Tensor) -> Size:
    return photo.shape[0], photo.shape[1]
