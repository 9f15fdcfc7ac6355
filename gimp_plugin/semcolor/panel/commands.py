"""What the panel's buttons do."""

from collections.abc import Callable
from dataclasses import replace

from actions import coloring, edits, object_colors
from actions.action import Action, Outcome
from bridge.exchange import LabelChange
from gi.repository import Gimp
from images.calls import call_for
from images.photo import LayerError, Photo
from images.roles import find_label_layer
from images.undo import as_step, one_undo_step
from labels.regions import beside
from language import tr
from shared.classes import all_classes
from shared.geometry import Rectangle
from windows import buttons
from windows.panel import PanelWindow

from .class_picker import ClassPicker
from .jobs import Jobs
from .label_watcher import LabelWatcher
from .live_coloring import LiveColoring
from .preferences import Remembered

_SNAP_MARGIN = 32  # pixels; how far outside of its rectangle a stroke may grow

_PAINT_FIRST = tr("Paint on the label layer first, then press this.")


class Commands:
    """The buttons of one photo's panel."""

    def __init__(
        self,
        photo: Photo,
        window: PanelWindow,
        jobs: Jobs,
        live: LiveColoring,
        picker: ClassPicker,
        watcher: LabelWatcher,
        remembered: Remembered,
    ) -> None:
        self._photo, self._window, self._jobs, self._live = photo, window, jobs, live
        self._picker, self._watcher, self._remembered = picker, watcher, remembered
        self._object = 0, 0  # a pixel of the one that colours were suggested for
        self._by_name: dict[str, Callable[[], None]] = {
            buttons.ADD_LABELS: self._when_free(self._add_labels),
            buttons.COLORIZE: self._when_free(self.colorize),
            buttons.LABEL_SELECTION: self._label_selection,
            buttons.FILL_REGION: self._fill_region,
            buttons.SNAP: self._when_free(self._snap),
            buttons.CLEAN: self._when_free(self._clean),
            buttons.SUGGEST: self._when_free(self._suggest),
        }

    def do(self, name: str) -> None:
        """Do what this button says, now or as soon as the bridge is free."""
        self._window.say("")
        self._jobs.guarded(self._by_name[name])

    def colorize(self) -> None:
        """Make the layers that the photo lacks."""
        self._jobs.do(coloring.colorize(self._photo, self._detail))

    def choose_color(self, color: str | None) -> None:
        """Give the object that was asked about last a colour; None: that of its label."""
        x, y = self._object
        place = {"x": x, "y": y, "colorize": False}  # Live does, or a job of ours
        if color:
            self._jobs.guarded(lambda: call_for(self._photo, "choose-color", color=color, **place))
        else:
            self._jobs.guarded(lambda: call_for(self._photo, "automatic-color", **place))
        if not self._live.is_on:
            self._jobs.want(self.colorize)
        Gimp.displays_flush()

    def label_lasso(self) -> None:
        """Label what was just selected, and select nothing: one undo step."""

        def label() -> None:
            with one_undo_step(self._photo.image):
                self._label_selection()
                Gimp.Selection.none(self._photo.image)

        self._jobs.guarded(lambda: as_step(tr("_Label Selection"), label))
        Gimp.displays_flush()

    @property
    def _detail(self) -> int:
        return self._remembered.now.detail

    def _when_free(self, start: Callable[[], None]) -> Callable[[], None]:
        return lambda: self._jobs.want(start)

    def _add_labels(self) -> None:
        self._jobs.do(coloring.add_label_layer(self._photo, self._detail))

    def _label_selection(self) -> None:
        self._watcher.we_change(find_label_layer(self._photo), self._photo.whole)
        call_for(self._photo, "label-selection", **self._as_picked())
        Gimp.displays_flush()

    def _fill_region(self) -> None:
        """The region around the last stroke becomes what the stroke is."""
        label_layer, entry = find_label_layer(self._photo), self._picker.picked()
        area = self._last_stroke(margin=1)
        pixels = self._watcher.read(label_layer, area)
        seed = beside(pixels, area, self._picker.stored(entry))
        if not seed:
            raise LayerError(
                tr("Paint a dab of this class into the region first, then press this.")
            )
        x, y = seed
        self._watcher.we_change(label_layer, self._photo.whole)
        call_for(self._photo, "fill-region", x=x, y=y, **self._as_picked())
        Gimp.displays_flush()

    def _snap(self) -> None:
        """In the selection's bounds, or where the user painted last."""
        selected = self._photo.selection.clip(self._photo.whole)
        area = selected or self._last_stroke(_SNAP_MARGIN)
        unsent, locked = self._live.unsent, self._picker.locked
        self._relabel(edits.snap(self._photo, self._picker.picked(), area, unsent, locked))

    def _as_picked(self) -> dict[str, str | tuple[str, ...]]:
        """Arguments of a procedure that labels."""
        locked = tuple(all_classes()[class_id].name for class_id in sorted(self._picker.locked))
        return {"class": self._picker.picked().name, "locked": locked}

    def _clean(self) -> None:
        self._relabel(edits.clean(self._photo, self._live.unsent))

    def _relabel(self, action: Action[LabelChange]) -> None:
        def apply(change: LabelChange) -> Outcome:
            self._watcher.we_change(change.before.layer, change.area, is_known=True)
            return action.apply(change)

        self._jobs.do(replace(action, apply=apply))

    def _suggest(self) -> None:
        """For the object that is mostly selected, or else that was painted last."""
        unsent, selected = self._live.unsent, bool(self._photo.selection.clip(self._photo.whole))
        if selected:
            self._object = edits.selected_region(self._photo)
        elif self._watcher.last_stroke:
            self._object = self._watcher.last_stroke.middle
        else:
            raise LayerError(tr("Select an object, or click it with the Pencil, then press this."))
        at = None if selected else self._object
        action = object_colors.suggest(self._photo, self._detail, unsent, at)
        self._jobs.do(action, self._show_suggestions)

    def _show_suggestions(self, outcome: Outcome) -> None:
        colors = list(zip(outcome.values["colors"], outcome.values["shares"], strict=True))
        self._window.buttons.show_suggestions(colors)
        self._window.say(tr("Click a colour to give it to the object.") if colors else "")

    def _last_stroke(self, margin: int) -> Rectangle:
        if not self._watcher.last_stroke:
            raise LayerError(_PAINT_FIRST)
        return self._watcher.last_stroke.grow(margin).clip(self._photo.whole)
