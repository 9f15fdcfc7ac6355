"""The image store: photos and label maps by digest, within a memory budget."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

from semcolor.protocol.planes import BLOCK_ROWS, PlaneHash, unpack_labels, whole_blocks
from semcolor.protocol.schema import Edit, PutLabels, PutPhoto
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle

_EDITED_KEPT = 128  # label maps of all clients: some strokes back for each


@dataclass
class Plane:
    """A photo or label map in blocks of rows; an edited one shares those that stayed the same.

    ``next_row`` is the first row that is still missing; ``edit``: how it came about, if by one.
    """

    width: int
    height: int
    depth: int
    blocks: list[bytearray]
    hash: PlaneHash
    next_row: int = 0
    edit: Edit | None = None

    @classmethod
    def empty(cls, width: int, height: int, depth: int) -> "Plane":
        """A plane without any rows yet."""
        row_bytes = width * depth // 8
        starts = range(0, height, BLOCK_ROWS)
        blocks = [bytearray(row_bytes * min(BLOCK_ROWS, height - row)) for row in starts]
        return cls(width, height, depth, blocks, PlaneHash(width, height, depth))

    @property
    def complete(self) -> bool:
        """Whether all rows are here; the store has checked their digest then."""
        return self.next_row == self.height

    @property
    def pixels(self) -> bytes:
        """All rows."""
        return b"".join(self.blocks)

    def append(self, rows: int, pixels: memoryview | bytes) -> None:
        """Take the next rows."""
        row_bytes = self.width * self.depth // 8
        self._write(self.next_row, 0, row_bytes, pixels)
        self.hash.add(pixels)
        self.next_row += rows

    def edited(self, edit: Edit, pixels: bytes) -> "Plane":
        """A label map with another rectangle, of which this one is the base."""
        region = edit.region
        touched = whole_blocks(region.rows, self.height)
        blocks = range(touched.start // BLOCK_ROWS, -(-touched.stop // BLOCK_ROWS))
        plane = replace(self, blocks=list(self.blocks), edit=edit)
        for index in blocks:
            plane.blocks[index] = self.blocks[index][:]
        plane._write(region.y, region.x, region.width, pixels)
        fresh = b"".join(plane.blocks[blocks.start : blocks.stop])
        plane.hash = self.hash.edited(touched.start, fresh)
        return plane

    def cut(self, region: Rectangle) -> bytes:
        """The pixels of a rectangle of a label map."""
        rows = (divmod(y, BLOCK_ROWS) for y in range(region.y, region.y + region.height))
        starts = ((block, row * self.width + region.x) for block, row in rows)
        return b"".join(self.blocks[block][x : x + region.width] for block, x in starts)

    def _write(self, y: int, x: int, width: int, pixels: memoryview | bytes) -> None:
        """Pixels of a rectangle; ``x`` and ``width`` in bytes."""
        row_bytes = self.width * self.depth // 8
        for start in range(0, len(pixels), width):
            block, row = divmod(y, BLOCK_ROWS)
            at = row * row_bytes + x
            self.blocks[block][at : at + width] = pixels[start : start + width]
            y += 1


class PlaneStore:
    """Content-addressed planes; beyond ``budget`` bytes the least recently used go.

    Of edited label maps only the last ones are kept: each stroke makes another.
    """

    def __init__(self, budget: int = 1 << 30) -> None:
        self.budget = budget
        self.used = 0
        self._planes: OrderedDict[str, Plane] = OrderedDict()
        self._shared: Counter[int] = Counter()  # planes that have a block, by its id()

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
        the client where to go on. Raises SemcolorError: WORKER_TOO_SMALL for a plane beyond the
        whole budget; MALFORMED when the finished plane does not have the digest announced.
        """
        plane = self._planes.get(strip.digest) or self._new(strip)
        if (plane.width, plane.height, plane.depth) != (strip.width, strip.height, strip.depth):
            raise malformed("this digest belongs to a plane of another shape")
        self._planes.move_to_end(strip.digest)
        if strip.rows and strip.first_row == plane.next_row:
            self._append(strip, plane, frame)
        return plane.next_row

    def edit(self, digest: str, edit: Edit, frame: memoryview | bytes) -> None:
        """Make a plane from another one. ``frame``: what is new, by :func:`pack_labels`.

        Raises SemcolorError: UNKNOWN_LABELS without the base; LABELS_MISMATCH for a rectangle that
        is not inside it; MALFORMED when the new plane does not have the digest announced.
        """
        if self.get(digest) is not None:
            return
        base = self.get(edit.base)
        if base is None or base.depth != 8:
            raise SemcolorError(Code.UNKNOWN_LABELS)
        if not edit.region.fits(base.width, base.height):
            raise SemcolorError(Code.LABELS_MISMATCH, detail="an edit is not inside its label map")
        plane = base.edited(edit, unpack_labels(frame, edit.region.pixels))
        if plane.hash.hexdigest() != digest:
            raise malformed("the edit does not lead to the digest announced")
        self._keep(digest, plane)

    def _append(self, strip: PutPhoto | PutLabels, plane: Plane, frame: memoryview | bytes) -> None:
        if isinstance(strip, PutLabels):
            frame = unpack_labels(frame, strip.rows * plane.width)
        plane.append(strip.rows, frame)
        if plane.complete and plane.hash.hexdigest() != strip.digest:
            self._drop(strip.digest)
            raise malformed("the pixels do not have the digest announced")

    def _new(self, strip: PutPhoto | PutLabels) -> Plane:
        size = strip.width * strip.height * strip.depth // 8
        if size > self.budget:
            raise SemcolorError(Code.WORKER_TOO_SMALL, needed=size >> 20, kept=self.budget >> 20)
        return self._keep(strip.digest, Plane.empty(strip.width, strip.height, strip.depth))

    def _keep(self, digest: str, plane: Plane) -> Plane:
        self._drop(digest)
        self._planes[digest] = plane
        for block in plane.blocks:
            self.used += 0 if self._shared[id(block)] else len(block)
            self._shared[id(block)] += 1
        edited = [name for name, kept in self._planes.items() if kept.edit is not None]
        for name in edited[:-_EDITED_KEPT]:
            self._drop(name)
        while self.used > self.budget:
            self._drop(next(iter(self._planes)))
        return plane

    def _drop(self, digest: str) -> None:
        plane = self._planes.pop(digest, None)
        for block in plane.blocks if plane else []:
            self._shared[id(block)] -= 1
            if not self._shared[id(block)]:
                del self._shared[id(block)]
                self.used -= len(block)
