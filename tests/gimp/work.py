"""Inside GIMP: the plug-in's own modules at work on an image.

The modules are called directly, with one bridge for all, which is quicker than a procedure each.
GIMP must have been started with BABL_LUT=0, which the plug-in sets for itself.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actions import coloring, edits
from actions.action import Action
from bridge.exchange import Exchange
from bridge.process import BridgeProcess
from gi.repository import Gegl, Gimp
from images import fills
from images.photo import Photo
from images.roles import COLORIZED, LABELS, find_layer, find_photo
from inside import load, paint, pixels, structure, to_array
from live.tiles import Edit
from pictures import make
from rows import KINDS, PAINTED
from shared.classes import LabelClass, all_classes
from shared.geometry import Rectangle

DETAIL = 96

Check = Callable[[BridgeProcess, str], Any]


def run(result: dict[str, Any], rows: list[str], check: Check) -> None:
    """Do a check for each row of a table; what it raises is the row's result."""
    with BridgeProcess(lambda *_: None) as bridge:
        for row in rows:
            try:
                result[row] = check(bridge, row)
            except Exception:
                result[row] = {"raised": traceback.format_exc()}


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

    def clean(self) -> None:
        """As Clean Labels does."""
        self._do(edits.clean(find_photo(self.image, [self.photo])))

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
        "user before": user_state(image),
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
    result["user after"] = user_state(image)
    result["photo after"] = pixels(photo, "RGBA float")
    return result


def user_state(image: Gimp.Image) -> dict[str, Any]:
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
