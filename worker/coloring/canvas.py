"""A photo at detail with its colour: the network's chroma, tints, and the fit to lightness."""

from collections.abc import Callable

from torch import Tensor

from semcolor.protocol.schema import Tint
from semcolor_worker.models.weights import Model

from .checkpoints import Checkpoint, go_on
from .guiding import Guiding
from .painting import FullPass, Painting
from .upsampling import Size, gray_range
from .windows import Window

ReadIds = Callable[[], Tensor]


class Canvas:
    """One photo, for one label map and its tints at a time.

    ``lightness``: 1×1×h×w, 0..100. ``full_pass``, ``checkpoint``: see :class:`Painting`.
    """

    def __init__(
        self, model: Model, lightness: Tensor, full_pass: FullPass | None = None,
        checkpoint: Checkpoint = go_on,
    ) -> None:  # fmt: skip
        self.lightness = lightness
        self.painting = Painting(model, lightness, full_pass, checkpoint)
        self.guiding = Guiding(lightness)
        self._whole = Window.whole(lightness.shape[2], lightness.shape[3])
        self._ids: Tensor | None = None
        self._unguided: Window | None = None
        self._tinted = False
        self._grays: Tensor | None = None

    @property
    def size(self) -> Size:
        """Height and width at detail."""
        return self._whole.bottom, self._whole.right

    @property
    def ids(self) -> Tensor:
        """h×w class ids of what was painted last."""
        assert self._ids is not None
        return self._ids

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        grays = 0 if self._grays is None else self._grays.nbytes
        return self.lightness.nbytes + self.painting.nbytes + self.guiding.nbytes + grays

    def gray_range(self, photo: Tensor) -> Tensor:
        """:func:`upsampling.gray_range` of the photo."""
        if self._grays is None:
            self._grays = gray_range(photo, self.size)
        return self._grays

    def lacks(self, labels: str, tints: tuple[Tint, ...]) -> list[str]:
        """The planes that :meth:`colour` will read."""
        if self.guiding.name == (labels, tints):
            return []
        return [] if self.painting.labels == labels else [labels]

    def paint(self, labels: str, ids: ReadIds) -> None:
        """Bring the network's chroma to a label map; ``ids`` is asked for only when needed."""
        if self.painting.labels == labels:
            return
        self._ids = ids()
        changed = self.painting.paint(labels, self._ids)
        if changed is not None:
            self._unguided = changed.joined(self._unguided)

    def colour(
        self, labels: str, tints: tuple[Tint, ...], ids: ReadIds,
        tint: Callable[[Tensor, Tensor], Tensor],
    ) -> None:  # fmt: skip
        """Bring the fit to lightness to a label map and tints.

        ``tint`` applies these to chroma, by the labels at detail.
        """
        if self.guiding.name == (labels, tints):
            return
        self.paint(labels, ids)
        everywhere = tints or self._tinted  # a tint moves the mean of all that it covers
        changed = self._whole if everywhere else self._unguided
        tinted = tint(self.painting.chroma, self.ids)
        self.guiding.update((labels, tints), tinted, self.ids, changed)
        self._unguided, self._tinted = None, bool(tints)
