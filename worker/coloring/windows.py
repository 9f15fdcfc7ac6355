"""Windows of feature maps: what a change reaches through a layer, and running a layer only there.

A layer's result inside a window depends on its input a few pixels around it. Running the layer on
that crop and cutting the margin off gives what running it on everything gives.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from semcolor_worker.models.networks.two_stream_unet import Layer

Read = Callable[["Window"], Tensor]

_STEP = 8  # pixels between the smallest sizes of crops
_MARGIN = 2  # outputs of a layer near a crop's edge that are wrong: one for each 3×3 convolution


class Window(NamedTuple):
    """Rows ``top``..``bottom`` and columns ``left``..``right`` of a map; the ends are outside."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def whole(cls, height: int, width: int) -> "Window":
        """All of a map."""
        return cls(0, height, 0, width)

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def on_axes(self, span: Callable[[int, int], tuple[int, int]]) -> "Window":
        """The same function of start and end on both axes."""
        return Window(*span(self.top, self.bottom), *span(self.left, self.right))

    def grown(self, by: int) -> "Window":
        """With a margin; it may go beyond the map."""
        return self.on_axes(lambda start, end: (start - by, end + by))

    def inside(self, whole: "Window") -> "Window":
        """What of it is inside a map."""
        return Window(
            max(self.top, 0), min(self.bottom, whole.bottom),
            max(self.left, 0), min(self.right, whole.right),
        )  # fmt: skip

    def joined(self, other: "Window | None") -> "Window":
        """The smallest window around both."""
        if other is None:
            return self
        return Window(
            min(self.top, other.top), max(self.bottom, other.bottom),
            min(self.left, other.left), max(self.right, other.right),
        )  # fmt: skip

    def rounded(self, whole: "Window") -> "Window":
        """Grown inside a map, from even places on, to one of few sizes: eight in an octave."""

        def up(start: int, end: int, limit: int) -> tuple[int, int]:
            start -= start % 2
            step = max(_STEP, (1 << (end - start).bit_length()) >> 4)
            length = min(-(-(end - start) // step) * step, limit)
            start = min(start, limit - length)
            return start, start + length

        return Window(
            *up(self.top, self.bottom, whole.bottom), *up(self.left, self.right, whole.right)
        )

    def seen_from(self, other: "Window") -> "Window":
        """Its place in the crop that ``other`` cuts out."""
        return Window(
            self.top - other.top, self.bottom - other.top,
            self.left - other.left, self.right - other.left,
        )  # fmt: skip


def cut(features: Tensor, window: Window) -> Tensor:
    """A window of N×C×h×w features, as a view."""
    return features[:, :, *window.slices]


def differing(one: Tensor, other: Tensor) -> Window | None:
    """The smallest window around all places where two maps (…×h×w) are not equal."""
    different = one != other
    if different.ndim > 2:
        different = different.flatten(0, -3).any(dim=0)
    rows, columns = different.any(dim=1).nonzero(), different.any(dim=0).nonzero()
    if not len(rows):
        return None
    return Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def reached(layer: Layer, window: Window) -> Window:
    """Where a layer's output can differ when its input differs inside a window."""
    return window.on_axes(_REACHED[layer.scaling]).grown(1)  # conv1, then conv2


def crop_for(window: Window, whole: Window) -> Window:
    """What of a layer's whole output is computed to have a window of it.

    oneDNN prepares itself for every size that it has not met, which can take longer than the
    layer itself.
    """
    return window.grown(_MARGIN).inside(whole).rounded(whole)


def run_inside(
    layer: Layer, window: Window, whole: Window, read: Read, skip: Read | None
) -> Tensor:
    """A layer's output inside a window of its ``whole`` output.

    ``read``, ``skip``: give a window of the layer's input, and of its skip.
    """
    crop = crop_for(window, whole).on_axes(_NEEDED[layer.scaling])
    made = crop.on_axes(_MADE[layer.scaling])
    output: Tensor = layer(read(crop), skip(made) if skip else None)
    return cut(output, window.seen_from(made))


# Of spans: which outputs of conv1 (3 taps, padding 1) read an input; which inputs a crop begins and
# ends with so that it gives some outputs; which outputs it gives.
_REACHED = {
    "same": lambda start, end: (start - 1, end + 1),
    "down": lambda start, end: (start // 2, end // 2 + 1),
    "up": lambda start, end: (2 * start - 1, 2 * end),
}
_NEEDED = {
    "same": lambda start, end: (start, end),
    "down": lambda start, end: (2 * start, 2 * end),
    "up": lambda start, end: (start // 2, -(-end // 2)),
}
_MADE = {
    "same": lambda start, end: (start, end),
    "down": lambda start, end: (start // 2, end // 2),
    "up": lambda start, end: (2 * start, 2 * end),
}
