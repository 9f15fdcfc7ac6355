"""What a change would do, as a small picture."""

from collections.abc import Sequence

from gi.repository import GdkPixbuf, Gimp, GLib
from labels.overlay import Picture, shade
from shared.classes import UNLABELLED, LabelClass
from shared.geometry import Rectangle

from .photo import Photo

_SIZE = 240  # pixels, the longer side


def picture_of(
    photo: Photo, strips: Sequence[tuple[Rectangle, bytes]], entry: LabelClass
) -> GdkPixbuf.Pixbuf:
    """The photo, and on it in its colour what would become this class.

    Args:
        strips: rectangles of the photo, and their labels as they would be: RGBA u8.
    """
    scale = _SIZE / max(photo.whole.width, photo.whole.height)
    size = (max(1, round(scale * length)) for length in (photo.whole.width, photo.whole.height))
    shown = photo.layer.get_thumbnail(*size, Gimp.PixbufTransparency.KEEP_ALPHA)
    width, height, stride = shown.get_width(), shown.get_height(), shown.get_rowstride()
    picture = Picture(shown.get_pixels(), width, height, stride, shown.get_n_channels())
    pixel = bytes(4) if entry.id == UNLABELLED else bytes((*entry.rgb, 255))
    shaded = shade(picture, photo.whole, strips, pixel, entry.rgb)
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(shaded), GdkPixbuf.Colorspace.RGB, shown.get_has_alpha(), 8,
        width, height, stride,
    )  # fmt: skip
