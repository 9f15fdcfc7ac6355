"""A photo and its labels at detail, the size at which the networks see them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.models.weights import Model

from .upsampling import Size
from .windows import Window

BAND_PIXELS = 1 << 22  # of a photo that is averaged down
_VOTES = 3  # per axis: how many label pixels vote for one pixel at detail


def detail_size(shape: torch.Size, detail: int, model: Model) -> Size:
    """Height and width of a network's input for a photo: multiples of its stride, at least two."""
    scale = (detail or model.spec.detail) / max(shape)
    height, width = (
        max(2, round(side * scale / model.stride)) * model.stride for side in tuple(shape)
    )
    return height, width


def lightness_at(photo: Tensor, size: Size, device: torch.device) -> Tensor:
    """1×1×h×w L* (0..100) of a photo, averaged down to ``size``."""
    top = 255 if photo.dtype == torch.uint8 else 65535
    gray = shrunk(photo, size).to(device)
    luminance = color.linear_from_srgb((gray.float() / top).clamp(0, 1))
    return color.lightness_from_luminance(luminance)


def shrunk(plane: Tensor, size: Size) -> Tensor:
    """1×1×h×w of a plane, averaged down; uint8 stays uint8, uint16 becomes float."""
    if plane.dtype != torch.uint8:
        bands = plane.split(max(1, BAND_PIXELS // plane.shape[1]))  # never all of it as float
        plane = torch.cat([_averaged(band.float(), (len(band), size[1])) for band in bands])
    return _averaged(plane, size)[None, None]


def _averaged(plane: Tensor, size: Size) -> Tensor:
    """On the host: CUDA has no kernel for bytes."""
    return F.interpolate(
        plane[None, None], size, mode="bilinear", antialias=True, align_corners=False
    )[0, 0]


def majority(labels: Tensor, window: Window, size: Size) -> Tensor:
    """The class that most of the label pixels under each pixel at detail have.

    h×w uint8 for a window at detail, which as a whole has ``size``.
    """
    (height, width), (h, w) = labels.shape, size
    rows = _polled(window.top, window.bottom, height / h)
    columns = _polled(window.left, window.right, width / w)
    votes = labels[rows][:, columns].view(len(rows) // _VOTES, _VOTES, -1, _VOTES)
    votes = votes.transpose(1, 2).flatten(2)
    winner = votes[..., 0].clone()
    mixed = (votes != votes[..., :1]).any(dim=2)  # few pixels, and only there counting is needed
    winner[mixed] = votes[mixed].mode(dim=1).values
    return winner


def mended(ids: Tensor, labels: Tensor, region: Rectangle) -> Tensor:
    """:func:`majority` of a label map, from that of what it was before a rectangle changed."""
    (height, width), (h, w) = labels.shape, ids.shape
    window = Window(
        region.y * h // height, -(-(region.y + region.height) * h // height),
        region.x * w // width, -(-(region.x + region.width) * w // width),
    )  # fmt: skip
    ids = ids.clone()
    ids[window.slices] = majority(labels, window, (h, w))
    return ids


def _polled(start: int, end: int, scale: float) -> Tensor:
    """Which pixels vote for the positions at detail from start to end; ``scale``: pixels each."""
    return ((torch.arange(start * _VOTES, end * _VOTES) + 0.5) * (scale / _VOTES)).long()
