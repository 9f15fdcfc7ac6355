"""The networks strip by strip: the same numbers with less memory, and in less time.

What looks only a few pixels around runs on some rows at a time. So inner results stay in the
processor's cache, and those of a large picture are never there as a whole.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from semcolor_worker.models.networks.blocks import Run, run_whole
from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.gridnet import GridNet
from semcolor_worker.models.networks.two_stream_unet import BINS_LEVEL, Layer, TwoStreamUNet

from .checkpoints import Checkpoint, go_on
from .windows import Read, Window, cut, run_inside

# Pixels of a strip. On a processor its features fit the cache; a GPU needs many to be busy.
STRIP_PIXELS = {"cpu": 1 << 15, "cuda": 1 << 20}
_ROWS = 36  # of a strip at least; even, as blocks that halve the scale need it
_MARGIN = 4  # rows around it, even as well: no block reaches further
_KEPT_LEVEL = 2  # a quarter of the input's scale: from there on layers take little memory


def gray_features(
    network: TwoStreamUNet, gray: Tensor, checkpoint: Checkpoint = go_on, mirrored: bool = False
) -> list[Tensor]:
    """:meth:`TwoStreamUNet.encode_gray`; with ``mirrored``, also of the mirror image, averaged."""
    levels = network.encode_gray(gray, _in_strips(checkpoint))
    if mirrored:
        others = network.encode_gray(gray.flip(-1), _in_strips(checkpoint))
        for level in levels:
            _average(level, others.pop(0))
    return levels


def pyramid(
    network: EfficientNetFPN | GridNet, gray: Tensor, checkpoint: Checkpoint = go_on,
    mirrored: bool = False,
) -> Tensor:  # fmt: skip
    """The segmentation network's ``features``; ``mirrored``: also of the mirror image, averaged."""
    features = network.features(gray, _in_strips(checkpoint))
    if mirrored:
        _average(features, network.features(gray.flip(-1), _in_strips(checkpoint)))
    return features


def winning_logits(
    network: EfficientNetFPN | GridNet, features: Tensor, checkpoint: Checkpoint = go_on
) -> tuple[Tensor, Tensor]:
    """The classes that win anywhere, never *unlabelled*, and their h×w×C logits.

    ``features``: of a picture, as from :func:`pyramid`.
    """

    def winners(part: Tensor) -> Tensor:
        return 1 + network.logits(part)[:, 1:].argmax(dim=1, keepdim=True)

    present = _run(winners, features, _ROWS, checkpoint).unique()
    logits = _run(lambda part: network.logits(part)[:, present], features, _ROWS, checkpoint)
    return present, logits[0].permute(1, 2, 0).contiguous()


def everywhere(
    layer: Layer, whole: Window, read: Read, skip: Read | None, checkpoint: Checkpoint = go_on
) -> Tensor:
    """All of a layer's output; arguments as of :func:`run_inside`."""
    run = partial(run_inside, layer, whole=whole, read=read, skip=skip)
    device = next(layer.parameters()).device
    return _collect(run, whole, _rows(whole, device), checkpoint)


def chroma(
    network: TwoStreamUNet, gray: list[Tensor], ids: Tensor, checkpoint: Checkpoint = go_on
) -> tuple[Tensor, Tensor]:
    """The network's output and the decoder's level BINS_LEVEL, with as little memory as possible.

    The large layers are not kept for a moment: they are run anew for the rows that another reads.
    ``gray``: levels of gray features. ``ids``: h×w uint8 class ids.
    """
    wholes = [Window.whole(level.shape[2], level.shape[3]) for level in gray]
    read: Read = lambda window: network.embed(ids[window.slices][None].long())  # noqa: E731
    skips: list[Read] = []
    for level, layer in enumerate(network.encoder):
        read = _reading(layer, level, wholes[level], read, None, checkpoint)
        skips.append(partial(_joined, gray[level], read))
    levels = [skips[-1]]
    for step, layer in enumerate(network.decoder):
        level = len(gray) - 2 - step
        levels.append(_reading(layer, level, wholes[level], levels[-1], skips[level], checkpoint))
    finish = partial(_finish, network, wholes[0], levels[-1])
    output = _collect(finish, wholes[0], _ROWS, checkpoint)
    return output, levels[BINS_LEVEL](wholes[-BINS_LEVEL - 1])


def _reading(
    layer: nn.Module, level: int, whole: Window, read: Read, skip: Read | None,
    checkpoint: Checkpoint,
) -> Read:  # fmt: skip
    """How to read a layer's output."""
    assert isinstance(layer, Layer)
    run = partial(run_inside, layer, whole=whole, read=read, skip=skip)
    if level < _KEPT_LEVEL:
        return run
    return partial(cut, _collect(run, whole, _ROWS, checkpoint))


def _joined(gray: Tensor, labels: Read, window: Window) -> Tensor:
    return torch.cat([cut(gray, window), labels(window)], dim=1)


def _finish(network: TwoStreamUNet, whole: Window, read: Read, window: Window) -> Tensor:
    crop = window.grown(1).inside(whole)
    return cut(network.chroma(read(crop)), window.seen_from(crop))


def _average(level: Tensor, mirrored: Tensor) -> None:
    """Make a level of features the mean of itself and the mirror image's."""
    level.add_(mirrored.flip(-1)).mul_(0.5)


def _in_strips(checkpoint: Checkpoint) -> Run:
    """Runs each block of a network strip by strip."""

    def run(block: nn.Module, x: Tensor) -> Tensor:
        rows = _rows(Window.whole(x.shape[2], x.shape[3]), x.device)
        return _run(partial(run_whole, block), x, rows, checkpoint)

    return run


def _run(block: Callable[[Tensor], Tensor], x: Tensor, rows: int, checkpoint: Checkpoint) -> Tensor:
    """``block(x)``, so many rows of ``x`` at a time; the block may change the scale."""
    height = x.shape[2]
    output: Tensor | None = None
    for top in range(0, height, rows):
        checkpoint()
        bottom = min(top + rows, height)
        first, last = max(0, top - _MARGIN), min(height, bottom + _MARGIN)
        part = block(x[:, :, first:last])
        made = part.shape[2]
        start, end, above = (row * made // (last - first) for row in (top, bottom, top - first))
        if output is None:
            output = _empty(part, height * made // (last - first))
        output[:, :, start:end] = part[:, :, above : above + end - start]
    assert output is not None
    return output


def _collect(read: Read, whole: Window, rows: int, checkpoint: Checkpoint) -> Tensor:
    """All of what can be read, so many rows at a time."""
    output: Tensor | None = None
    for top in range(0, whole.bottom, rows):
        checkpoint()
        window = whole._replace(top=top, bottom=min(top + rows, whole.bottom))
        part = read(window)
        output = _empty(part, whole.bottom) if output is None else output
        cut(output, window).copy_(part)
    assert output is not None
    return output


def _rows(whole: Window, device: torch.device) -> int:
    """Of a strip of a map; with a layer's margins not rounded up to any other crop's size."""
    return max(_ROWS, STRIP_PIXELS[device.type] // whole.right // 16 * 16 - 4)


def _empty(like: Tensor, height: int) -> Tensor:
    """With another height, and the channels last."""
    n, channels, _, width = like.shape
    return like.new_empty((n, height, width, channels)).permute(0, 3, 1, 2)
