"""Looks at the label layer, and reads what was painted there; and at the photo."""

import time
from collections.abc import Callable

from gi.repository import Gimp
from images.photo import Photo
from images.pixels import read_pixels
from live.tiles import Edit, Tiles
from live.watch import Pointer, Thumbnail, Watch
from shared.bridge_schema import LABEL_FORMAT
from shared.geometry import NOWHERE, Rectangle
from shared.timings import timed

_THUMBNAIL = 256  # pixels, the longer side
_OURS_SECONDS = 5.0
_PHOTO_SECONDS = 1.0  # between two looks at the photo


class LabelWatcher:
    """Follows one photo's label layer.

    Args:
        on_edit: called with what was painted, as it was read.
    """

    def __init__(self, photo: Photo, on_edit: Callable[[Edit], None]) -> None:
        self._photo, self._on_edit = photo, on_edit
        self._photo_due, self._photo_changed = 0.0, False
        self._photo_seen: Thumbnail | None = None
        self.seen: Thumbnail | None = None
        """The layer as it was when it was read last."""
        self.start_over()

    def start_over(self) -> None:
        """The photo may be another, or have another size."""
        self.whole = self._photo.whole
        self._tiles, self._watch = Tiles(self.whole), Watch(self.whole)
        self._edit_so_far = NOWHERE
        self._ours, self._ours_until, self._is_known = NOWHERE, 0.0, False
        self.last_stroke: Rectangle | None = None
        """Where the user painted last."""

    def is_due(self, pointer: Pointer) -> bool:
        """Whether to look now. To be asked again after `pause`."""
        return self._watch.is_due(time.monotonic(), pointer)

    def pause(self) -> float:
        """Seconds."""
        return self._watch.pause(time.monotonic())

    @property
    def has_suspicion(self) -> bool:
        """Whether there was a change that is not read yet; nothing should be sent before it is."""
        return self._watch.has_suspicion

    def we_change(self, label_layer: Gimp.Layer, area: Rectangle, is_known: bool = False) -> None:
        """What changes here within the next moments is no stroke; what has until now may be.

        Args:
            is_known: the bridge has that change already.
        """
        self._see(label_layer)
        self._read(label_layer, self._watch.take_suspect())
        self._ours, self._ours_until = area, time.monotonic() + _OURS_SECONDS
        self._is_known = is_known

    def look(self, label_layer: Gimp.Layer) -> None:
        """Look at the layer, and read a part of it when it is time."""
        thumbnail = self._see(label_layer)
        area = self._watch.area_to_read(time.monotonic())
        if area:
            self._read(label_layer, area)
            self.seen = thumbnail

    def _see(self, label_layer: Gimp.Layer) -> Thumbnail:
        begin = time.monotonic()
        thumbnail = self._thumbnail(label_layer)
        self._watch.see(begin, thumbnail, time.monotonic() - begin)
        return thumbnail

    def _read(self, label_layer: Gimp.Layer, area: Rectangle) -> None:
        with timed("tiles"):
            edit = self._tiles.changed(area, lambda piece: self.read(label_layer, piece))
        if edit and time.monotonic() < self._ours_until and edit.area.clip(self._ours):
            edit, self._ours = edit._replace(is_stroke=False, is_known=self._is_known), NOWHERE
        if edit:
            self._on_edit(edit)
            self._edit_so_far = edit.area.join(self._edit_so_far)
        if self._edit_so_far and not self._watch.has_suspicion:
            self.last_stroke, self._edit_so_far = self._edit_so_far, NOWHERE

    def has_another_photo(self) -> bool:
        """Whether the photo itself was changed, mirrored for instance, and rests now."""
        now = time.monotonic()
        if now < self._photo_due:
            return False
        self._photo_due = now + _PHOTO_SECONDS
        last, self._photo_seen = self._photo_seen, self._thumbnail(self._photo.layer)
        if last is not None and last != self._photo_seen:
            self._photo_changed = True
            return False
        changed, self._photo_changed = self._photo_changed, False
        return changed

    def read(self, label_layer: Gimp.Layer, area: Rectangle) -> bytes:
        """The labels in a rectangle of the photo: RGBA u8."""
        return read_pixels(self._photo, label_layer, area, LABEL_FORMAT)

    @timed("thumbnail")
    def _thumbnail(self, layer: Gimp.Layer) -> Thumbnail:
        data, width, height, pixel_bytes = layer.get_thumbnail_data(_THUMBNAIL, _THUMBNAIL)
        extent = self._photo.extent_of(layer)
        return Thumbnail(data.get_data(), width, height, pixel_bytes, extent)
