"""Inside GIMP: makes every kind of image, and lets the plug-in's own modules work on it.

The modules are called directly, with one bridge for all, which is quicker than a procedure each.
GIMP must have been started with BABL_LUT=0, which the plug-in sets for itself.
"""

import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gi.repository import Gegl, Gimp, Gio
from inside import content, load, paint, pixels, save, structure, to_array
from rows import HEIGHT, KINDS, PAINTED, SOFT, STROKES, WIDTH, Kind

sys.path.insert(0, f"{Gimp.directory()}/plug-ins/semcolor")
from actions import coloring
from actions.action import Action
from bridge.exchange import Exchange
from bridge.process import BridgeProcess
from images import fills, layers
from images.label_colors import LabelColors
from images.photo import Photo
from images.roles import COLORIZED, LABELS, find_layer, find_photo
from language import UserError, error_text
from live.tiles import Edit
from shared.bridge_schema import LABEL_FORMAT
from shared.classes import LabelClass, all_classes
from shared.errors import SemcolorError
from shared.geometry import Rectangle

DETAIL = 96
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


Check = Callable[[BridgeProcess, str], Any]


def run(result: dict[str, Any], rows: list[str], check: Check) -> None:
    """Do a check for each row of a table; what it raises is the row's result."""
    with BridgeProcess(lambda *_: None) as bridge:
        for row in rows:
            try:
                result[row] = check(bridge, row)
            except Exception:
                result[row] = {"raised": traceback.format_exc()}


# --- Making images -------------------------------------------------------------------------------


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


# --- What every accepted image must stand --------------------------------------------------------


class Work:
    """One photo in the hands of the plug-in's modules."""

    def __init__(self, bridge: BridgeProcess, image: Gimp.Image, photo: Gimp.Layer) -> None:
        self.bridge, self.image, self.photo = bridge, image, photo
        self.exchange = Exchange(bridge, Photo(image, photo))

    def layer(self, role: str) -> Gimp.Layer | None:
        return find_layer(Photo(self.image, self.photo), role)

    def add_labels(self) -> None:
        self._do(coloring.add_label_layer(find_photo(self.image, [self.photo]), DETAIL))

    def colorize(self) -> list[str]:
        """As Colorize does; returns what the user is told."""
        photo = find_photo(self.image, [self.photo])
        return self._do(coloring.colorize(photo, DETAIL, show_labels=False))

    def _do(self, action: Action[Any]) -> list[str]:
        return action.apply(action.ask(self.exchange)).notes

    def edit(self, area: Rectangle) -> None:
        """As live colouring does after a stroke in this rectangle."""
        labels, colorized = self.layer(LABELS), self.layer(COLORIZED)
        self.exchange.stroke(labels, Edit(area), DETAIL, colorized)

    def labels(self) -> dict[str, Any]:
        """The label map that the bridge has, in palette colours."""
        whole = Photo(self.image, self.photo).whole
        _, rows = self.bridge.request("label_rows", first_row=0, rows=whole.height)
        return to_array(rows, [whole.height, whole.width, 4], "uint8")

    def shown(self) -> dict[str, Any]:
        """What is seen where the photo is, without the labels, as CIE Lab."""
        self.layer(LABELS).set_visible(False)
        seen = Gimp.Layer.new_from_visible(self.image, self.image, "seen")
        _, x, y = self.photo.get_offsets()
        return pixels(seen, "CIE Lab float", Photo(self.image, self.photo).whole._replace(x=x, y=y))


def named(name: str) -> LabelClass:
    """A class."""
    return next(entry for entry in all_classes() if entry.name == name)


def stand(work: Work, paint_labels: bool = True) -> dict[str, Any]:
    """Label, colour, paint a class, colour, edit live: what there is after each step."""
    image, photo = work.image, work.photo
    result: dict[str, Any] = {
        "photo before": pixels(photo, "RGBA float"),
        "lab": pixels(photo, "CIE Lab float"),
        "user before": _user_state(image),
        "canvas": [*photo.get_offsets()[1:], image.get_width(), image.get_height()],
    }
    work.add_labels()
    result["predicted"] = work.labels()
    result["notes"] = work.colorize()
    result["read back"] = work.labels()
    result["shown"] = work.shown()
    labels, colorized = work.layer(LABELS), work.layer(COLORIZED)
    if paint_labels:
        grass = named("grass")
        sky = named("sky")
        left, top, width, height = PAINTED
        x, y = photo.get_offsets()[1:]
        painted = (left + x, top + y, width, height)  # strokes are in the image's pixels
        paint(labels, grass.hex, *painted)
        result["notes again"] = work.colorize()
        result["painted"] = work.labels()
        result["label layer"] = pixels(labels, "R'G'B'A u8")
        result["shown again"] = work.shown()
        paint(labels, sky.hex, *painted)
        work.edit(Rectangle(*PAINTED))
        result["live"] = work.labels()
        result["shown live"] = work.shown()
    result["places"] = {
        name: [list(layer.get_offsets())[1:], layer.get_width(), layer.get_height()]
        for name, layer in (("photo", photo), ("labels", labels), ("colorized", colorized))
    }
    siblings = photo.get_parent().get_children() if photo.get_parent() else image.get_layers()
    order = [layer.get_name() for layer in siblings]
    result["order"] = order[order.index("Labels") : order.index("Photo") + 1]
    result["lch color"] = colorized.get_mode() == Gimp.LayerMode.LCH_COLOR
    result["user after"] = _user_state(image)
    result["photo after"] = pixels(photo, "RGBA float")
    return result


def _user_state(image: Gimp.Image) -> dict[str, Any]:
    """What the user has set and must find again."""
    state = structure(image)
    mask = image.get_selection()
    area = Gegl.Rectangle.new(0, 0, mask.get_width(), mask.get_height())
    selected = mask.get_buffer().get(area, 1.0, "Y float", Gegl.AbyssPolicy.NONE)
    return {
        "selection": hash(bytes(selected)),
        "channels": state["channels"],
        "foreground": state["foreground"],
    }


def check_kind(gray: bytes) -> Check:
    """For `run`: an image of each kind."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        image = make(KINDS[row], gray)
        result = stand(Work(bridge, image, image.get_layers()[0]))
        image.delete()
        return result

    return check


# --- What else may be in an image ----------------------------------------------------------------


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


def _group(image: Gimp.Image, photo: Gimp.Layer, depth: int = 1) -> Gimp.GroupLayer:
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
    "in a group": lambda image, photo: _group(image, photo) and None,
    "in a group in a group": lambda image, photo: _group(image, photo, 2) and None,
    "hidden": _hidden,
    "in a hidden group": lambda image, photo: _group(image, photo).set_visible(False),
    "content locked": lambda _, photo: photo.set_lock_content(True),
    "position locked": lambda _, photo: photo.set_lock_position(True),
    "alpha locked": lambda _, photo: photo.set_lock_alpha(True),
    "in a group of locked position": lambda i, photo: _group(i, photo).set_lock_position(True),
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


# --- What is refused -----------------------------------------------------------------------------


def check_refused(gray: bytes) -> Check:
    """For `run`: asks to colour what can't be coloured."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        image = make(RGB, gray)
        photo = image.get_layers()[0]
        drawables = _REFUSED[row](Work(bridge, image, photo))
        image.clean_all()
        before = _everything(image)
        result = {"message": "", "before": before}
        try:
            photo = find_photo(image, drawables)
            coloring.colorize(photo, DETAIL).run(photo, lambda *_: None)
        except (UserError, SemcolorError) as error:
            result["message"] = error_text(error)
        result["after"], result["changed"] = _everything(image), image.is_dirty()
        image.delete()
        return result

    return check


def _everything(image: Gimp.Image) -> dict[str, Any]:
    layers_of = image.get_layers()
    digests = [hash(content(layer, "RGBA float")) for layer in layers_of if not layer.is_group()]
    return {**structure(image), "user": _user_state(image), "digests": digests}


def _two(work: Work) -> list[Gimp.Drawable]:
    work.image.insert_layer(work.photo.copy(), None, 0)
    return work.image.get_layers()


def _photo_mask(work: Work) -> list[Gimp.Drawable]:
    mask = work.photo.create_mask(Gimp.AddMaskType.WHITE)
    work.photo.add_mask(mask)
    return [mask]


def _channel(work: Work) -> list[Gimp.Drawable]:
    channel = Gimp.Channel.new(work.image, "Channel", WIDTH, HEIGHT, 50, Gegl.Color.new("red"))
    work.image.insert_channel(channel, None, 0)
    return [channel]


def _special(make_layer: Callable[[Gimp.Image], Gimp.Layer]) -> Callable[[Work], list]:
    def scene(work: Work) -> list[Gimp.Drawable]:
        layer = make_layer(work.image)
        work.image.insert_layer(layer, None, 0)
        return [layer]

    return scene


def _text(image: Gimp.Image) -> Gimp.Layer:
    return Gimp.TextLayer.new(image, "Text", Gimp.fonts_get_list("")[0], 20, Gimp.Unit.pixel())


def _vector(image: Gimp.Image) -> Gimp.Layer:
    path = Gimp.Path.new(image, "Path")
    image.insert_path(path, None, 0)
    path.stroke_new_from_points(Gimp.PathStrokeType.BEZIER, [5.0, 5.0] * 3 + [30.0, 30.0] * 3, True)
    return Gimp.VectorLayer.new(image, path)


def _link(image: Gimp.Image) -> Gimp.Layer:
    file = Path.home() / "linked.png"
    copy = image.duplicate()
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, copy, Gio.File.new_for_path(str(file)), None)
    copy.delete()
    return Gimp.LinkLayer.new(image, Gio.File.new_for_path(str(file)))


def _floating(work: Work) -> list[Gimp.Drawable]:
    work.image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 5, 30, 30)
    Gimp.edit_copy([work.photo])
    return [Gimp.edit_paste(work.photo, True)[0]]


def _orphan(work: Work) -> list[Gimp.Drawable]:
    work.colorize()
    labels = work.layer(LABELS)
    work.image.remove_layer(work.photo)
    return [labels]


def _colorized_locked(work: Work) -> list[Gimp.Drawable]:
    work.colorize()
    work.layer(COLORIZED).set_lock_content(True)
    return [work.photo]


def _colorized_in_locked_group(work: Work) -> list[Gimp.Drawable]:
    work.colorize()
    group = Gimp.GroupLayer.new(work.image, "Group")
    work.image.insert_layer(group, None, 0)
    work.image.reorder_item(work.layer(COLORIZED), group, 0)
    group.set_lock_content(True)
    return [work.photo]


def _in_locked_group(work: Work) -> list[Gimp.Drawable]:
    _group(work.image, work.photo).set_lock_content(True)
    return [work.photo]


def _small_profile(work: Work) -> list[Gimp.Drawable]:
    work.image.set_color_profile(profile("small"))
    return [work.photo]


def _then(change: Callable[[Gimp.Image], Any]) -> Callable[[Work], list]:
    """The photo, after the image was changed when it had labels."""

    def scene(work: Work) -> list[Gimp.Drawable]:
        work.add_labels()
        entries = iter(all_classes()[1:])
        for x in range(0, WIDTH, 12):  # labels that change with their colours
            paint(work.layer(LABELS), next(entries).hex, x - 6, -10, 24, HEIGHT + 20)
        change(work.image)
        return [work.photo]

    return scene


def _make_indexed(image: Gimp.Image) -> None:
    kind = Gimp.ConvertPaletteType.GENERATE
    image.convert_indexed(Gimp.ConvertDitherType.NONE, kind, 64, False, False, "")


_REFUSED: dict[str, Callable[[Work], list]] = {
    "nothing selected": lambda _: [],
    "two layers": _two,
    "mask": _photo_mask,
    "channel": _channel,
    "selection mask": lambda work: [work.image.get_selection()],
    "group": _special(lambda image: Gimp.GroupLayer.new(image, "Group")),
    "text": _special(_text),
    "vector": _special(_vector),
    "link": _special(_link),
    "floating selection": _floating,
    "photo deleted": _orphan,
    "colorized layer locked": _colorized_locked,
    "colorized layer in a locked group": _colorized_in_locked_group,
    "in a locked group": _in_locked_group,
    "small profile": _small_profile,
    "labels made gray": _then(lambda image: image.convert_grayscale()),
    "labels made indexed": _then(_make_indexed),
    "labels of another profile": _then(lambda image: image.set_color_profile(profile("ProPhoto"))),
}


# --- In-between colours --------------------------------------------------------------------------


def check_soft(gray: bytes) -> Check:
    """For `run`: reads a label layer with in-between colours, cleans it, and reads it again."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        way, kind = SOFT[row]
        image = make(KINDS[kind], gray)
        work = Work(bridge, image, image.get_layers()[0])
        labels = _two_halves(work)
        result: dict[str, Any] = {"before": _read(work, labels)}
        _WAYS[way](image, labels, named(STROKES[2]).hex)
        work = Work(bridge, image, work.photo)  # its size may be another
        result["soft"] = _read(work, labels)
        strips = work.exchange.change_labels("clean_labels").strips
        layers.write_labels(Photo(image, work.photo), labels, strips)
        result["clean"] = _read(work, labels)
        stored = LabelColors(image).stored
        result["stored"] = to_array(stored, [len(all_classes()), 4], "uint8")
        image.delete()
        return result

    return check


def _two_halves(work: Work) -> Gimp.Layer:
    """A label layer with two classes side by side, and nothing in its lowest rows."""
    left, right, _ = (bytes((*named(name).rgb, 255)) for name in STROKES)
    row = left * (WIDTH // 2) + right * (WIDTH // 2)
    rows = row * (HEIGHT - 12) + bytes(4 * WIDTH * 12)
    photo = Photo(work.image, work.photo)
    buffer = Gegl.Buffer.new(LABEL_FORMAT, *photo.whole)
    buffer.set(Gegl.Rectangle.new(*photo.whole), LABEL_FORMAT, rows)
    return layers.add_label_layer(photo, buffer)


def _read(work: Work, labels: Gimp.Layer) -> dict[str, Any]:
    ambiguous = work.exchange.send_labels(labels)
    area = Photo(work.image, labels).extent_of(work.photo)  # in the label layer
    colors = pixels(labels, "R'G'B'A u8", area)
    return {"colors": colors, "labels": work.labels(), "ambiguous": ambiguous}


def _brush(size: float) -> Callable[[Gimp.Image, Gimp.Layer, str], None]:
    def way(_: Gimp.Image, labels: Gimp.Layer, color: str) -> None:
        Gimp.context_push()
        Gimp.context_set_defaults()
        Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 050"))
        Gimp.context_set_brush_size(size)
        Gimp.context_set_foreground(Gegl.Color.new(color))
        Gimp.paintbrush_default(labels, [20, 10, 70, 40, 50, 65])
        Gimp.context_pop()

    return way


def _scaled(factor: float, how: Gimp.InterpolationType) -> Callable[..., None]:
    def way(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
        Gimp.context_set_interpolation(how)
        labels.scale(round(WIDTH * factor), round(HEIGHT * factor), True)

    return way


def _rotated(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.CUBIC)
    labels.transform_rotate(0.3, True, 0, 0)


def _perspective(_: Gimp.Image, labels: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.LINEAR)
    labels.transform_perspective(5, 3, WIDTH - 9, 7, -4, HEIGHT + 8, WIDTH + 6, HEIGHT - 5)


def _image_scaled(image: Gimp.Image, _: Gimp.Layer, __: str) -> None:
    Gimp.context_set_interpolation(Gimp.InterpolationType.CUBIC)
    image.scale(round(WIDTH * 1.37), round(HEIGHT * 1.37))


_WAYS: dict[str, Callable[[Gimp.Image, Gimp.Layer, str], None]] = {
    "soft brush": _brush(16),
    "large soft brush": _brush(60),
    "halved": _scaled(0.49, Gimp.InterpolationType.LINEAR),
    "enlarged": _scaled(1.7, Gimp.InterpolationType.LINEAR),
    "enlarged smoothly": _scaled(2.3, Gimp.InterpolationType.NOHALO),
    "rotated": _rotated,
    "perspective": _perspective,
    "image scaled": _image_scaled,
}


# --- Work that survives --------------------------------------------------------------------------


def save_labelled(gray: bytes, folder: str) -> Check:
    """For `run`: saves an image of this kind with its labels and colours."""

    def save_one(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        image = make(KINDS[row], gray)
        work = Work(bridge, image, image.get_layers()[0])
        work.colorize()
        labels = work.layer(LABELS)
        paint(labels, named("sky").hex, *PAINTED)
        work.colorize()
        result = {"labels": work.labels(), "shown": work.shown(), "structure": structure(image)}
        save(image, f"{folder}/{row}.xcf")
        image.delete()
        return result

    return save_one


def open_labelled(folder: str) -> Check:
    """For `run`: opens what `save_labelled` saved, and goes on."""

    def open_one(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        image = load(f"{folder}/{row}.xcf")
        photo = find_photo(image, [image.get_layers()[0]])  # any of ours names it
        work = Work(bridge, image, photo.layer)
        ambiguous = work.exchange.send_labels(work.layer(LABELS))
        result: dict[str, Any] = {"labels": work.labels(), "ambiguous": ambiguous}
        work.colorize()
        result["shown"], result["structure"] = work.shown(), structure(image)
        try:
            coloring.add_label_layer(photo, DETAIL)
        except UserError as error:
            result["add labels"] = str(error)
        grass = named("grass")
        paint(work.layer(LABELS), grass.hex, *PAINTED)
        work.edit(Rectangle(*PAINTED))
        result["painted"] = work.labels()
        image.delete()
        return result

    return open_one


def check_change(gray: bytes) -> Check:
    """For `run`: changes an image that has labels and colours, and colours it again."""

    def check(bridge: BridgeProcess, row: str) -> dict[str, Any]:
        image = make(RGB, gray)
        work = Work(bridge, image, image.get_layers()[0])
        work.colorize()
        paint(
            work.layer(LABELS),
            named("sky").hex,
            *PAINTED,
        )
        work.colorize()
        before = work.labels()
        image, photo = _CHANGES[row](work)
        work = Work(bridge, image, find_photo(image, [photo]).layer)
        count = len(image.get_layers())
        work.colorize()
        return {
            "before": before,
            "labels": work.labels(),
            "shown": work.shown(),
            "size": [work.photo.get_height(), work.photo.get_width()],
            "new layers": len(image.get_layers()) - count,
        }

    return check


Changed = tuple[Gimp.Image, Gimp.Layer]


def _changed(change: Callable[[Gimp.Image], Any]) -> Callable[[Work], Changed]:
    def scene(work: Work) -> Changed:
        change(work.image)
        return work.image, work.photo

    return scene


def _image_duplicated(work: Work) -> Changed:
    copy = work.image.duplicate()
    return copy, copy.get_layers()[-1]


def _duplicated(role: str) -> Callable[[Work], Changed]:
    def scene(work: Work) -> Changed:
        layer = work.layer(role)
        work.image.insert_layer(layer.copy(), None, work.image.get_item_position(layer))
        return work.image, work.photo

    return scene


def _photo_duplicated(work: Work) -> Changed:
    copy = work.photo.copy()
    work.image.insert_layer(copy, None, 0)
    return work.image, copy


def _flattened(work: Work) -> Changed:
    return work.image, work.image.flatten()


def _labels_moved(work: Work) -> Changed:
    work.layer(LABELS).set_offsets(5, 9)
    return work.image, work.photo


def _labels_deleted(work: Work) -> Changed:
    work.image.remove_layer(work.layer(LABELS))
    return work.image, work.photo


def _to_adobe(image: Gimp.Image) -> None:
    intent = Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC
    image.convert_color_profile(profile("AdobeRGB"), intent, True)


_CHANGES: dict[str, Callable[[Work], Changed]] = {
    "image duplicated": _image_duplicated,
    "labels duplicated": _duplicated(LABELS),
    "colours duplicated": _duplicated(COLORIZED),
    "photo duplicated": _photo_duplicated,
    "flattened": _flattened,
    "labels moved": _labels_moved,
    "labels deleted": _labels_deleted,
    "canvas larger": _changed(lambda image: image.resize(2 * WIDTH, 2 * HEIGHT, 30, 20)),
    "canvas smaller": _changed(lambda image: image.resize(50, 40, -10, -10)),
    "cropped": _changed(lambda image: image.crop(60, 40, 20, 10)),
    "scaled": _changed(lambda image: image.scale(2 * WIDTH, 2 * HEIGHT)),
    "turned": _changed(lambda image: image.rotate(Gimp.RotationType.DEGREES90)),
    "mirrored": _changed(lambda image: image.flip(Gimp.OrientationType.HORIZONTAL)),
    "made 16 bits": _changed(lambda image: image.convert_precision(Gimp.Precision.U16_NON_LINEAR)),
    "made linear floats": _changed(
        lambda image: image.convert_precision(Gimp.Precision.FLOAT_LINEAR)
    ),
    "made AdobeRGB": _changed(_to_adobe),
}


def sixty_megapixels(bridge: BridgeProcess, path: str) -> dict[str, Any]:
    """Labels, colours and one live edit for a photo of 60 megapixels, and what memory they took."""
    image = load(path)
    image.convert_grayscale()
    Gimp.context_set_interpolation(Gimp.InterpolationType.LINEAR)
    image.scale(9000, 6667)
    Gegl.config().set_property("tile-cache-size", 128 * 2**20)  # as the plug-in does
    work = Work(bridge, image, image.get_layers()[0])
    work.add_labels()
    work.colorize()
    labels, colorized = work.layer(LABELS), work.layer(COLORIZED)
    area = Rectangle(3000, 2000, 2500, 2500)
    squares = {}
    for name in ("sky", "grass"):
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *area)
        color = named(name).hex
        fills.fill_selection(image, labels, color)
        work.edit(area)
        squares[name] = _square(colorized)
    return {
        **squares,
        "corner": pixels(colorized, "CIE Lab float", (8900, 6567, 100, 100)),
        "plug-in": _peak("self"),
        "bridge": _peak(str(bridge.pid)),
    }


def _square(layer: Gimp.Layer) -> dict[str, Any]:
    return pixels(layer, "CIE Lab float", (4100, 3100, 100, 100))


def _peak(process: str) -> int:
    """The most memory that a process has had, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
