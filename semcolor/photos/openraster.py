"""OpenRaster: photo, colours and labels as layers of one file, which GIMP and Krita open.

OpenRaster 0.0.6, *Layer Stack* and *File Layout*: a ZIP file of PNGs, whose first entry says what
it is.
"""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyvips

_KIND = "image/openraster"
_THUMBNAIL = 256  # pixels, the longer side


class Layer(NamedTuple):
    """One layer: its name, its pixels as PNG holds them, and whether it is shown."""

    name: str
    pixels: pyvips.Image
    is_shown: bool = True


def write_openraster(path: Path, layers: Sequence[Layer], merged: pyvips.Image) -> None:
    """Write layers, from top to bottom, all of one size; ``merged``: how they look together.

    That may be one of the layers, and is packed once then. Raises OSError, pyvips.Error.
    """
    width, height = merged.width, merged.height
    together = _png(merged)
    image = ET.Element("image", version="0.0.6", w=str(width), h=str(height))
    stack = ET.SubElement(image, "stack")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("mimetype", _KIND)
        for number, layer in enumerate(layers):
            source = f"data/layer{number}.png"
            file.writestr(source, together if layer.pixels is merged else _png(layer.pixels))
            shown = "visible" if layer.is_shown else "hidden"
            ET.SubElement(
                stack, "layer", name=layer.name, src=source, x="0", y="0", visibility=shown
            )
        file.writestr("mergedimage.png", together)
        small = merged.thumbnail_image(_THUMBNAIL, size="down")
        file.writestr("Thumbnails/thumbnail.png", _png(small.colourspace("srgb").cast("uchar")))
        file.writestr("stack.xml", ET.tostring(image, "utf-8", xml_declaration=True))


def _png(image: pyvips.Image) -> bytes:
    content: bytes = image.write_to_buffer(".png", compression=4, filter="sub")
    return content
