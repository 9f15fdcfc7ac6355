"""Inside GIMP: work that survives saving, and changes of the image."""

from collections.abc import Callable
from typing import Any

from actions import coloring
from bridge.process import BridgeProcess
from gi.repository import Gimp
from images.roles import COLORIZED, LABELS, find_label_layer, find_photo
from inside import load, paint, save, structure
from language import UserError
from pictures import RGB, make, profile
from rows import HEIGHT, KINDS, PAINTED, WIDTH
from shared.geometry import Rectangle
from work import DETAIL, Check, Work, named


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


def _labels_pasted(work: Work) -> Changed:
    """A part of the labels as a layer of its own, painted over; it is on top."""
    labels = work.layer(LABELS)
    work.image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 5, 40, 40)
    Gimp.edit_copy([labels])
    pasted = Gimp.edit_paste(labels, True)[0]
    Gimp.floating_sel_to_layer(pasted)
    copy = work.image.get_selected_layers()[0]
    copy.attach_parasite(labels.get_parasite("semcolor-layer"))  # GIMP 3.2 does that by itself
    Gimp.Selection.none(work.image)
    paint(copy, named("water").hex, 0, 0, 40, 40)
    return work.image, work.photo


def _labels_made_anew_in_a_duplicate(work: Work) -> Changed:
    image = work.image.duplicate()
    photo = find_photo(image, [image.get_layers()[-1]])
    image.remove_layer(find_label_layer(photo))
    again = Work(work.bridge, image, photo.layer)
    again.add_labels()
    return image, photo.layer


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
    "labels pasted": _labels_pasted,
    "labels made anew in a duplicate": _labels_made_anew_in_a_duplicate,
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
