"""Photos, label maps and masks that jobs name by their digests."""

from collections.abc import Iterable

import torch
from torch import Tensor

from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.detail import majority, mended, shrunk
from semcolor_worker.coloring.upsampling import Size
from semcolor_worker.coloring.windows import Window
from semcolor_worker.lru import LruCache

_IDS_BUDGET = 1 << 26  # bytes of label maps at detail


class PlaneCache:
    """Planes on the CPU by digest, and what label maps are at detail.

    ``budget``: bytes of planes. Methods that look one up raise KeyError for what is not here.
    """

    def __init__(self, budget: int) -> None:
        self._planes: LruCache[Tensor] = LruCache(budget, lambda plane: plane.nbytes)
        self._ids: LruCache[dict[Size, Tensor]] = LruCache(_IDS_BUDGET, _bytes)
        self._given: set[str] = set()  # and not yet said to be gone

    def __contains__(self, digest: str) -> bool:
        return self._planes.get(digest) is not None

    def __getitem__(self, digest: str) -> Tensor:
        """H×W uint8, or uint16 of a photo."""
        return self._planes[digest]

    def put(self, digest: str, plane: Tensor) -> None:
        """Take a photo (H×W uint8 or uint16), a label map or a mask (H×W uint8)."""
        self._planes.put(digest, plane)
        self._given.add(digest)

    def keep(self, name: str, plane: Tensor) -> None:
        """Keep a plane that was made here, of which nobody else knows."""
        self._planes.put(name, plane)

    def dropped(self) -> list[str]:
        """The planes that were given and are no longer here; each is told once."""
        gone = sorted(digest for digest in self._given if digest not in self._planes)
        self._given.difference_update(gone)
        return gone

    def edit(
        self, digest: str, base: str, region: Rectangle, pixels: Tensor, keep_base: bool = False
    ) -> None:
        """Turn a label map into another one, by a rectangle of it: ``pixels``, uint8.

        The base is no longer here, unless it is to be kept: copying all of it would cost more than
        all else in an edit.
        """
        plane = self._planes[base]
        known = self._ids.get(base) or {}
        if keep_base:
            plane = plane.clone()
        else:
            self._planes.pop(base)
            self._ids.pop(base)
        plane[region.rows, region.columns] = pixels.view(region.height, region.width)
        self.put(digest, plane)
        self._ids.put(digest, {size: mended(ids, plane, region) for size, ids in known.items()})

    def lacking(self, digests: Iterable[str]) -> list[str]:
        """Those that are not here."""
        return [digest for digest in digests if digest not in self]

    def photo(self, digest: str, region: Rectangle) -> Tensor:
        """A photo. Raises SemcolorError (LABELS_MISMATCH) for a rectangle that is not inside."""
        photo = self._planes[digest]
        height, width = photo.shape
        if not region.fits(width, height):
            raise _mismatch(f"the rectangle is not inside the photo of {width} × {height} pixels")
        return photo

    def of_photo(self, digest: str, photo: str) -> Tensor:
        """A label map or a mask of a photo.

        Raises SemcolorError (LABELS_MISMATCH) for one of another size.
        """
        plane = self._planes[digest]
        if plane.shape != self._planes[photo].shape:
            raise _mismatch("the label map and the photo do not have the same size")
        return plane

    def ids_at(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w uint8 class ids of a label map at detail; an empty digest is the empty map.

        Raises SemcolorError (LABELS_MISMATCH) for a map of another size or of unknown classes.
        """
        if not digest:
            return torch.zeros(size, dtype=torch.uint8)
        plane = self.of_photo(digest, photo)
        known = self._ids.get(digest) or self._ids.put(digest, {})
        if size not in known:
            known[size] = majority(plane, Window.whole(*size), size)
        if int(known[size].max()) >= NUM_LABELS:
            raise _mismatch(f"a label map's class ids end at {NUM_LABELS - 1}")
        return known[size]

    def mask_at(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w uint8: how much of each pixel at detail is meant, 0..255.

        Raises SemcolorError (LABELS_MISMATCH) for a mask of another size.
        """
        return shrunk(self.of_photo(digest, photo), size)[0, 0]

    def forget_details(self) -> None:
        """Let go what label maps are at detail; the planes stay."""
        self._ids.clear()

    def clear(self) -> None:
        """Let go all planes."""
        self._planes.clear()


def _bytes(by_size: dict[Size, Tensor]) -> int:
    return sum(ids.nbytes for ids in by_size.values())


def _mismatch(detail: str) -> SemcolorError:
    return SemcolorError(Code.LABELS_MISMATCH, detail=detail)
