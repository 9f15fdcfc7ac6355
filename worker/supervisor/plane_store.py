"""The image store: photos and label maps by owner and digest, within a memory budget."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

from semcolor.protocol.planes import BLOCK_ROWS, PlaneHash, unpack_labels, whole_blocks
from semcolor.protocol.schema import Edit, PutLabels, PutPhoto
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle
from semcolor_worker.lru import LruCache

_EDITED_KEPT = 128  # label maps of one owner: that many strokes back
_BEGUN = 8  # planes of one owner that may be under way at a time
_PLANES = 2048  # of one owner
_KNOWN = 1 << 16  # planes that were here

_Key = tuple[str, str]
"""Owner and digest."""


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

    @property
    def complete(self) -> bool:
        """Whether all rows are here; the store has checked their digest then."""
        return self.next_row == self.height

    @property
    def pixels(self) -> bytes:
        """All rows."""
        return b"".join(self.blocks)

    def append(self, rows: int, pixels: memoryview | bytes) -> None:
        """Take the next rows; only then is there room for them."""
        row_bytes = self.width * self.depth // 8
        while len(self.blocks) * BLOCK_ROWS < self.next_row + rows:
            left = self.height - len(self.blocks) * BLOCK_ROWS
            self.blocks.append(bytearray(row_bytes * min(BLOCK_ROWS, left)))
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
    """Planes by owner and digest, within ``budget`` bytes.

    An owner is a client's public key: nobody sees, or learns of, what another one has put here.
    Beyond the budget the least recently used go, of whoever has most: who puts much here pushes out
    what is his own. Of an owner's edited label maps only the last ones are kept: each stroke makes
    another.
    """

    def __init__(self, budget: int = 1 << 30) -> None:
        self.budget = budget
        self._planes: OrderedDict[_Key, Plane] = OrderedDict()
        self._shared: Counter[int] = Counter()  # planes that have a block, by its id()
        self._used: Counter[str] = Counter()  # bytes, by owner
        self._counts: Counter[str] = Counter()  # of planes, by owner
        self._known: LruCache[None] = LruCache(_KNOWN)

    @property
    def used(self) -> int:
        """Bytes, of all owners."""
        return self._used.total()

    def get(self, digest: str, owner: str = "") -> Plane | None:
        """A complete plane, now the most recently used; None when it is not here."""
        plane = self._planes.get((owner, digest))
        if plane is None or not plane.complete:
            return None
        self._planes.move_to_end((owner, digest))
        return plane

    def was_put(self, digest: str, owner: str) -> bool:
        """Whether this owner has put a plane here, as a whole, though it may have gone since."""
        return (owner, digest) in self._known

    def put(self, strip: PutPhoto | PutLabels, frame: memoryview | bytes, owner: str = "") -> int:
        """Take a strip of rows; return the first row still missing.

        Rows that are here already, and rows that come too early, are left out; the answer tells
        the client where to go on. Raises SemcolorError: WORKER_TOO_SMALL for a plane beyond the
        whole budget; MALFORMED when the finished plane does not have the digest announced.
        """
        key = owner, strip.digest
        plane = self._planes.get(key) or self._new(key, strip)
        if (plane.width, plane.height, plane.depth) != (strip.width, strip.height, strip.depth):
            raise malformed("this digest belongs to a plane of another shape")
        self._planes.move_to_end(key)
        if strip.rows and strip.first_row == plane.next_row:
            self._append(key, strip, plane, frame)
        return plane.next_row

    def forget(self, owner: str) -> list[str]:
        """Drop all that an owner has put here; the digests that nobody else has."""
        digests = [digest for name, digest in self._planes if name == owner]
        for digest in digests:
            self._drop((owner, digest))
        self._known.pop_where(lambda key: key[0] == owner)
        others = {digest for _, digest in self._planes}
        return [digest for digest in digests if digest not in others]

    def edit(self, digest: str, edit: Edit, frame: memoryview | bytes, owner: str = "") -> None:
        """Make a plane from another one. ``frame``: what is new, by :func:`pack_labels`.

        Raises SemcolorError: UNKNOWN_LABELS without the base; LABELS_MISMATCH for a rectangle that
        is not inside it; MALFORMED when the new plane does not have the digest announced.
        """
        if self.get(digest, owner) is not None:
            return
        base = self.get(edit.base, owner)
        if base is None or base.depth != 8:
            raise SemcolorError(Code.UNKNOWN_LABELS)
        if not edit.region.fits(base.width, base.height):
            raise SemcolorError(Code.LABELS_MISMATCH, detail="an edit is not inside its label map")
        plane = base.edited(edit, unpack_labels(frame, edit.region.pixels))
        if plane.hash.hexdigest() != digest:
            raise malformed("the edit does not lead to the digest announced")
        key = owner, digest
        self._keep(key, plane)
        self._finished(key)

    def _append(
        self, key: _Key, strip: PutPhoto | PutLabels, plane: Plane, frame: memoryview | bytes
    ) -> None:
        if isinstance(strip, PutLabels):
            frame = unpack_labels(frame, strip.rows * plane.width)
        before = len(plane.blocks)
        plane.append(strip.rows, frame)
        self._count(key, plane.blocks[before:])
        if plane.complete and plane.hash.hexdigest() != strip.digest:
            self._drop(key)
            raise malformed("the pixels do not have the digest announced")
        if plane.complete:
            self._finished(key)
        self._make_room()

    def _new(self, key: _Key, strip: PutPhoto | PutLabels) -> Plane:
        size = strip.width * strip.height * strip.depth // 8
        if size > self.budget:
            raise SemcolorError(Code.WORKER_TOO_SMALL, needed=size >> 20, kept=self.budget >> 20)
        begun = [name for name, plane in self._planes.items() if not plane.complete]
        for name in [name for name in begun if name[0] == key[0]][: 1 - _BEGUN]:
            self._drop(name)
        hashed = PlaneHash(strip.width, strip.height, strip.depth)
        return self._keep(key, Plane(strip.width, strip.height, strip.depth, [], hashed))

    def _keep(self, key: _Key, plane: Plane) -> Plane:
        self._drop(key)
        self._planes[key] = plane
        self._counts[key[0]] += 1
        if self._counts[key[0]] > _PLANES:
            self._drop_oldest(key[0])
        self._count(key, plane.blocks)
        edited = [name for name, kept in self._planes.items() if kept.edit is not None]
        for name in [name for name in edited if name[0] == key[0]][:-_EDITED_KEPT]:
            self._drop(name)
        self._make_room()
        return plane

    def _finished(self, key: _Key) -> None:
        if key not in self._known:
            self._known.put(key, None)

    def _count(self, key: _Key, blocks: list[bytearray]) -> None:
        for block in blocks:
            self._used[key[0]] += 0 if self._shared[id(block)] else len(block)
            self._shared[id(block)] += 1

    def _make_room(self) -> None:
        while self.used > self.budget:
            (largest, _), *_ = self._used.most_common(1)
            self._drop_oldest(largest)

    def _drop_oldest(self, owner: str) -> None:
        self._drop(next(key for key in self._planes if key[0] == owner))

    def _drop(self, key: _Key) -> None:
        plane = self._planes.pop(key, None)
        self._counts[key[0]] -= plane is not None
        for block in plane.blocks if plane else []:
            self._shared[id(block)] -= 1
            if not self._shared[id(block)]:
                del self._shared[id(block)]
                self._used[key[0]] -= len(block)
