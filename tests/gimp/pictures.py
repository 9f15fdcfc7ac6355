"""Inside GIMP: makes every kind of image."""

import struct
from typing import Any

from gi.repository import Gegl, Gimp
from inside import load
from rows import HEIGHT, WIDTH, Kind

RGB = Kind("RGB", "U8_NON_LINEAR")

_MODES = {
    "RGB": (Gimp.ImageBaseType.RGB, Gimp.ImageType.RGB_IMAGE, "R'G'B' u8"),
    "GRAY": (Gimp.ImageBaseType.GRAY, Gimp.ImageType.GRAY_IMAGE, "Y' u8"),
}

_RGB_PROFILES = {  # X, Y, Z of red, green and blue, for D50; and the gamma
    "AdobeRGB": (0.610, 0.311, 0.019, 0.205, 0.626, 0.061, 0.149, 0.063, 0.745, 2.2),
    "ProPhoto": (0.798, 0.288, 0.000, 0.135, 0.712, 0.000, 0.031, 0.000, 0.825, 1.8),
    "AppleRGB": (0.475, 0.255, 0.018, 0.340, 0.673, 0.113, 0.149, 0.072, 0.693, 1.8),
    "linear sRGB": (0.436, 0.222, 0.014, 0.385, 0.717, 0.097, 0.143, 0.061, 0.714, 1.0),
    "small": (0.400, 0.250, 0.050, 0.350, 0.600, 0.150, 0.214, 0.150, 0.625, 2.2),
}

_GRAYS = {"gray 2.2": 2.2, "gray 1.8": 1.8, "gray linear": 1}

_D50 = (0.9642, 1.0, 0.8249)


def profile(name: str) -> Gimp.ColorProfile:
    """A colour profile, made here."""
    if name in _GRAYS:
        return _icc(b"GRAY", _GRAYS[name], {b"kTRC": ()})
    *primaries, gamma = _RGB_PROFILES[name]
    tags = {b"rXYZ": primaries[:3], b"gXYZ": primaries[3:6], b"bXYZ": primaries[6:]}
    return _icc(b"RGB ", gamma, {**tags, b"rTRC": (), b"gTRC": (), b"bTRC": ()})


def _icc(space: bytes, gamma: float, tags: dict[bytes, Any]) -> Gimp.ColorProfile:
    """An ICC profile of version 2: three numbers are a colour, none is the transfer curve."""
    exponent = struct.pack(">IHH", 1, round(gamma * 256), 0)  # no exponent: linear
    curve = b"curv\0\0\0\0" + (bytes(4) if gamma == 1 else exponent)
    body = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": _xyz(_D50),
        **{name: _xyz(values) if values else curve for name, values in tags.items()},
    }
    table, data, start = struct.pack(">I", len(body)), b"", 128 + 4 + 12 * len(body)
    for name, value in body.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(
        ">II4s4s4s4s12s4s28s12s48s", start + len(data), 0, b"\x02\x40\0\0", b"mntr", space, b"XYZ ",
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp", bytes(28), _xyz(_D50)[8:], bytes(48),
    )  # fmt: skip
    return Gimp.ColorProfile.new_from_icc_profile(head + table + data)


def _xyz(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def make(kind: Kind, gray: bytes, width: int = WIDTH, height: int = HEIGHT) -> Gimp.Image:
    """An image of this kind that shows a gray picture (`Y' u8`) in its only layer."""
    base, layer_type, pixel_format = _MODES["RGB" if kind.mode == "INDEXED" else kind.mode]
    precision = getattr(Gimp.Precision, kind.precision)
    image = Gimp.Image.new_with_precision(width, height, base, precision)
    if kind.profile:
        assert image.set_color_profile(profile(kind.profile))
    layer = Gimp.Layer.new(image, "Photo", width, height, layer_type, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    channels = 3 if pixel_format.startswith("R") else 1
    data = b"".join(bytes([level]) * channels for level in gray)
    put(layer, data, pixel_format)
    if kind.mode == "INDEXED":
        image.convert_indexed(
            Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 255, False, False, ""
        )
    return image


def put(layer: Gimp.Layer, data: bytes, pixel_format: str) -> None:
    """Write all pixels of a layer."""
    buffer = layer.get_buffer()
    area = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    buffer.set(area, pixel_format, data)
    buffer.flush()
    layer.update(0, 0, area.width, area.height)


def gray_picture(path: str, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A photo, small, as `Y' u8`."""
    image = load(path)
    image.scale(width, height)
    layer = image.get_layers()[0]
    area = Gegl.Rectangle.new(0, 0, width, height)
    data = layer.get_buffer().get(area, 1.0, "Y' u8", Gegl.AbyssPolicy.NONE)
    image.delete()
    return data
