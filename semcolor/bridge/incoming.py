"""Pictures that arrive row by row, so that the wide original is never held whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from semcolor.photos.label_colors import UNKNOWN, foreign, from_rgba, surroundings
from semcolor.photos.pixels import Gray, LabelMap, Mask, gray_from_rgb
from semcolor.protocol.checks import check_size
from semcolor.shared.bridge_schema import GRAY_U8, GRAY_U16, RGB_U8, RGB_U16
from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle

from .certainty import CertaintyMap
from .frames import Header
from .open_photo import OpenPhoto

Pixels = npt.NDArray[Any]
_NEARLY_ALL = 0.9  # a label layer with more in colours of no class than this share is none any more
_PHOTO_FORMATS: dict[str, tuple[type[np.generic], int]] = {
    GRAY_U8: (np.uint8, 1),
    GRAY_U16: (np.uint16, 1),
    RGB_U8: (np.uint8, 3),
    RGB_U16: (np.uint16, 3),
}


class Incoming(ABC):
    """A picture of which some rows may be still to come."""

    def __init__(self, width: int, height: int, channels: int, dtype: type[np.generic]) -> None:
        check_size(width, height)
        self._width, self._height, self._channels = width, height, channels
        self._dtype = np.dtype(dtype)
        self._next_row = 0

    @property
    def is_complete(self) -> bool:
        """Whether all rows are here."""
        return self._next_row == self._height

    def add(self, payload: bytes) -> Header:
        """Take the next rows; with the last ones comes an answer. Raises SemcolorError."""
        rows, rest = divmod(len(payload), self._width * self._channels * self._dtype.itemsize)
        if rest or not rows:
            raise malformed("these are not whole rows of the picture")
        if self._next_row + rows > self._height:
            raise malformed("these are more rows than the picture has")
        pixels = np.frombuffer(payload, self._dtype)
        first, self._next_row = self._next_row, self._next_row + rows
        self._take(first, pixels.reshape(rows, self._width, self._channels))
        return self._end() if self.is_complete else {}

    @abstractmethod
    def _take(self, first_row: int, pixels: Pixels) -> None:
        """Keep some rows, which follow the ones before."""

    @abstractmethod
    def _end(self) -> Header:
        """All rows are here: the answer to the last ones."""


class IncomingPhoto(Incoming):
    """A photo, which becomes gray. ``done`` gets it."""

    def __init__(
        self, width: int, height: int, pixel_format: str, done: Callable[[Gray], None]
    ) -> None:
        if pixel_format not in _PHOTO_FORMATS:
            raise malformed(f"a photo cannot come as “{pixel_format}”")
        dtype, channels = _PHOTO_FORMATS[pixel_format]
        super().__init__(width, height, channels, dtype)
        self._gray: Gray = np.empty((height, width), dtype)
        self._done = done

    def _take(self, first_row: int, pixels: Pixels) -> None:
        gray = pixels[..., 0] if self._channels == 1 else gray_from_rgb(pixels)
        self._gray[first_row : first_row + len(pixels)] = gray

    def _end(self) -> Header:
        self._done(self._gray)
        return {}


class IncomingLabels(Incoming):
    """A label layer, which becomes the photo's class ids."""

    def __init__(self, width: int, height: int, photo: OpenPhoto) -> None:
        super().__init__(width, height, 4, np.uint8)
        self._photo = photo
        self._ids: LabelMap = np.empty((height, width), np.uint8)
        self._certainty = CertaintyMap(height, width)
        self._opaque = self._foreign = 0  # and those of them of no class's colour

    def _take(self, first_row: int, pixels: Pixels) -> None:
        rows = len(pixels)
        around = np.full((rows + 2, self._width + 2), UNKNOWN, np.uint8)
        if first_row:
            around[0, 1:-1] = self._ids[first_row - 1]
        ids, certainty = from_rgba(pixels, around, self._photo.colors)
        self._ids[first_row : first_row + rows] = ids
        self._certainty.write(Rectangle(0, first_row, self._width, rows), certainty)
        self._opaque += int(np.count_nonzero(pixels[..., 3] == 255))
        self._foreign += foreign(pixels, certainty)

    def _end(self) -> Header:
        share = self._foreign / max(1, self._opaque)
        if share > _NEARLY_ALL:
            raise SemcolorError(Code.FOREIGN_COLORS, share=f"{share:.0%}")
        self._photo.set_labels(self._ids, self._certainty)
        return {"ambiguous": self._certainty.ambiguous}


class IncomingEdit(Incoming):
    """A rectangle of the label layer, which changes the photo's labels.

    ``by_hand``: the restorer has painted that; else it may be undo.
    """

    def __init__(self, region: Rectangle, photo: OpenPhoto, by_hand: bool) -> None:
        super().__init__(region.width, region.height, 4, np.uint8)
        self._region, self._colors, self._by_hand = region, photo.colors, by_hand
        self._session, self._certainty = photo.session, photo.certainty
        self._painted = photo.painted
        self._painted.begin()

    def _take(self, first_row: int, pixels: Pixels) -> None:
        region, labels = self._region, self._session.labels
        assert labels is not None
        strip = Rectangle(region.x, region.y + first_row, region.width, len(pixels))
        around = surroundings(labels, strip)
        if not self.is_complete:
            around[-1] = UNKNOWN  # these rows are still to come
        ids, certainty = from_rgba(pixels, around, self._colors)
        self._painted.write(strip, labels[strip.rows, strip.columns] != ids, self._by_hand)
        self._session.edit_labels(strip, ids)
        self._certainty.write(strip, certainty)

    def _end(self) -> Header:
        return {"ambiguous": self._certainty.ambiguous}


class IncomingMask(Incoming):
    """A selection of which only a rectangle is sent. ``done`` gets it, as large as the photo."""

    def __init__(
        self, region: Rectangle, shape: tuple[int, ...], done: Callable[[Mask], None]
    ) -> None:
        super().__init__(region.width, region.height, 1, np.uint8)
        self._mask: Mask = np.zeros(shape, np.uint8)
        self._part, self._done = self._mask[region.rows, region.columns], done

    def _take(self, first_row: int, pixels: Pixels) -> None:
        self._part[first_row : first_row + len(pixels)] = pixels[..., 0]

    def _end(self) -> Header:
        self._done(self._mask)
        return {}
