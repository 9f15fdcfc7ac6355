"""Tables of what the plug-in must cope with: plain data, for the tests and for GIMP's Python."""

from typing import NamedTuple

WIDTH, HEIGHT = 96, 72
PAINTED = (20, 16, 60, 44)  # x, y, width, height: where a class is painted into the photo
COMPONENTS = ("U8", "U16", "U32", "HALF", "FLOAT", "DOUBLE")
CURVES = ("LINEAR", "NON_LINEAR", "PERCEPTUAL")


class Kind(NamedTuple):
    """A kind of image."""

    mode: str  # "RGB", "GRAY" or "INDEXED"
    precision: str  # a name of Gimp.Precision
    profile: str = ""  # a name in `pictures`; "" is GIMP's own


def _kinds() -> dict[str, Kind]:
    kinds = [Kind("RGB", f"{component}_{curve}") for component in COMPONENTS for curve in CURVES]
    kinds += [Kind("RGB", f"{component}_NON_LINEAR", "AdobeRGB") for component in COMPONENTS]
    kinds += [Kind("RGB", "U8_LINEAR", "AdobeRGB"), Kind("RGB", "FLOAT_LINEAR", "AdobeRGB")]
    kinds += [Kind("RGB", f"{component}_NON_LINEAR", "ProPhoto") for component in ("U8", "U16")]
    kinds += [Kind("RGB", "U8_LINEAR", "ProPhoto"), Kind("RGB", "U8_PERCEPTUAL", "AdobeRGB")]
    kinds += [Kind("RGB", "U8_NON_LINEAR", "AppleRGB"), Kind("RGB", "U16_LINEAR", "linear sRGB")]
    kinds += [Kind("GRAY", f"{component}_NON_LINEAR") for component in COMPONENTS]
    kinds += [Kind("GRAY", "U8_LINEAR"), Kind("GRAY", "FLOAT_LINEAR")]
    kinds += [Kind("GRAY", f"{component}_NON_LINEAR", "gray 2.2") for component in ("U8", "U16")]
    kinds += [
        Kind("GRAY", "U16_NON_LINEAR", "gray linear"),
        Kind("GRAY", "FLOAT_LINEAR", "gray 1.8"),
    ]
    kinds += [Kind("INDEXED", "U8_NON_LINEAR")]
    return {" ".join(filter(None, kind)): kind for kind in kinds}


KINDS = _kinds()

# What is in the image, and the functions in `accepted` that make it.
ACCEPTED = (
    "alpha", "layer mask", "small with offset", "larger than the canvas", "in a group",
    "in a group in a group", "hidden", "in a hidden group", "content locked", "position locked",
    "alpha locked", "in a group of locked position", "other layers around",
    "selection", "feathered selection", "selection partly outside", "selection elsewhere",
    "saved channels", "switched off channels", "half transparent photo", "filtered", "one pixel",
    "one row", "one column", "not a number", "brighter than white", "no undo",
)  # fmt: skip
REFUSED = {  # what is said
    "nothing selected": "Select one layer",
    "two layers": "Select one layer",
    "mask": "not a mask",
    "channel": "not a mask",
    "selection mask": "not a mask",
    "group": "can't be coloured",
    "text": "can't be coloured",
    "vector": "can't be coloured",
    "link": "can't be coloured",
    "floating selection": "Anchor the floating selection",
    "photo deleted": "photo is gone",
    "colorized layer locked": "Unlock its pixels",
    "colorized layer in a locked group": "Unlock its pixels",
    "in a locked group": "Unlock its pixels",
    "small profile": "Convert the image to sRGB",
    "labels made gray": "left RGB mode",
    "labels made indexed": "left RGB mode",
    "labels of another profile": "no class",
}
SELECTIONS = (
    "selection", "feathered selection", "selection partly outside", "selection elsewhere",
)  # fmt: skip
ONLY_3_2 = ("vector", "link")

SOFT_KINDS = (
    "RGB U8_NON_LINEAR", "RGB U8_LINEAR", "RGB U8_NON_LINEAR AdobeRGB", "RGB U8_LINEAR AdobeRGB",
    "RGB U16_NON_LINEAR AdobeRGB", "RGB U8_NON_LINEAR AppleRGB", "RGB HALF_NON_LINEAR",
    "RGB FLOAT_LINEAR",
)  # fmt: skip
WAYS = (  # functions in `soft` that make in-between colours
    "soft brush", "large soft brush", "halved", "enlarged", "enlarged smoothly", "rotated",
    "perspective", "image scaled",
)  # fmt: skip
SOFT = {f"{way}, {kind}": (way, kind) for way in WAYS for kind in SOFT_KINDS}
STROKES = ("aeroplane", "bicycle", "sky")  # two halves, and what is painted over their border
