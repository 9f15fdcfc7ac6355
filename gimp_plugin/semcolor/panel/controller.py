"""The panel's listener, and the loop that watches the image."""

import time
import traceback
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from gi.repository import Gimp, GLib
from images import view
from images.color_notes import read_notes
from images.label_colors import LabelColors
from images.layers import colors_stamp
from images.painting import find_obstacle
from images.photo import ImageChangedError, Photo
from images.roles import COLORIZED, LABELS, find_layer
from language import error_text
from shared.classes import all_classes
from shared.geometry import Rectangle
from shared.states import WorkerState
from shared.timings import timed
from windows.panel import PanelWindow

from . import one_panel
from .class_picker import ClassPicker
from .commands import Commands
from .jobs import Jobs
from .label_watcher import LabelWatcher
from .lasso import Lasso
from .live_coloring import LiveColoring
from .preferences import Remembered

_OBSTACLE_SECONDS = 0.5  # between two looks for one


def run(photo: Photo) -> None:
    """Open the panel on this photo; returns when it, the image or GIMP is closed.

    If the photo has a panel, that one is brought to the front.
    """
    if one_panel.raise_other(photo):
        return
    # The image may be closed between two calls. GIMP's own handler would open a window each time.
    Gimp.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)
    remembered = Remembered(Path(Gimp.directory()) / "plug-in-settings" / "semcolor.json")
    PanelController(photo, remembered).run()


class PanelController:
    """Hears the user, looks at the image again and again, and hands on."""

    def __init__(self, photo: Photo, remembered: Remembered) -> None:
        self._photo, self._remembered = photo, remembered
        self._colors_stamp: bytes | None = None
        self._loop = GLib.MainLoop()
        self._hidden: list[Gimp.Layer] = []
        self._lasso = Lasso()
        self._outline: ExitStack | None = None
        self._obstacle_at = float("-inf")
        title = f"Semantic Color: {photo.name}"
        window = PanelWindow(title, self, remembered.now.window)
        one_panel.be_the_one(photo, window.to_front)
        colors = LabelColors(photo.image)
        self._window = window
        self._picker = ClassPicker(photo, window, colors, remembered)
        self._jobs = Jobs(photo, window, colors, lambda: self._live.start_over())
        self._live = LiveColoring(
            photo, window, self._jobs, remembered, self._start_next_job,
            lambda: self._picker.painted_class, lambda: self._picker.locked,
            lambda *change: self._watcher.we_change(*change),
        )  # fmt: skip
        self._watcher = LabelWatcher(photo, self._live.edited)
        self._commands = Commands(
            photo, window, self._jobs, self._live, self._picker, self._watcher, remembered
        )

    def run(self) -> None:
        """Serve the user until the panel or the image is closed."""
        remembered = self._remembered.now
        self._window.state.show_state(WorkerState.STARTING, "")
        self._window.settings.show_detail(remembered.detail)
        self._window.state.show_smart(remembered.smart)
        self._switch_live(remembered.live and find_layer(self._photo, LABELS) is not None)
        self._tick()
        self._loop.run()
        self.compare_held(())
        self.outline_held(False)
        self._jobs.close()
        self._window.close()

    # --- What the user does in the panel ---------------------------------------------------------

    def class_chosen(self, class_id: int) -> None:
        """The next stroke paints this class."""
        if self._photo.is_open:
            self._picker.choose(class_id)
            self._to_image()

    def class_locked(self, class_id: int, locked: bool) -> None:
        """Let what is of this class stay that, or no longer."""
        self._picker.locked = self._picker.locked - {class_id} | ({class_id} if locked else set())

    def button_pressed(self, name: str) -> None:
        """Do it now, or as soon as the bridge is free."""
        if self._photo.is_open:
            self._commands.do(name)

    def live_switched(self, on: bool) -> None:
        """Let colour follow the strokes, or not."""
        self._switch_live(on)
        self._remembered.change(lambda own: replace(own, live=on))

    def smart_switched(self, on: bool) -> None:
        """Let strokes label objects, or not."""
        self._remembered.change(lambda own: replace(own, smart=on))

    def change_taken(self, is_taken: bool) -> None:
        """Make the large change that was asked about, or not."""
        if self._photo.is_open:
            self._jobs.guarded(lambda: self._live.answered(is_taken))

    def lasso_switched(self, on: bool) -> None:
        """Let what is selected become the class that is painted at once, or not."""
        if self._photo.is_open:
            self._lasso.switch(on, self._photo.selection)

    def detail_chosen(self, detail: int) -> None:
        """The network shall look at the photo at this size from now on."""
        self._remembered.change(lambda own: replace(own, detail=detail))
        self._live.start_over()

    def color_chosen(self, color: str | None) -> None:
        """Give the object that was asked about a colour, or take it back."""
        if self._photo.is_open:
            self._commands.choose_color(color)

    def strength_chosen(self, role: str, percent: float) -> None:
        """How strong labels or colours are shown."""
        if self._photo.is_open:
            view.set_strength(self._photo, role, percent)
            Gimp.displays_flush()

    def compare_held(self, roles: tuple[str, ...]) -> None:
        """Hide these layers for as long as a button is held; none: show all again."""
        if self._photo.is_open:
            view.show(self._photo, self._hidden)
            self._hidden = view.hide(self._photo, roles)
            Gimp.displays_flush()

    def outline_held(self, held: bool) -> None:
        """Let ants run around the class being painted for as long as a button is held."""
        if not self._photo.is_open:
            return
        if self._outline:
            view.end_outline(self._photo, self._outline)
            self._outline = None
        labels, class_id = find_layer(self._photo, LABELS), self._picker.painted_class
        if held and labels and class_id is not None:
            self._outline = view.outline(self._photo, labels, all_classes()[class_id].hex)
        Gimp.displays_flush()

    def obstacle_removed(self) -> None:
        """Put right what keeps strokes from the label layer."""
        labels = find_layer(self._photo, LABELS) if self._photo.is_open else None
        obstacle = find_obstacle(self._photo, labels) if labels else None
        if obstacle:
            obstacle.remove()
            Gimp.displays_flush()
            self._to_image()

    def window_moved(self, area: Rectangle) -> None:
        """The user has moved the window, or changed its size."""
        self._remembered.change(lambda own: replace(own, window=area))

    def closed(self) -> None:
        """The user has closed the panel."""
        self._loop.quit()

    # --- The loop --------------------------------------------------------------------------------

    @timed("tick")
    def _tick(self) -> bool:
        if self._watcher.is_due(self._window.pointer()):
            self._try_to_serve()
            if not self._photo.is_open:
                self._loop.quit()
                return False
        GLib.timeout_add(round(1000 * self._watcher.pause()), self._tick)
        return False  # the next pause is another one

    def _try_to_serve(self) -> None:
        try:
            if self._photo.is_open:
                self._serve()
        except ImageChangedError:
            pass  # the next look sees what it is now
        except Exception as error:
            if self._photo.is_open:  # otherwise it was closed in the middle of this
                traceback.print_exc()
                self._window.say(error_text(error))

    def _serve(self) -> None:
        if self._photo.whole != self._watcher.whole or self._watcher.has_another_photo():
            self._start_over()  # scaled, cropped, mirrored, retouched
        self._picker.show_foreground()
        self._look()
        if self._lasso.is_closed(self._photo.selection, self._window.pointer().is_down):
            self._commands.label_lasso()
        self._start_next_job()
        if self._watcher.seen and not self._jobs.busy:  # colour comes first
            self._picker.show_shares(self._watcher.seen)

    def _to_image(self) -> None:
        """The next keys are the brush's."""
        display = Gimp.default_display()
        if display:
            display.present()

    def _show_obstacle(self, labels: Gimp.Layer | None) -> None:
        now = time.monotonic()
        if now - self._obstacle_at > _OBSTACLE_SECONDS and not self._hidden:
            self._obstacle_at = now
            obstacle = find_obstacle(self._photo, labels) if labels else None
            self._window.show_obstacle(obstacle.sentence if obstacle else "")

    def _start_next_job(self) -> None:
        self._jobs.start_wanted()
        if not self._watcher.has_suspicion:
            self._live.start_next()

    def _look(self) -> None:
        found = {role: find_layer(self._photo, role) for role in (LABELS, COLORIZED)}
        for role, layer in found.items():
            self._window.settings.show_strength(role, view.strength_of(layer) if layer else None)
        labels, colorized = found[LABELS], found[COLORIZED]
        self._window.buttons.show_layers(labels is not None, colorized is not None)
        self._show_obstacle(labels)
        if labels:
            self._watcher.look(labels)
        if colorized:
            self._watch_colors(colorized)
        self._live.notes_seen(read_notes(self._photo))

    def _watch_colors(self, colorized: Gimp.Layer) -> None:
        """Undo of Colorize brings back colours of other labels, of which these tell nothing."""
        last, self._colors_stamp = self._colors_stamp, colors_stamp(colorized)
        if last not in (None, self._colors_stamp):
            self._start_over()

    def _start_over(self) -> None:
        self._watcher.start_over()
        self._live.start_over()
        self._jobs.start_over()

    def _switch_live(self, on: bool) -> None:
        self._live.switch(on)
        if not on:
            return
        self._start_over()  # the photo may have been retouched meanwhile
        if not self._live.has_layers:
            self._jobs.want(self._commands.colorize)
