"""Inside GIMP: images that can't be coloured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from accepted import into_group
from actions import coloring
from bridge.process import BridgeProcess
from gi.repository import Gegl, Gimp, Gio
from images.roles import COLORIZED, LABELS, find_photo
from inside import content, paint, structure
from language import UserError, error_text
from pictures import RGB, make, profile
from rows import HEIGHT, WIDTH
from shared.classes import all_classes
from shared.errors import SemcolorError
from work import DETAIL, Check, Work, user_state


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
    return {**structure(image), "user": user_state(image), "digests": digests}


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
    into_group(work.image, work.photo).set_lock_content(True)
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
