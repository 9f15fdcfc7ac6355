"""Photos, label maps and masks that jobs name by their digests.

What the networks see of a photo is the *picture*: the photo without its border.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.borders import picture_inside
from semcolor_worker.coloring.detail import majority, mended, shrunk
from semcolor_worker.coloring.upsampling import Size
from semcolor_worker.coloring.windows import Window
from semcolor_worker.lru import LruCache

_IDS_BUDGET = 1 << 26  # bytes of label maps at detail


_Place = tuple[Rectangle, Size]
"""Where the picture is in a photo, and its size at detail."""


class PlaneCache:
    """Planes on the CPU by digest, and what label maps are at detail.

    ``budget``: bytes of planes. Methods that look one up raise KeyError for what is not here.
    """

    def __init__(self, budget: int) -> None:
        self._planes: LruCache[Tensor] = LruCache(budget, lambda plane: plane.nbytes)
        self._ids: LruCache[dict[_Place, Tensor]] = LruCache(_IDS_BUDGET, _bytes)
        self._pictures: LruCache[Rectangle] = LruCache(1024)
        self._given: set[str] = set()  # and not yet said to be gone

    def __contains__(self, digest: str) -> bool:
        return self._planes.get(digest) is not None

    def __getitem__(self, digest: str) -> Tensor:
        """H×W uint8, or uint16 of a photo."""
        return self._planes[digest]

    def put(self, digest: str, plane: Tensor) -> None:
        """Take a photo (H×W uint8 or uint16), a label map or a mask (H×W uint8)."""
        self._planes.put(digest, plane)
        self._pictures.pop(digest)
        self._given.add(digest)

    def keep(self, name: str, plane: Tensor) -> None:
        """Keep a plane that was made here, of which nobody else knows."""
        self._planes.put(name, plane)

    def drop(self, digest: str) -> None:
        """Let go one plane, without ever telling so."""
        self._planes.pop(digest)
        self._ids.pop(digest)
        self._pictures.pop(digest)
        self._given.discard(digest)

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
        mended_ids = {}
        for (picture, size), ids in known.items():
            part = region.clip(picture).seen_from(picture)
            shown = plane[picture.rows, picture.columns]
            mended_ids[picture, size] = mended(ids, shown, part) if part else ids
        self._ids.put(digest, mended_ids)

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

    def place(self, photo: str) -> Rectangle:
        """Where the picture is in a photo."""
        known = self._pictures.get(photo)
        return known or self._pictures.put(photo, picture_inside(self._planes[photo]))

    def picture(self, photo: str) -> Tensor:
        """A photo without its border, H×W uint8 or uint16."""
        place = self.place(photo)
        return self._planes[photo][place.rows, place.columns]

    def of_photo(self, digest: str, photo: str) -> Tensor:
        """A label map or a mask of a photo.

        Raises SemcolorError (LABELS_MISMATCH) for one of another size.
        """
        plane = self._planes[digest]
        if plane.dtype != torch.uint8:
            raise _mismatch("a photo of 16 bits is no label map and no mask")
        if plane.shape != self._planes[photo].shape:
            raise _mismatch("the label map and the photo do not have the same size")
        return plane

    def ids_at(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w uint8 class ids of the picture at detail; an empty digest is the empty map.

        Raises SemcolorError (LABELS_MISMATCH) for a map of another size or of unknown classes.
        """
        if not digest:
            return torch.zeros(size, dtype=torch.uint8)
        plane, place = self.of_photo(digest, photo), self.place(photo)
        known = self._ids.get(digest) or self._ids.put(digest, {})
        if (place, size) not in known:
            shown = plane[place.rows, place.columns]
            known[place, size] = majority(shown, Window.whole(*size), size)
        ids = known[place, size]
        if int(ids.max()) >= NUM_LABELS:
            raise _mismatch(f"a label map's class ids end at {NUM_LABELS - 1}")
        return ids

    def mask_at(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w uint8: how much of each pixel of the picture at detail is meant, 0..255.

        Raises SemcolorError (LABELS_MISMATCH) for a mask of another size.
        """
        place = self.place(photo)
        return shrunk(self.of_photo(digest, photo)[place.rows, place.columns], size)[0, 0]

    def forget_details(self) -> None:
        """Let go what label maps are at detail; the planes stay."""
        self._ids.clear()

    def clear(self) -> None:
        """Let go all planes."""
        self._planes.clear()


def _bytes(by_place: dict[_Place, Tensor]) -> int:
    return sum(ids.nbytes for ids in by_place.values())


def _mismatch(detail: str) -> SemcolorError:
    return SemcolorError(Code.LABELS_MISMATCH, detail=detail)
