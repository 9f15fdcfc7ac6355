"""Inside GIMP: images with something in them that must not matter."""

import struct
from collections.abc import Callable
from typing import Any

from bridge.process import BridgeProcess
from gi.repository import Gegl, Gimp
from pictures import RGB, make
from rows import HEIGHT, WIDTH, Kind
from work import Check, Work, stand


def check_accepted(gray: bytes) -> Check:
    """For `run`: an 8-bit image with something in it that must not matter."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        sizes = {"one pixel": (1, 1), "one row": (60, 1), "one column": (1, 60)}
        width, height = sizes.get(row, (WIDTH, HEIGHT))
        floats = row in ("not a number", "brighter than white")
        kind = Kind("RGB", "FLOAT_LINEAR") if floats else RGB
        image = make(kind, gray[: width * height], width, height)
        photo = image.get_layers()[0]
        _SCENES.get(row, _nothing)(image, photo)
        result = stand(Work(bridge, image, photo), paint_labels=row not in sizes)
        image.delete()
        return result

    return check


def _nothing(image: Gimp.Image, photo: Gimp.Layer) -> None:
    pass


def _alpha(image: Gimp.Image, photo: Gimp.Layer) -> None:
    photo.add_alpha()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 15, HEIGHT)
    photo.edit_clear()
    Gimp.Selection.none(image)


def _mask(image: Gimp.Image, photo: Gimp.Layer) -> None:
    mask = photo.create_mask(Gimp.AddMaskType.BLACK)
    photo.add_mask(mask)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 80, 55)
    mask.fill(Gimp.FillType.WHITE)
    photo.set_edit_mask(True)
    Gimp.Selection.none(image)


def _small(image: Gimp.Image, photo: Gimp.Layer) -> None:
    image.resize(3 * WIDTH, 2 * HEIGHT, 50, 40)


def _large(image: Gimp.Image, photo: Gimp.Layer) -> None:
    image.resize(WIDTH // 2, HEIGHT // 2, -25, -20)


def into_group(image: Gimp.Image, photo: Gimp.Layer, depth: int = 1) -> Gimp.GroupLayer:
    """Put the photo into groups; returns the innermost."""
    group = None
    for _ in range(depth):
        outer, group = group, Gimp.GroupLayer.new(image, "Group")
        image.insert_layer(group, outer, 0)
    image.reorder_item(photo, group, 0)
    photo.set_offsets(7, -5)
    return group


def _hidden(image: Gimp.Image, photo: Gimp.Layer) -> None:
    photo.set_visible(False)


def _neighbours(image: Gimp.Image, photo: Gimp.Layer) -> None:
    """Other layers, of which the upper one hides nothing."""
    for position, opacity in ((0, 0.0), (2, 100.0)):
        kind = Gimp.ImageType.RGBA_IMAGE
        other = Gimp.Layer.new(image, "Other", 30, 30, kind, opacity, Gimp.LayerMode.NORMAL)
        image.insert_layer(other, None, position)
        other.fill(Gimp.FillType.WHITE)


def _select(*rectangle: int, feather: int = 0) -> Callable[[Gimp.Image, Gimp.Layer], None]:
    def scene(image: Gimp.Image, photo: Gimp.Layer) -> None:
        image.select_ellipse(Gimp.ChannelOps.REPLACE, *rectangle)
        if feather:
            Gimp.Selection.feather(image, feather)

    return scene


def _selected_elsewhere(image: Gimp.Image, photo: Gimp.Layer) -> None:
    image.resize(2 * WIDTH, HEIGHT, 0, 0)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, WIDTH + 10, 10, 40, 40)


def _channels(image: Gimp.Image, photo: Gimp.Layer) -> None:
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 5, 20, 20)
    Gimp.Selection.save(image)
    Gimp.Selection.none(image)


def _no_green(image: Gimp.Image, photo: Gimp.Layer) -> None:
    image.set_component_active(Gimp.ChannelType.GREEN, False)


def _blurred(image: Gimp.Image, photo: Gimp.Layer) -> None:
    """A filter that only changes what is shown."""
    effect = Gimp.DrawableFilter.new(photo, "gegl:gaussian-blur", "Blur")
    photo.append_filter(effect)


def _floats(*values: float) -> Callable[[Gimp.Image, Gimp.Layer], None]:
    """A few pixels with these values in red, green and blue."""

    def scene(image: Gimp.Image, photo: Gimp.Layer) -> None:
        buffer = photo.get_buffer()
        for index, value in enumerate(values):
            area = Gegl.Rectangle.new(2 * index, 3, 2, 2)
            buffer.set(area, "RGB float", struct.pack("3f", value, value, value) * 4)
        buffer.flush()

    return scene


_SCENES: dict[str, Callable[[Gimp.Image, Gimp.Layer], Any]] = {
    "alpha": _alpha,
    "layer mask": _mask,
    "small with offset": _small,
    "larger than the canvas": _large,
    "in a group": lambda image, photo: into_group(image, photo) and None,
    "in a group in a group": lambda image, photo: into_group(image, photo, 2) and None,
    "hidden": _hidden,
    "in a hidden group": lambda image, photo: into_group(image, photo).set_visible(False),
    "content locked": lambda _, photo: photo.set_lock_content(True),
    "position locked": lambda _, photo: photo.set_lock_position(True),
    "alpha locked": lambda _, photo: photo.set_lock_alpha(True),
    "in a group of locked position": lambda i, photo: into_group(i, photo).set_lock_position(True),
    "other layers around": _neighbours,
    "selection": _select(20, 20, 40, 30),
    "feathered selection": _select(20, 20, 40, 30, feather=10),
    "selection partly outside": _select(-20, -20, 60, 50, feather=5),
    "selection elsewhere": _selected_elsewhere,
    "saved channels": _channels,
    "switched off channels": _no_green,
    "half transparent photo": lambda _, photo: photo.set_opacity(50),
    "filtered": _blurred,
    "not a number": _floats(float("nan"), float("inf"), float("-inf")),
    "brighter than white": _floats(1.5, 40.0, -0.5),
    "no undo": lambda image, _: image.undo_disable() and None,
}
