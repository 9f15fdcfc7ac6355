"""Chroma fitted to a photo's lightness, mended where chroma changes, with what it was before."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from .upsampling import GUIDE_REACH, GuidedChroma, guide_chroma
from .windows import Window, cut

_REMEMBERED = 8  # replaced colourings
_BAND_PIXELS = 1 << 16

Name = Hashable  # of a colouring


@dataclass(frozen=True)
class _Replaced:
    """What a colouring had inside a window before the next one came; None: all the same."""

    name: Name
    window: Window | None
    coefficients: Tensor | None


class Guiding:
    """One colouring of a photo at detail at a time. ``lightness``: 1×1×h×w, 0..100."""

    def __init__(self, lightness: Tensor) -> None:
        self.name: Name = None
        self._lightness = lightness
        self._whole = Window.whole(lightness.shape[2], lightness.shape[3])
        self._coefficients: Tensor | None = None
        self._replaced: deque[_Replaced] = deque(maxlen=_REMEMBERED + 1)

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        tensors = [self._coefficients, *(entry.coefficients for entry in self._replaced)]
        return sum(tensor.nbytes for tensor in tensors if tensor is not None)

    @property
    def current(self) -> GuidedChroma:
        """The colouring called :attr:`name`."""
        assert self._coefficients is not None
        return GuidedChroma(self._coefficients)

    def update(self, name: Name, chroma: Tensor, labels: Tensor, changed: Window | None) -> None:
        """Chroma (1×2×h×w a*, b*) or labels (h×w ids) are others now, but only inside a window."""
        if self._coefficients is None:
            self._coefficients = self._fitted(chroma, labels, self._whole)
        elif changed is None:
            self._replaced.append(_Replaced(self.name, None, None))
        else:
            self._replaced.append(self._replace(chroma, labels, self._near(changed)))
        self.name = name

    def remembers(self, name: Name) -> bool:
        """Whether :meth:`since` will know it after one more update."""
        return name == self.name or name in [old.name for old in self._replaced][-_REMEMBERED:]

    def since(self, name: Name) -> tuple[Window, GuidedChroma, GuidedChroma] | None:
        """Where the current colouring may differ from a remembered one, and both inside there.

        None: nowhere. The older one comes first. Raises KeyError for one not remembered.
        """
        later = self._replaced_since(name)
        window: Window | None = None
        for entry in later:
            window = entry.window.joined(window) if entry.window else window
        if window is None:
            return None
        after = self.current.coefficients[window.slices]
        before = after.clone()
        for entry in later:
            if entry.window is not None and entry.coefficients is not None:
                before[entry.window.seen_from(window).slices] = entry.coefficients
        return window, GuidedChroma(before), GuidedChroma(after)

    def _replaced_since(self, name: Name) -> list[_Replaced]:
        """Newest first."""
        later: list[_Replaced] = []
        if name == self.name:
            return later
        for entry in reversed(self._replaced):
            later.append(entry)
            if entry.name == name:
                return later
        raise KeyError(name)

    def _near(self, window: Window) -> Window:
        """Where coefficients depend on anything inside a window."""
        return window.grown(GUIDE_REACH).inside(self._whole)

    def _replace(self, chroma: Tensor, labels: Tensor, window: Window) -> _Replaced:
        new, kept = self._fitted(chroma, labels, window), self.current.coefficients
        if window == self._whole:
            self._coefficients = new
            return _Replaced(self.name, window, kept)
        old = kept[window.slices].clone()
        kept[window.slices] = new
        return _Replaced(self.name, window, old)

    def _fitted(self, chroma: Tensor, labels: Tensor, window: Window) -> Tensor:
        """Coefficients inside a window, by bands that stay in the processor's cache."""
        fitted = []
        rows = max(1, _BAND_PIXELS // (window.right - window.left))
        for top in range(window.top, window.bottom, rows):
            band = window._replace(top=top, bottom=min(top + rows, window.bottom))
            crop = self._near(band)
            lightness, part = cut(self._lightness, crop), cut(chroma, crop)
            coefficients = guide_chroma(lightness, part, labels[crop.slices]).coefficients
            fitted.append(coefficients[band.seen_from(crop).slices])
        return torch.cat(fitted)
