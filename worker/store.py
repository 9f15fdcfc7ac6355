"""The image store: photos and label maps by digest, within a memory budget."""

from collections import OrderedDict
from dataclasses import dataclass

from semcolor.errors import Code, SemcolorError
from semcolor.messages import PlaneHash, PutLabels, PutPhoto, unpack_labels

BUDGET = 1 << 30  # bytes


@dataclass
class Plane:
    """A photo or label map; ``next_row`` is the first row that is still missing."""

    width: int
    height: int
    depth: int
    pixels: bytearray
    hash: PlaneHash
    next_row: int = 0

    @property
    def complete(self) -> bool:
        """Whether all rows are here; the store has checked their digest then."""
        return self.next_row == self.height


class PlaneStore:
    """Content-addressed planes; the least recently used make room for new ones."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.used = 0
        self._planes: OrderedDict[str, Plane] = OrderedDict()

    def get(self, digest: str) -> Plane | None:
        """A complete plane, now the most recently used; None when it is not here."""
        plane = self._planes.get(digest)
        if plane is None or not plane.complete:
            return None
        self._planes.move_to_end(digest)
        return plane

    def put(self, strip: PutPhoto | PutLabels, frame: memoryview | bytes) -> int:
        """Take a strip of rows; return the first row still missing.

        Rows that are here already, and rows that come too early, are left out; the answer tells
        the client where to go on. Raises SemcolorError: TOO_LARGE for a plane beyond the whole
        budget; MALFORMED when the finished plane does not have the digest it was announced with.
        """
        plane = self._planes.get(strip.digest) or self._new(strip)
        if (plane.width, plane.height, plane.depth) != (strip.width, strip.height, strip.depth):
            raise SemcolorError(Code.MALFORMED, "this digest belongs to a plane of another shape")
        self._planes.move_to_end(strip.digest)
        if strip.rows and strip.first_row == plane.next_row:
            self._append(strip, plane, frame)
        return plane.next_row

    def _append(self, strip: PutPhoto | PutLabels, plane: Plane, frame: memoryview | bytes) -> None:
        row_bytes = plane.width * plane.depth // 8
        if isinstance(strip, PutLabels):
            frame = unpack_labels(frame, strip.rows * row_bytes)
        start = strip.first_row * row_bytes
        plane.pixels[start : start + len(frame)] = frame
        plane.hash.add(frame)
        plane.next_row += strip.rows
        if plane.complete and plane.hash.hexdigest() != strip.digest:
            self._drop(strip.digest)
            raise SemcolorError(Code.MALFORMED, "the pixels do not have the digest announced")

    def _new(self, strip: PutPhoto | PutLabels) -> Plane:
        size = strip.width * strip.height * strip.depth // 8
        if size > self.budget:
            raise SemcolorError(
                Code.TOO_LARGE,
                f"this picture needs {size >> 20} MB, and the worker keeps {self.budget >> 20} MB",
            )
        while self.used + size > self.budget:
            self._drop(next(iter(self._planes)))
        shape = (strip.width, strip.height, strip.depth)
        plane = Plane(*shape, bytearray(size), PlaneHash(*shape))
        self._planes[strip.digest] = plane
        self.used += size
        return plane

    def _drop(self, digest: str) -> None:
        self.used -= len(self._planes.pop(digest).pixels)
