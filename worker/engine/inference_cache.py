"""What the networks made of recent photos."""

import torch
from torch import Tensor

from semcolor_worker.coloring.canvas import Canvas
from semcolor_worker.coloring.scenes import Scene
from semcolor_worker.lru import LruCache

from . import memory

_LOGITS_SHARE = 0.25  # of the memory: segmentations, which are made once
_SCENES = 8  # photos whose strokes are looked at

Winners = tuple[Tensor, Tensor]
"""The K classes that win anywhere at detail, and their h×w×K logits."""


class InferenceCache:
    """Canvases and segmentations, by photo and size, within the memory that a device has left.

    ``scenes``: what strokes are looked at with, by photo.
    """

    canvases: LruCache[Canvas]
    winners: LruCache[Winners]
    scenes: LruCache[Scene]

    def __init__(self, device: torch.device) -> None:
        self._reserve(device)

    def move_to(self, device: torch.device) -> None:
        """Begin anew, by what another device has left."""
        if device != self._device:
            self._reserve(device)

    def trim(self) -> None:
        """Let go what is beyond the budget: canvases grow while they are painted."""
        self.canvases.trim()

    def drop(self, photo: str) -> None:
        """Let go what was made of one photo."""
        self.scenes.pop(photo)
        for kept in (self.canvases, self.winners):
            kept.pop_where(lambda key: key[0] == photo)

    def clear(self) -> None:
        """Let go everything."""
        self.canvases.clear()
        self.winners.clear()
        self.scenes.clear()

    def _reserve(self, device: torch.device) -> None:
        self._device = device
        budget = memory.feature_budget(device)
        for_logits = int(_LOGITS_SHARE * budget)
        self.canvases = LruCache(budget - for_logits, lambda canvas: canvas.nbytes)
        self.winners = LruCache(for_logits, lambda winners: winners[1].nbytes)
        self.scenes = LruCache(_SCENES)
