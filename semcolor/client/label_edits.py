"""A label map that is edited, and what of it the worker has."""

import numpy as np

from semcolor.photos.pixels import LabelMap
from semcolor.protocol.checks import FRAME_LIMIT
from semcolor.protocol.planes import PlaneHash, pack_labels, whole_blocks
from semcolor.protocol.schema import Edit
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle


class EditedLabels:
    """A photo's label map, H×W class ids, which is copied.

    ``digest`` names it as it is now. What is new since :meth:`are_there` travels with the next
    request.
    """

    def __init__(self, label_map: LabelMap) -> None:
        self.map: LabelMap = np.array(label_map, np.uint8, order="C")
        self.height, width = self.map.shape
        self._hash = PlaneHash(width, self.height, 8).add(self.map.data.cast("B"))
        self.digest = self._hash.hexdigest()
        self._base = ""  # the label map that the worker has, as far as we know, and …
        self._edited: Rectangle | None = None  # … where ours may differ from it

    def edit(self, region: Rectangle, ids: LabelMap) -> None:
        """Change a rectangle, perhaps an empty one: height×width class ids.

        Raises SemcolorError (LABELS_MISMATCH).
        """
        part = self.map[region.rows, region.columns]
        if part.shape != ids.shape or part.shape != (region.height, region.width):
            raise SemcolorError(
                Code.LABELS_MISMATCH, detail="the edit does not fit into the label map"
            )
        if not region:
            return
        part[:] = ids
        touched = whole_blocks(region.rows, self.height)
        self._hash = self._hash.edited(touched.start, self.map[touched].data.cast("B"))
        self.digest = self._hash.hexdigest()
        self._edited = region.join(self._edited)

    @property
    def news(self) -> tuple[Edit, bytes] | None:
        """What a request must carry besides the digest, and its frame; None: nothing."""
        region = self._edited
        if not self._base or self._base == self.digest or region is None:
            return None
        ids = np.ascontiguousarray(self.map[region.rows, region.columns])
        return Edit(self._base, region), pack_labels(ids.data.cast("B"))

    @property
    def must_be_sent(self) -> bool:
        """Whether the whole of it must travel before the next request."""
        too_much = self._edited is not None and self._edited.pixels > FRAME_LIMIT
        return not self._base or (too_much and self._base != self.digest)

    def are_there(self, digest: str) -> None:
        """The worker has the label map of this digest: ours, now or before the latest edits."""
        if digest == self.digest:
            self._base, self._edited = digest, None

    def are_lost(self) -> None:
        """The worker has nothing of it."""
        self._base, self._edited = "", None
