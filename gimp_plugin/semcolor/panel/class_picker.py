"""The class that is painted: GIMP's foreground colour, and the list of classes."""

from dataclasses import replace

from gi.repository import Gegl, Gimp
from images.label_colors import LabelColors
from images.photo import LayerError, Photo
from images.pixels import hex_of
from images.roles import LABELS, find_layer
from labels.classes import nearly
from language import tr
from live.watch import Thumbnail
from shared.classes import UNLABELLED, LabelClass, all_classes
from windows.panel import PanelWindow

from .preferences import Remembered, used_lately

_PICK_FIRST = tr("Pick a class in the list first.")
_HOW_TO_PICK = tr(
    "That is no class's colour. For Ctrl+click to pick classes from the label layer, switch off "
    "“Sample merged” in the Color Picker's options."
)
_BLACK_ERASES = tr("Black means unlabelled. So does what the Eraser leaves.")


class ClassPicker:
    """Lets foreground colour and list be of one mind."""

    def __init__(
        self, photo: Photo, window: PanelWindow, colors: LabelColors, remembered: Remembered
    ) -> None:
        self._photo, self._window = photo, window
        self._colors, self._remembered = colors, remembered
        self._foreground = ""
        self._shares: dict[int, float] = {}
        self._counted = b""  # the thumbnail whose shares are shown
        self.locked: set[int] = set()
        """Classes whose pixels nothing but a plain stroke changes."""
        window.classes.order({}, remembered.now.recent)

    def choose(self, class_id: int) -> None:
        """The next stroke paints this class, on the label layer."""
        Gimp.context_set_foreground(Gegl.Color.new(all_classes()[class_id].hex))
        label_layer = find_layer(self._photo, LABELS)
        if label_layer:
            self._photo.image.set_selected_layers([label_layer])
            Gimp.displays_flush()
        self._window.say(_BLACK_ERASES if class_id == UNLABELLED else "")
        if class_id != UNLABELLED:
            self._remembered.change(
                lambda own: replace(own, recent=used_lately(own.recent, class_id))
            )
            self._window.classes.order(self._shares, self._remembered.now.recent)

    def picked(self) -> LabelClass:
        """The class of the foreground colour. Raises LayerError when that is no class's."""
        entry = self._colors.class_of(self._foreground)
        if not entry:
            raise LayerError(_PICK_FIRST)
        return entry

    @property
    def painted_class(self) -> int | None:
        """The id of the class of the foreground colour; None when it is no class's."""
        entry = self._colors.class_of(self._foreground) if self._foreground else None
        return entry.id if entry else None

    def stored(self, entry: LabelClass) -> bytes:
        """A pixel of this class, as the label layer has it: RGBA u8. Raises LayerError."""
        return self._colors.stored[4 * entry.id :][:4] if entry.id != UNLABELLED else bytes(4)

    def show_foreground(self) -> None:
        """The foreground colour may have been changed in GIMP."""
        color = hex_of(Gimp.context_get_foreground())
        if color == self._foreground:
            return
        self._foreground = color
        entry = self._colors.class_of(color)
        self._window.show_current(entry, color)
        if not entry and self._paints_labels():
            self._purify_foreground()

    def show_shares(self, labels: Thumbnail) -> None:
        """Which classes the photo has."""
        if labels.pixels == self._counted:
            return
        self._counted = labels.pixels
        shares = self._colors.shares(labels.pixels, labels.pixel_bytes)
        # Shares change with every stroke, but rows that jump about can't be clicked.
        is_new = set(shares) != set(self._shares)
        self._shares = shares
        if is_new:
            self._window.classes.order(shares, self._remembered.now.recent)
        else:
            self._window.classes.show_shares(shares)

    def _purify_foreground(self) -> None:
        """What was picked from the label layer may be a shade of a class."""
        entry = nearly(self._foreground)
        if entry:
            message = tr("{color} is nearly {name}, so you paint that.")
            self._window.say(message.format(color=self._foreground, name=tr(entry.name)))
            Gimp.context_set_foreground(Gegl.Color.new(entry.hex))
        else:
            self._window.say(_HOW_TO_PICK)

    def _paints_labels(self) -> bool:
        label_layer = find_layer(self._photo, LABELS)
        return bool(label_layer) and self._photo.image.get_selected_layers() == [label_layer]
