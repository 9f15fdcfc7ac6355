"""What is beside what in a rectangle of pixels."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from shared.geometry import Rectangle

_LOOKED_AT = 500_000  # pixels; of a larger rectangle, rows are left out


def beside(pixels: bytes, area: Rectangle, painted: bytes) -> tuple[int, int] | None:
    """A pixel beside what is painted in this colour: of the colour that is most often beside it.

    Args:
        pixels: the rectangle's RGBA u8.
        painted: four bytes.
    """
    words = memoryview(pixels).cast("I")
    own = memoryview(painted).cast("I")[0]
    pixel_of: dict[int, tuple[int, int]] = {}
    counts: Counter[int] = Counter()
    for y in range(0, area.height, _row_step(area)):
        row = words[y * area.width : (y + 1) * area.width].tolist()
        for x, (left, right) in enumerate(pairwise(row)):
            if left != right and own in (left, right):
                neighbour = right if left == own else left
                counts[neighbour] += 1
                pixel_of.setdefault(neighbour, (area.x + x + (left == own), area.y + y))
    return pixel_of[counts.most_common(1)[0][0]] if counts else None


def mostly_selected(
    area: Rectangle,
    read_pixels: Callable[[Rectangle], bytes],
    read_selection: Callable[[Rectangle], bytes],
) -> tuple[int, int] | None:
    """A selected pixel of the colour that most of the selection has: the nearest to its middle.

    Args:
        area: the selection's bounds.
        read_pixels: gives a rectangle's RGBA u8.
        read_selection: gives how much of each pixel is selected, u8.
    """
    middle_x, middle_y = area.x + area.width // 2, area.y + area.height // 2
    weights: Counter[int] = Counter()
    nearest: dict[int, tuple[int, int, int]] = {}
    for y in range(area.y, area.y + area.height, _row_step(area)):
        row = area._replace(y=y, height=1)
        words = memoryview(read_pixels(row)).cast("I")
        for x, (word, selected) in enumerate(zip(words, read_selection(row), strict=True), area.x):
            if selected:
                weights[word] += selected
                pixel = abs(x - middle_x) + abs(y - middle_y), x, y
                nearest[word] = min(nearest.get(word, pixel), pixel)
    return nearest[weights.most_common(1)[0][0]][1:] if weights else None


def connected(
    pixels: bytes, size: tuple[int, int], pixel_bytes: int, seed: tuple[int, int]
) -> set[tuple[int, int]]:
    """The pixels (x, y) of the region of one colour around one of them, diagonals apart.

    Args:
        pixels: a small picture's, row by row.
        size: width and height.
    """
    width, height = size

    def color(x: int, y: int) -> bytes:
        start = (y * width + x) * pixel_bytes
        return pixels[start : start + pixel_bytes]

    wanted, found, edge = color(*seed), {seed}, [seed]
    while edge:
        x, y = edge.pop()
        for near in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            is_inside = 0 <= near[0] < width and 0 <= near[1] < height
            if is_inside and near not in found and color(*near) == wanted:
                found.add(near)
                edge.append(near)
    return found


def _row_step(area: Rectangle) -> int:
    """Every how many rows to look at."""
    return max(1, area.width * area.height // _LOOKED_AT)
