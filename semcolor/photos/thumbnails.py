"""Small pictures of photographs."""

import zipfile
from pathlib import Path

import pyvips

from semcolor.shared.errors import Code, SemcolorError, reason_of

SIDE = 480  # pixels, the longer side


def jpeg_thumbnail(path: Path, page: int | None = None) -> bytes:
    """A picture's, upright and in sRGB, as a JPEG; of an OpenRaster file, of all its layers.

    ``page``: of a TIFF, from 1 on. Raises SemcolorError: NO_FILE, NOT_A_PHOTO.
    """
    try:
        small = _open(path, page).thumbnail_image(SIDE, size="down", export_profile="srgb")
        flat = small.flatten(background=255) if small.hasalpha() else small
        content: bytes = flat.colourspace("srgb").write_to_buffer(".jpg", Q=85, keep="none")
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except (pyvips.Error, OSError, KeyError, zipfile.BadZipFile) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise SemcolorError(Code.NOT_A_PHOTO, file=str(path), reason=reason) from error
    return content


def _open(path: Path, page: int | None) -> pyvips.Image:
    if path.suffix.lower() == ".ora":
        with zipfile.ZipFile(path) as file:
            return pyvips.Image.new_from_buffer(file.read("mergedimage.png"), "")
    with path.open("rb") as file:  # by its descriptor: a name may have brackets in it
        source = pyvips.Source.new_from_descriptor(file.fileno())
    options = {"page": page - 1} if page and page > 1 else {}
    return pyvips.Image.new_from_source(source, "", **options).autorot()
