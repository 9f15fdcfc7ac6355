"""Rectangles of pixels."""

from typing import NamedTuple, Optional


class Rectangle(NamedTuple):
    """A part of a picture, in pixels; empty, and false, when its width or height is 0."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> tuple[int, int]:
        """x and y of the pixel in its middle."""
        return self.x + self.width // 2, self.y + self.height // 2

    def __bool__(self) -> bool:
        return self.width > 0 and self.height > 0

    @property
    def pixels(self) -> int:
        """Area."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """Its rows in the picture."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Its columns in the picture."""
        return slice(self.x, self.x + self.width)

    def fits(self, width: int, height: int) -> bool:
        """Whether it lies inside a picture of this size."""
        return (
            min(self.x, self.y) >= 0
            and self.x + self.width <= width
            and self.y + self.height <= height
        )

    def join(self, other: Optional["Rectangle"]) -> "Rectangle":
        """The smallest rectangle around both; an empty one, or None, adds nothing."""
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

    def seen_from(self, outer: "Rectangle") -> "Rectangle":
        """The same place, counted from another rectangle's corner."""
        return self._replace(x=self.x - outer.x, y=self.y - outer.y)

    def grow(self, pixels: int) -> "Rectangle":
        """The same with a margin."""
        around = 2 * pixels
        return Rectangle(
            self.x - pixels, self.y - pixels, self.width + around, self.height + around
        )


NOWHERE = Rectangle(0, 0, 0, 0)
