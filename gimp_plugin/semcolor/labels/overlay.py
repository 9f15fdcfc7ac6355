"""A class shown in a small picture of the photo."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.geometry import Rectangle


class Picture(NamedTuple):
    """A small picture: its pixels row by row, each row `stride` bytes, RGB(A) u8."""

    pixels: bytes
    width: int
    height: int
    stride: int
    channels: int


def shade(
    picture: Picture,
    whole: Rectangle,
    strips: Sequence[tuple[Rectangle, bytes]],
    pixel: bytes,
    color: tuple[int, int, int],
) -> bytes:
    """The pixels of a picture in which a class is seen, and the rest is paler.

    Args:
        picture: of the whole photo.
        whole: the photo's rectangle.
        strips: rectangles of the photo, and their labels: RGBA u8.
        pixel: the class's, as it is in the strips.
        color: the class's, to be seen: mixed with the picture half and half.
    """
    shaded = bytearray(_paler(picture.pixels))
    for row in range(picture.height):
        y = (2 * row + 1) * whole.height // (2 * picture.height)
        for column in _columns(picture.width, whole.width, _row_of(strips, y), pixel):
            at = row * picture.stride + column * picture.channels
            for channel, level in enumerate(color):
                shaded[at + channel] = (picture.pixels[at + channel] + level) // 2
    return bytes(shaded)


def _paler(pixels: bytes) -> bytes:
    return pixels.translate(bytes(128 + level // 2 for level in range(256)))


def _row_of(strips: Sequence[tuple[Rectangle, bytes]], y: int) -> tuple[Rectangle, memoryview]:
    """One row of the labels, and where it is; nowhere outside of the strips."""
    for area, labels in strips:
        if area.y <= y < area.y + area.height:
            first = 4 * area.width * (y - area.y)
            row = memoryview(labels)[first : first + 4 * area.width]
            return area._replace(y=y, height=1), row
    return Rectangle(0, y, 0, 0), memoryview(b"")


def _columns(
    width: int, whole_width: int, row: tuple[Rectangle, memoryview], pixel: bytes
) -> Iterator[int]:
    """Where a row of the picture has the class."""
    area, labels = row
    words, wanted = labels.cast("I"), memoryview(pixel).cast("I")[0]
    for column in range(width) if area else ():
        x = (2 * column + 1) * whole_width // (2 * width) - area.x
        if 0 <= x < area.width and words[x] == wanted:
            yield column
