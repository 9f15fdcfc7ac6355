"""Photographs as files: 8 and 16 bit, EXIF orientation, ICC profiles.

Inside semcolor a photo is gray in the sRGB transfer curve: the neutral gray that has the
lightness L* of the original. A colorized photo is sRGB; on disk it goes back into the photo's own
RGB profile, and carries an sRGB profile when the photo's was a gray one.
"""

import contextlib
import tempfile
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvips
from PIL import Image

from semcolor.shared.atomic_files import replacing
from semcolor.shared.errors import Code, SemcolorError, cannot_read, cannot_write, reason_of
from semcolor.shared.limits import PIXEL_LIMIT, SIDE_LIMIT, is_too_large

from .curves import luminance_from_lightness
from .gray_profiles import luminance_of_gray
from .interruptible import interruptible
from .label_colors import to_rgba
from .metadata import Metadata, complete_png, complete_tiff, left_out, read_metadata, set_metadata
from .openraster import Layer, write_openraster
from .pixels import Gray, LabelMap, Rgb, gray_from_luminance, gray_from_rgb
from .tiff_extras import ALPHA, MULTIPLIED_ALPHA, UNSPECIFIED, read_extra_samples

Image.MAX_IMAGE_PIXELS = None  # `_check_size` has limits of our own

_TIFF = (".tif", ".tiff")
_JPEG = (".jpg", ".jpeg")
_WEBP, _OPENRASTER = ".webp", ".ora"
_DEEP_FORMATS = (".png", *_TIFF, _OPENRASTER)
_FORMATS = (*_DEEP_FORMATS, *_JPEG, _WEBP)
_WEBP_SIDE = 16_383  # pixels
_UNIT = "resolution-unit"
_USUAL, _FINEST = 72 / 25.4, 1e6  # pixels per millimetre, where nobody knows; libvips' limit
_ICC = "icc-profile-data"
_RGB = b"RGB "  # colour space signature in an ICC header
_COLOURS = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb16": 3, "rgb": 3, "cmyk": 4}  # channels


@dataclass(frozen=True)
class Photo:
    """A photograph, upright.

    ``gray``: H×W uint8 or uint16. ``source``: where it came from. ``extra_kinds``: what each of its
    channels besides the colours is, see :mod:`.tiff_extras`. ``page`` of ``pages``, from 1 on.
    """

    gray: Gray
    source: pyvips.Image
    metadata: Metadata = field(default_factory=Metadata)
    extra_kinds: tuple[int, ...] = ()
    page: int = 1
    pages: int = 1

    @property
    def depth(self) -> int:
        """Bits per sample, 8 or 16."""
        return self.gray.dtype.itemsize * 8

    @property
    def extras(self) -> list[pyvips.Image]:
        """Its channels besides the colours, from first to last."""
        first = self.source.bands - len(self.extra_kinds)
        return [self.source[first + number] for number in range(len(self.extra_kinds))]


def read_photo(path: Path, page: int | None = None) -> Photo:
    """Read a PNG, TIFF or JPEG.

    ``page``: from 1 on, of a TIFF of several; None: the first of the largest, as the first of all
    may be a thumbnail. Raises SemcolorError: NO_FILE, NOT_A_PHOTO, NO_PAGE, SAMPLE_FORMAT,
    FILE_TOO_LARGE.
    """
    if not path.is_file():
        raise SemcolorError(Code.NO_FILE, file=str(path))
    return interruptible(lambda: _read(path, page))


def count_pages(path: Path) -> int:
    """Of a TIFF; 1 for every other file. Raises SemcolorError as `read_photo`."""
    if not path.is_file():
        raise SemcolorError(Code.NO_FILE, file=str(path))
    try:
        return _pages(_open(path))
    except pyvips.Error as error:
        raise SemcolorError(Code.NOT_A_PHOTO, file=str(path), reason=reason_of(error)) from error


def _pages(image: pyvips.Image) -> int:
    pages: int = image.get("n-pages") if image.get_typeof("n-pages") else 1
    return pages


def _read(path: Path, wanted: int | None) -> Photo:
    try:
        image = _open(path)
        pages = _pages(image)
        page = _largest_page(path, pages) if wanted is None else wanted
        if not 1 <= page <= pages:
            raise SemcolorError(Code.NO_PAGE, file=str(path), page=page, pages=pages)
        if page > 1:
            image = _open(path, page=page - 1)
        _check_size(path, image)
        image = _with_profile_of_colours(path, page, image).autorot()
        if image.format not in ("uchar", "ushort"):
            raise SemcolorError(Code.SAMPLE_FORMAT, file=str(path), format=image.format)
        image = image.copy_memory()
        kinds = _extra_kinds(path, page, image)
        gray = _gray(image[: image.bands - len(kinds)])
        said = read_metadata(path, page, image)
        return Photo(gray, image, said, kinds, page, pages)
    except pyvips.Error as error:
        raise SemcolorError(Code.NOT_A_PHOTO, file=str(path), reason=reason_of(error)) from error
    except OSError as error:
        raise cannot_read(path, error) from error


def _open(path: Path, **options: int) -> pyvips.Image:
    # By its descriptor: libvips takes what is in brackets for options, and all names for UTF-8.
    with path.open("rb") as file:
        source = pyvips.Source.new_from_descriptor(file.fileno())
    return pyvips.Image.new_from_source(source, "", fail_on="error", **options)


def _with_profile_of_colours(path: Path, page: int, image: pyvips.Image) -> pyvips.Image:
    """A gray photo with the profile of RGB that it may have, which libvips leaves out."""
    if image.bands > 2 or image.get_typeof(_ICC):
        return image
    profile = b""
    with warnings.catch_warnings(), contextlib.suppress(OSError, ValueError, EOFError):
        warnings.simplefilter("ignore")  # of what is damaged, and not asked for
        with Image.open(path) as picture:
            picture.seek(page - 1)
            profile = picture.info.get("icc_profile") or b""
    if profile[16:20] == _RGB:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, _ICC, profile)
    return image


def _largest_page(path: Path, pages: int) -> int:
    if pages == 1:
        return 1
    images = [_open(path, page=page) for page in range(pages)]
    sizes = [image.width * image.height for image in images]
    return 1 + sizes.index(max(sizes))


def check_output(path: Path, photo: Photo) -> None:
    """Whether a photo can be written to ``path``.

    Raises SemcolorError: NO_FORMAT, TOO_DEEP, TOO_WIDE, NO_FOLDER.
    """
    suffix, side = path.suffix.lower(), max(photo.gray.shape)
    if suffix not in _FORMATS:
        raise SemcolorError(Code.NO_FORMAT, file=path.name)
    if photo.depth == 16 and suffix not in _DEEP_FORMATS:
        raise SemcolorError(Code.TOO_DEEP, suffix=suffix)
    if suffix == _WEBP and side > _WEBP_SIDE:
        raise SemcolorError(Code.TOO_WIDE, suffix=suffix, side=side, limit=_WEBP_SIDE)
    if not path.parent.is_dir():
        raise SemcolorError(Code.NO_FOLDER, folder=str(path.parent))


def holds_labels(path: Path) -> bool:
    """Whether a file of this name has room for a label map beside the colours."""
    return path.suffix.lower() == _OPENRASTER


def write_photo(
    path: Path, rgb: Rgb, photo: Photo, labels: LabelMap | None = None, only_new: bool = False
) -> None:
    """Write H×W×3 sRGB as the colorized ``photo``: its depth, profile, alpha and metadata.

    The file is replaced as a whole; with ``only_new`` none that is there is replaced. ``labels``
    are written where the file `holds_labels`. Raises SemcolorError: CANNOT_WRITE, OUTPUT_EXISTS,
    and as `check_output`.
    """
    check_output(path, photo)
    write = partial(_write_openraster, labels=labels) if holds_labels(path) else _write
    try:
        with replacing(path, only_new=only_new) as part:
            interruptible(lambda: write(part, rgb, photo))
    except FileExistsError as error:
        raise SemcolorError(Code.OUTPUT_EXISTS, file=str(path)) from error
    except (pyvips.Error, OSError) as error:
        raise cannot_write(path, error) from error


def _write_openraster(path: Path, rgb: Rgb, photo: Photo, labels: LabelMap | None) -> None:
    """In sRGB, as the format has it."""
    kind = {3: "srgb", 1: "b-w"} if photo.depth == 8 else {3: "rgb16", 1: "grey16"}
    colors = pyvips.Image.new_from_array(rgb).copy(interpretation=kind[3])
    colors = set_metadata(colors, ".png", photo.metadata)
    gray = pyvips.Image.new_from_array(photo.gray).copy(interpretation=kind[1])
    layers = [Layer("Colorized", colors), Layer("Photo", gray)]
    if labels is not None:
        map_ = pyvips.Image.new_from_array(to_rgba(labels)).copy(interpretation="srgb")
        layers.insert(0, Layer("Labels", map_, is_shown=False))
    write_openraster(path, layers, merged=colors)


def _write(path: Path, rgb: Rgb, photo: Photo) -> None:
    deep = photo.depth == 16
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="rgb16" if deep else "srgb")
    image = _to_profile(image, photo.source, photo.depth)
    for number in _kept_extras(path, photo):
        image = image.bandjoin(photo.extras[number])
    across, down = photo.source.xres, photo.source.yres
    # Only a TIFF can say that there is no unit; and some numbers are none.
    if photo.metadata.shape or not 0 < min(across, down) <= max(across, down) < _FINEST:
        across = down = _USUAL
    image = image.copy(xres=across, yres=down)
    suffix = path.suffix.lower()
    image = set_metadata(image, suffix, photo.metadata)
    if photo.source.get_typeof(_UNIT):
        image.set_type(pyvips.GValue.gstr_type, _UNIT, photo.source.get(_UNIT))
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)  # the pixels are upright now
    with path.open("r+b") as file:
        target = pyvips.Target.new_to_descriptor(file.fileno())
        image.write_to_target(target, suffix, **_SAVE_OPTIONS[suffix])
    if suffix == ".png":
        complete_png(path, photo.metadata)
    if suffix in _TIFF:
        complete_tiff(path, photo.metadata, image, photo.extra_kinds)


def metadata_left_out(path: Path, photo: Photo) -> list[str]:
    """What a file of this name has no room for, of what the photo says besides its pixels."""
    return left_out(path.suffix.lower(), photo.metadata)


def channels_left_out(path: Path, photo: Photo) -> int:
    """How many of the photo's channels besides the colours a file of this name has no room for."""
    return len(photo.extra_kinds) - len(_kept_extras(path, photo))


def _kept_extras(path: Path, photo: Photo) -> list[int]:
    suffix, kinds = path.suffix.lower(), photo.extra_kinds
    if suffix in _TIFF:
        return list(range(len(kinds)))
    has_alpha = suffix in (".png", _WEBP) and ALPHA in kinds
    return [kinds.index(ALPHA)] if has_alpha else []


_SAVE_OPTIONS: dict[str, dict[str, object]] = {
    ".png": {"compression": 4, "filter": "sub"},
    ".tif": {"compression": "deflate", "predictor": "horizontal"},
    ".tiff": {"compression": "deflate", "predictor": "horizontal"},
    ".jpg": {"Q": 95, "subsample_mode": "off"},
    ".jpeg": {"Q": 95, "subsample_mode": "off"},
    _WEBP: {"Q": 95, "smart_subsample": True},
}


def _extra_kinds(path: Path, page: int, image: pyvips.Image) -> tuple[int, ...]:
    """What each channel besides the colours is; an unknown one is alpha if the format has that."""
    extras = image.bands - _COLOURS.get(image.interpretation, 1 if image.bands < 3 else 3)
    said = read_extra_samples(path, page)
    if len(said) == extras:
        # libvips has divided colours by the alpha that they were multiplied by.
        return tuple(ALPHA if kind == MULTIPLIED_ALPHA else kind for kind in said)
    return (ALPHA, *[UNSPECIFIED] * (extras - 1)) if extras > 0 else ()


def _gray(image: pyvips.Image) -> Gray:
    """Of an image that has colours only."""
    if image.get_typeof(_ICC):
        try:
            return _gray_from_profile(image)
        except pyvips.Error:  # a damaged profile, or one of another number of channels
            pass
    if image.bands == 1:
        return np.ascontiguousarray(_array(image)[..., 0])
    if image.bands != 3:  # CMYK without a profile
        image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    return gray_from_rgb(_array(image))


def _gray_from_profile(image: pyvips.Image) -> Gray:
    """Through the embedded profile to luminance, then to the sRGB curve."""
    dtype = np.dtype(np.uint16 if image.format == "ushort" else np.uint8)
    if image.bands == 1:
        luminance = luminance_of_gray(image.get(_ICC), 256**dtype.itemsize)
        if luminance is not None:
            table = gray_from_luminance(luminance, dtype)
            return np.take(table, _array(image)[..., 0])
        if image.get(_ICC)[16:20] == _RGB:  # as some programs leave it on a photo made gray
            kind = "rgb16" if dtype == np.uint16 else "srgb"
            image = image.bandjoin([image, image]).copy(interpretation=kind)
    lightness = image.icc_import(embedded=True, intent="relative", pcs="lab")[0]
    values = _array(lightness)[..., 0].clip(0, 100)
    return gray_from_luminance(luminance_from_lightness(values, np), dtype)


def _array(image: pyvips.Image) -> npt.NDArray[Any]:
    """H×W×bands, even of a single pixel, whose sides pyvips' own way leaves out."""
    pixels: npt.NDArray[Any] = image.numpy()
    return pixels.reshape(image.height, image.width, image.bands)


def _to_profile(image: pyvips.Image, source: pyvips.Image, depth: int) -> pyvips.Image:
    """sRGB to the photo's own RGB profile; an sRGB profile where the photo's can't be had."""
    if not source.get_typeof(_ICC):
        return image
    srgb = pyvips.Image.profile_load("srgb")
    profile = source.get(_ICC)
    if profile[16:20] == _RGB:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "photo.icc")
            file.write_bytes(profile)
            try:
                return image.icc_transform(
                    str(file), input_profile="srgb", intent="relative", depth=depth
                ).copy_memory()
            except pyvips.Error:  # damaged, or a scanner's, which can be read from only
                pass
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, _ICC, srgb)
    return image


def _check_size(path: Path, image: pyvips.Image) -> None:
    if is_too_large(image.width, image.height):
        raise SemcolorError(
            Code.FILE_TOO_LARGE, file=str(path), width=image.width, height=image.height,
            megapixels=PIXEL_LIMIT // 1_000_000, side=SIDE_LIMIT,
        )  # fmt: skip
