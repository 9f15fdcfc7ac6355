"""One photo's colour at detail, kept up with its labels: an edit recomputes only what it reaches.

Only gray features are instance-normalised, and they do not depend on labels. So what a changed
label reaches grows by a few pixels a layer, and each layer's output is kept and mended inside one
window: the numbers are those of a full run.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import cast

import torch
from torch import Tensor

from semcolor.shared.timings import timed
from semcolor_worker.models.networks.two_stream_unet import BINS_LEVEL, Layer, TwoStreamUNet
from semcolor_worker.models.weights import Model

from . import strips
from .checkpoints import Checkpoint, go_on
from .windows import Read, Window, crop_for, cut, differing, reached, run_inside

_MENDED = 0.7  # of a map: where more of it is reached, the layer runs on everything

FullPass = Callable[[list[Tensor], Tensor], tuple[Tensor, Tensor]]
"""Gray features and class ids (h×w uint8) → the network's output, the decoder's BINS_LEVEL."""


def at_once(network: TwoStreamUNet, gray: list[Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
    """The full pass as the network is written."""
    levels = network.decode_levels(gray, network.encode_labels(ids[None].long()))
    return network.chroma(levels[-1]), levels[BINS_LEVEL]


class Painting:
    """The network's chroma of one photo, for one label map at a time.

    ``lightness``: 1×1×h×w, L* 0..100. ``full_pass``: how to run all of the network after each
    edit; None: only what the edit reaches is run, and all layers are kept for that. Whatever ends a
    run halfway (the checkpoint, no memory) leaves the painting sound.
    """

    def __init__(
        self, model: Model, lightness: Tensor, full_pass: FullPass | None = None,
        checkpoint: Checkpoint = go_on,
    ) -> None:  # fmt: skip
        self.lightness = lightness
        self.labels: Hashable = None  # the label map that the chroma is of; None: of none
        self._model = model
        self._network = cast(TwoStreamUNet, model.network)
        self._whole = Window.whole(lightness.shape[2], lightness.shape[3])
        self._full_pass, self._checkpoint = full_pass, checkpoint
        seen, mirrored = model.network_input(lightness), model.spec.mirrored
        self._gray = strips.gray_features(self._network, seen, checkpoint, mirrored)
        self._encoded: list[Tensor] = []
        self._decoded: list[Tensor] = []
        self._chroma: Tensor | None = None
        self._ids: Tensor | None = None
        self._unfinished: Window | None = None

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        kept = [*self._gray, *self._encoded, *self._decoded, self._chroma, self._ids]
        return sum(tensor.nbytes for tensor in kept if tensor is not None)

    @property
    def chroma(self) -> Tensor:
        """1×2×h×w a*, b*; the next label map is painted over it."""
        assert self._chroma is not None
        return self._chroma

    @property
    def bin_logits(self) -> Tensor:
        """1×bins×h/4×w/4 logits of chroma's distribution."""
        return self._network.bin_logits(self._decoded[0 if self._full_pass else BINS_LEVEL])

    def paint(self, labels: Hashable, ids: Tensor) -> Window | None:
        """Go on to a label map, h×w uint8 class ids on the device; return where chroma changed."""
        if self._ids is None:
            changed: Window | None = self._whole
        else:
            changed = differing(ids, self._ids)
        if self._unfinished is not None:
            changed = self._unfinished.joined(changed)
        if changed is not None:
            self.labels, self._unfinished = None, changed
            with timed("network"):
                changed = (self._anew if self._full_pass else self._run)(ids, changed)
            self._ids, self._unfinished = ids, None
        self.labels = labels
        return changed

    def _anew(self, ids: Tensor, changed: Window) -> Window:
        assert self._full_pass is not None
        self._checkpoint()
        output, binned = self._full_pass(self._gray, ids)
        before, self._chroma = self._chroma, self._model.chroma(output)
        self._decoded = [binned]
        return self._whole if before is None else changed.joined(differing(self._chroma, before))

    def _run(self, ids: Tensor, changed: Window) -> Window:
        network = self._network
        read: Read = lambda window: network.embed(ids[window.slices][None].long())  # noqa: E731
        for level, layer in enumerate(network.encoder):
            changed = self._mend(self._encoded, level, cast(Layer, layer), changed, read)
            read = partial(cut, self._encoded[level])
        coarsest = len(network.encoder) - 1
        read = partial(self._skip, coarsest)
        for step, layer in enumerate(network.decoder):
            skip = partial(self._skip, coarsest - 1 - step)
            changed = self._mend(self._decoded, step, cast(Layer, layer), changed, read, skip)
            read = partial(cut, self._decoded[step])
        return self._finish(changed)

    def _mend(
        self, kept: list[Tensor], index: int, layer: Layer, changed: Window, read: Read,
        skip: Read | None = None,
    ) -> Window:  # fmt: skip
        """Run a layer where its input changed; return where its output did."""
        scale = index if skip is None else len(self._gray) - 2 - index
        whole = Window.whole(*self._gray[scale].shape[2:])
        changed = reached(layer, changed).inside(whole)
        if len(kept) == index:
            kept.append(strips.everywhere(layer, whole, read, skip, self._checkpoint))
        elif crop_for(changed, whole).area > _MENDED * whole.area:
            kept[index] = strips.everywhere(layer, whole, read, skip, self._checkpoint)
        else:
            self._checkpoint()
            cut(kept[index], changed).copy_(run_inside(layer, changed, whole, read, skip))
        return changed

    def _finish(self, changed: Window) -> Window:
        self._checkpoint()
        changed = changed.grown(1).inside(self._whole)
        target = self._whole if self._chroma is None else changed
        crop = target.grown(1).inside(self._whole)
        output = self._network.chroma(cut(self._decoded[-1], crop))
        chroma = self._model.chroma(cut(output, target.seen_from(crop)))
        if target == self._whole:
            self._chroma = chroma
        else:
            cut(self.chroma, target).copy_(chroma)
        return changed

    def _skip(self, level: int, window: Window) -> Tensor:
        return torch.cat([cut(self._gray[level], window), cut(self._encoded[level], window)], 1)
