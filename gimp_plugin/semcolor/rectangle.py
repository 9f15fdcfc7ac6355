"""Rectangles of pixels, and what is beside what in one."""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

_LOOKED_AT = 500_000  # pixels; of a larger rectangle, `beside` leaves out rows


class Rectangle(NamedTuple):
    """A rectangle of pixels; empty when its width or height is 0."""

    x: int
    y: int
    width: int
    height: int

    def __bool__(self) -> bool:
        return self.width > 0 and self.height > 0

    def join(self, other: "Rectangle | None") -> "Rectangle":
        """The smallest rectangle around both."""
        if not other or not self:
            return other or self
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Rectangle(x, y, right - x, bottom - y)

    def clip(self, other: "Rectangle") -> "Rectangle":
        """What both have in common; maybe empty."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Rectangle(x, y, max(0, right - x), max(0, bottom - y))

    def grow(self, pixels: int) -> "Rectangle":
        """The same with a margin."""
        around = 2 * pixels
        return Rectangle(
            self.x - pixels, self.y - pixels, self.width + around, self.height + around
        )


NOWHERE = Rectangle(0, 0, 0, 0)


def beside(pixels: bytes, area: Rectangle, painted: bytes) -> tuple[int, int] | None:
    """A place beside what is painted in this colour: of the colour that is most often beside it.

    Args:
        pixels: the rectangle's RGBA u8.
        painted: four bytes.
    """
    words = memoryview(pixels).cast("I")
    own = memoryview(painted).cast("I")[0]
    places: dict[int, tuple[int, int]] = {}
    counts: Counter[int] = Counter()
    for y in range(0, area.height, max(1, area.width * area.height // _LOOKED_AT)):
        row = words[y * area.width : (y + 1) * area.width].tolist()
        for x, (left, right) in enumerate(pairwise(row)):
            if left != right and own in (left, right):
                neighbour = right if left == own else left
                counts[neighbour] += 1
                places.setdefault(neighbour, (area.x + x + (left == own), area.y + y))
    return places[counts.most_common(1)[0][0]] if counts else None
