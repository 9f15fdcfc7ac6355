"""One photo with a panel open: what the user does there and on the label layer, and what follows.

Everything here runs in the main thread, except the jobs: functions that are given to `Background`.
"""

import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import actions
import classes
import layers
import one_panel
import preferences
from background import Background, Status
from bridge_client import BridgeError, RefusedError, sentence
from classes import LabelClass
from exchange import Exchange, InGimp
from gi.repository import Gegl, Gimp, GLib
from layers import LayerError
from live import Live, Thumbnail, Tiles, Watch
from panel import Panel
from preferences import Preferences
from regions import beside
from shared.geometry import NOWHERE, Rectangle
from shared.timings import timed
from translation import tr

_THUMBNAIL = 256  # pixels, the longer side
_SNAP_MARGIN = 32  # pixels; how far outside of its rectangle a stroke may grow

_ROLES = (layers.LABELS, layers.COLORIZED)
_PICK_FIRST = tr("Pick a class in the list first.")
_PAINT_FIRST = tr("Paint on the label layer first, then press this.")
_HOW_TO_PICK = tr(
    "That is no class's colour. For Ctrl+click to pick classes from the label layer, switch off "
    "“Sample merged” in the Color Picker's options."
)
_FULL_DETAIL = tr("The worker has memory for the full detail again.")
_BLACK_ERASES = tr("Black means unlabelled. So does what the Eraser leaves.")


def run(image: Gimp.Image, photo: Gimp.Layer) -> None:
    """Open the panel on this photo; returns when it, the image or GIMP is closed.

    If the photo has a panel, that one is brought to the front.

    Raises:
        LayerError: the classes are not installed.
    """
    if one_panel.raise_other(image, photo):
        return
    # The image may be closed between two calls. GIMP's own handler would open a window each time.
    Gimp.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)
    settings = Path(Gimp.directory()) / "plug-in-settings" / "semcolor.json"
    Session(image, photo, actions.read_classes(), settings).run()


class Session:
    """The panel's listener, and the loop that watches the label layer."""

    def __init__(
        self, image: Gimp.Image, photo: Gimp.Layer, entries: list[LabelClass], settings: Path
    ) -> None:
        self._image, self._photo, self._entries = image, photo, entries
        self._settings_file, self._preferences = settings, preferences.load(settings)
        self._whole = layers.whole(photo)
        self._tiles, self._watch = Tiles(self._whole), Watch(self._whole)
        self._live, self._is_live = Live(self._whole), False
        self._last_edit: Rectangle | None = None
        self._edit_so_far = NOWHERE
        self._seen: Thumbnail | None = None  # of the labels as they were read
        self._colors_stamp: bytes | None = None
        self._classified = b""  # the thumbnail whose classes are shown
        self._wanted: Callable[[], None] | None = None  # what a button asks for; the newest wins
        self._was_ambiguous, self._lowered = False, 0  # as the user was told after a stroke
        self._foreground = ""
        self._shares: dict[int, float] = {}
        self._loop = GLib.MainLoop()
        name = image.get_name().removesuffix(" (imported)").strip("[]")
        self._panel = Panel(f"Semantic Color: {name}", entries, self, self._preferences.window)
        one_panel.be_the_one(image, photo, self._panel.raise_window)
        self._background = Background(self._open_exchange, self._show_progress, self._show_status)

    def run(self) -> None:
        """Serve the user until the panel or the image is closed."""
        self._panel.show_state("starting", "")
        self._panel.show_detail(self._preferences.detail)
        self._panel.show_order({}, self._preferences.recent)
        self._switch_live(self._preferences.live and self._layer(layers.LABELS) is not None)
        self._tick()
        self._loop.run()
        self._background.close()
        self._panel.close()

    # --- What the user does in the panel ---------------------------------------------------------

    def class_chosen(self, class_id: int) -> None:
        """The next stroke paints this class."""
        if not self._is_open():
            return
        entry = self._entries[class_id]
        Gimp.context_set_foreground(Gegl.Color.new(entry.hex))
        label_layer = self._layer(layers.LABELS)
        if label_layer:
            self._image.set_selected_layers([label_layer])
            Gimp.displays_flush()
        self._panel.say(_BLACK_ERASES if class_id == classes.UNLABELLED else "")
        if class_id != classes.UNLABELLED:
            add = partial(classes.newest_first, class_id=class_id)
            self._prefer(lambda own: replace(own, recent=add(own.recent)))
            self._panel.show_order(self._shares, self._preferences.recent)

    def button_pressed(self, name: str) -> None:
        """Do it now, or as soon as the bridge is free."""
        if not self._is_open():
            return
        self._panel.say("")
        self._guarded(
            {
                "add labels": lambda: self._want(self._add_labels),
                "colorize": lambda: self._want(self._colorize),
                "label selection": self._label_selection,
                "fill region": self._fill_region,
                "snap": lambda: self._want(self._snap),
                "clean": lambda: self._want(self._clean),
                "suggest": lambda: self._want(self._suggest),
            }[name]
        )

    def live_switched(self, on: bool) -> None:
        """Let colour follow the strokes, or not."""
        self._switch_live(on)
        self._prefer(lambda own: replace(own, live=on))

    def detail_chosen(self, detail: int) -> None:
        """The network shall look at the photo at this size from now on."""
        self._prefer(lambda own: replace(own, detail=detail))
        self._live.start_over(self._whole)

    def color_chosen(self, color: str) -> None:
        """Give the selection one of the suggested colours."""
        if self._is_open():
            self._guarded(lambda: actions.choose_color(self._image, self._photo, color))
            Gimp.displays_flush()

    def opacity_chosen(self, role: str, percent: float) -> None:
        """How strong labels or colours are shown."""
        layer = self._layer(role) if self._is_open() else None
        if layer:
            layer.set_opacity(percent)
            Gimp.displays_flush()

    def window_placed(self, place: Rectangle) -> None:
        """The user has moved the window, or changed its size."""
        self._prefer(lambda own: replace(own, window=place))

    def closed(self) -> None:
        """The user has closed the panel."""
        self._loop.quit()

    # --- Watching --------------------------------------------------------------------------------

    @timed("tick")
    def _tick(self) -> bool:
        if self._watch.is_due(time.monotonic(), self._panel.pointer()):
            self._try_to_serve()
            if not self._is_open():
                self._loop.quit()
                return False
        GLib.timeout_add(round(1000 * self._watch.pause(time.monotonic())), self._tick)
        return False  # the next pause is another one

    def _try_to_serve(self) -> None:
        try:
            if self._is_open():
                self._serve()
        except Exception as error:
            if self._is_open():  # otherwise it was closed in the middle of this
                traceback.print_exc()
                self._panel.say(_text_of(error))

    def _serve(self) -> None:
        if layers.whole(self._photo) != self._whole:  # scaled or cropped
            self._start_over()
        self._look()
        self._start_next_job()
        if not self._background.busy:  # colour comes first
            self._show_classes()

    def _start_over(self) -> None:
        self._whole = layers.whole(self._photo)
        self._tiles, self._watch = Tiles(self._whole), Watch(self._whole)
        self._last_edit = None
        self._live.start_over(self._whole)
        self._background.start_over()

    def _look(self) -> None:
        self._show_foreground()
        found = {role: self._layer(role) for role in _ROLES}
        self._panel.show_layers(
            {role: layer.get_opacity() if layer else None for role, layer in found.items()}
        )
        label_layer = found[layers.LABELS]
        if label_layer:
            self._watch_labels(label_layer)
        colorized = found[layers.COLORIZED]
        if colorized:
            self._watch_colors(colorized)

    def _watch_labels(self, label_layer: Gimp.Layer) -> None:
        now = time.monotonic()
        thumbnail = self._thumbnail(label_layer)
        self._watch.see(now, thumbnail)
        area = self._watch.area_to_read(now)
        if not area:
            return
        with timed("tiles"):
            edit = self._tiles.changed(area, lambda tile: self._read_labels(label_layer, tile))
        if edit:
            self._live.edited(edit)
            self._edit_so_far = edit.join(self._edit_so_far)
        if self._edit_so_far and not self._watch.has_suspicion:
            self._last_edit, self._edit_so_far = self._edit_so_far, NOWHERE
        self._seen = thumbnail

    def _watch_colors(self, colorized: Gimp.Layer) -> None:
        """Undo of Colorize brings back colours of other labels, of which these tell nothing."""
        last, self._colors_stamp = self._colors_stamp, layers.colors_stamp(colorized)
        if last not in (None, self._colors_stamp):
            self._start_over()

    @timed("thumbnail")
    def _thumbnail(self, layer: Gimp.Layer) -> Thumbnail:
        data, width, height, channels = layer.get_thumbnail_data(_THUMBNAIL, _THUMBNAIL)
        place = layers.place_in(self._photo, layer)
        return Thumbnail(data.get_data(), width, height, channels, place)

    def _read_labels(self, layer: Gimp.Layer, area: Rectangle) -> bytes:
        return layers.read_layer(layer, self._photo, area, layers.LABEL_FORMAT)

    def _show_foreground(self) -> None:
        color = layers.hex_of(Gimp.context_get_foreground())
        if color == self._foreground:
            return
        self._foreground = color
        entry = self._current()
        self._panel.show_current(entry, color)
        if not entry and self._paints_labels():
            self._purify_foreground()

    def _purify_foreground(self) -> None:
        """What was picked from the label layer may be a shade of a class."""
        entry = classes.nearly(self._entries, self._foreground)
        if entry:
            message = tr("{color} is nearly {name}, so you paint that.")
            self._panel.say(message.format(color=self._foreground, name=tr(entry.name)))
            Gimp.context_set_foreground(Gegl.Color.new(entry.hex))
        else:
            self._panel.say(_HOW_TO_PICK)

    def _paints_labels(self) -> bool:
        label_layer = self._layer(layers.LABELS)
        return bool(label_layer) and self._image.get_selected_layers() == [label_layer]

    def _show_classes(self) -> None:
        seen = self._seen
        if not seen or seen.pixels == self._classified:
            return
        self._classified = seen.pixels
        shown = layers.shown_in_thumbnail(self._image, classes.opaque(self._entries))
        component = layers.thumbnail_component(self._image)
        channels = seen.channels // struct.calcsize(component)
        shares = classes.present(shown, seen.pixels, component, channels)
        # Shares change with every stroke, but rows that jump about can't be clicked.
        is_new = set(shares) != set(self._shares)
        self._shares = shares
        if is_new:
            self._panel.show_order(shares, self._preferences.recent)
        else:
            self._panel.show_shares(shares)

    def _current(self) -> LabelClass | None:
        return actions.class_of_color(self._image, self._entries, self._foreground)

    # --- Jobs ------------------------------------------------------------------------------------

    def _start_next_job(self) -> None:
        if self._background.busy:
            return
        if self._wanted:
            wanted, self._wanted = self._wanted, None
            self._guarded(wanted)
        elif self._is_live and not self._watch.has_suspicion:
            self._start_live_job()

    def _want(self, action: Callable[[], None]) -> None:
        self._wanted = action
        self._start_next_job()

    def _start_live_job(self) -> None:
        label_layer, colorized = self._layer(layers.LABELS), self._layer(layers.COLORIZED)
        if not (label_layer and colorized):
            self._stop_live(tr("Live is off, because one of its layers is gone."))
            return
        edit = self._live.next_job(time.monotonic())
        if not edit:
            return
        detail = self._preferences.detail

        def job(exchange: Exchange, in_gimp: InGimp) -> tuple[int, int]:
            ambiguous = exchange.send_labels(label_layer, edit)
            exchange.recolor(detail, colorized)
            in_gimp(timed("flush")(Gimp.displays_flush))
            return ambiguous, exchange.lowered

        self._background.submit(job, self._live_job_done)

    def _live_job_done(self, found: tuple[int, int] | None, error: Exception | None) -> None:
        if found:
            self._live.succeeded()
            self._panel.show_state("ready", "")
            self._say_after_stroke(*found)
            if self._is_open():  # the user may have painted on
                self._start_next_job()
            return
        pause = self._live.failed(time.monotonic())
        if isinstance(error, BridgeError) and not isinstance(error, RefusedError):
            message = tr("{error} Trying again in {seconds} s.")
            self._panel.show_state("lost", message.format(error=error, seconds=round(pause)))
        elif error:
            self._stop_live(_text_of(error))

    def _add_labels(self) -> None:
        self._do(actions.add_label_layer(self._image, self._photo, self._preferences.detail))

    def _colorize(self) -> None:
        self._do(actions.colorize(self._image, self._photo, self._preferences.detail))

    def _snap(self) -> None:
        area, unsent = self._area_of_interest(), self._live.unsent
        self._do(actions.snap(self._image, self._photo, self._picked(), area, unsent))

    def _clean(self) -> None:
        self._do(actions.clean(self._image, self._photo, self._live.unsent))

    def _suggest(self) -> None:
        detail, unsent = self._preferences.detail, self._live.unsent
        self._do(actions.suggest(self._image, self._photo, detail, unsent), self._show_suggestions)

    def _show_suggestions(self, outcome: actions.Outcome) -> None:
        colors = list(zip(outcome.values["colors"], outcome.values["shares"], strict=True))
        self._panel.show_suggestions(colors)
        self._panel.say(tr("Click a colour to give it to the selection.") if colors else "")

    def _say_outcome(self, outcome: actions.Outcome) -> None:
        self._say_notes(outcome.notes)

    def _do(
        self, action: actions.Action[Any], show: Callable[[actions.Outcome], None] | None = None
    ) -> None:
        """Let the bridge do its part, and then do the rest."""
        show = show or self._say_outcome
        self._submit(
            lambda exchange, _: action.ask(exchange), lambda answer: show(action.apply(answer))
        )

    def _submit(self, job: Callable[[Exchange, InGimp], Any], use: Callable[[Any], None]) -> None:
        """Do a job; then use its result, or say what went wrong."""

        def done(result: Any, error: Exception | None) -> None:
            if not self._is_open():
                return
            if error:
                self._live.start_over(self._whole)
                self._panel.say(_text_of(error))
                return
            self._panel.show_state("ready", "")
            self._guarded(lambda: use(result))
            Gimp.displays_flush()

        self._background.submit(job, done)

    # --- Edits that need no worker ---------------------------------------------------------------

    def _label_selection(self) -> None:
        actions.label_selection(self._image, self._photo, self._picked())
        Gimp.displays_flush()

    def _fill_region(self) -> None:
        """The region around the last stroke becomes what the stroke is."""
        label_layer, entry = actions.find_label_layer(self._image, self._photo), self._picked()
        if not self._last_edit:
            raise LayerError(_PAINT_FIRST)
        area = self._last_edit.grow(1).clip(self._whole)
        pixels = self._read_labels(label_layer, area)
        stored = actions.stored_colors(self._image, self._entries)
        painted = stored[4 * entry.id :][:4] if entry.id else bytes(4)
        seed = beside(pixels, area, painted)
        if not seed:
            raise LayerError(
                tr("Paint a dab of this class into the region first, then press this.")
            )
        actions.fill_region(self._image, self._photo, entry, *seed)
        Gimp.displays_flush()

    # --- Small things ----------------------------------------------------------------------------

    def _stop_live(self, reason: str) -> None:
        self._switch_live(False)
        self._panel.say(reason)

    def _switch_live(self, on: bool) -> None:
        self._is_live = on
        self._panel.show_live(on)
        if not on:
            return
        self._start_over()  # the photo may have been retouched meanwhile
        if not (self._layer(layers.LABELS) and self._layer(layers.COLORIZED)):
            self._want(self._colorize)

    def _area_of_interest(self) -> Rectangle:
        """The selection's bounds, or where the user painted last."""
        selected = layers.selection_in(self._photo, self._image)
        if selected:
            return selected.clip(self._whole)
        if not self._last_edit:
            raise LayerError(_PAINT_FIRST)
        return self._last_edit.grow(_SNAP_MARGIN).clip(self._whole)

    def _picked(self) -> LabelClass:
        entry = self._current()
        if not entry:
            raise LayerError(_PICK_FIRST)
        return entry

    def _layer(self, role: str) -> Gimp.Layer | None:
        return layers.find_layer(self._image, self._photo, role)

    def _is_open(self) -> bool:
        return bool(self._image.is_valid() and self._photo.is_valid())

    def _open_exchange(self, bridge: Any, in_gimp: InGimp) -> Exchange:
        def while_open(call: Callable[[], Any]) -> Any:
            def checked() -> Any:
                if not self._is_open():
                    raise LayerError(tr("The image was closed."))
                return call()

            return in_gimp(checked)

        return Exchange(bridge, self._image, self._photo, while_open)

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except LayerError as error:
            self._panel.say(str(error))

    def _show_progress(self, _fraction: float, text: str) -> None:
        self._panel.show_state("busy", sentence(text))

    def _show_status(self, status: Status) -> None:
        if not self._background.busy:
            self._panel.show_state(status["state"], sentence(status["sentence"]))

    def _say_after_stroke(self, ambiguous: int, lowered: int) -> None:
        """Without news, what a button has said stays until the user does something."""
        notes = actions.ambiguous_note(ambiguous, self._whole)
        if lowered != self._lowered:
            notes += actions.lowered_note(lowered) or [_FULL_DETAIL]
        if notes or self._was_ambiguous:
            self._say_notes(notes)
        self._was_ambiguous, self._lowered = bool(ambiguous), lowered

    def _say_notes(self, notes: list[str]) -> None:
        self._panel.say(" ".join(notes))

    def _prefer(self, edit: Callable[[Preferences], Preferences]) -> None:
        """Change this panel's preferences, and what is saved, which other panels change too."""
        self._preferences = edit(self._preferences)
        preferences.change(self._settings_file, edit)


def _text_of(error: Exception) -> str:
    if isinstance(error, (LayerError, BridgeError)):
        return str(error)
    return actions.our_mistake(error)
