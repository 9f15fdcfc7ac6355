"""What a procedure is, and what it knows of a call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from actions.action import Action, Outcome
from bridge.process import Progress
from gi.repository import Gimp
from images.label_colors import LabelColors
from images.photo import LayerError, Photo
from images.pixels import hex_of
from labels.classes import by_name
from language import tr
from shared.classes import PALETTE_NAME, LabelClass

MENU = "<Image>/Filters/Semantic Color"


class Value(NamedTuple):
    """An argument or a return value."""

    kind: str
    """As in GIMP's `add_{kind}_argument` and `add_{kind}_return_value`."""
    name: str
    label: str
    text: str
    options: tuple[Any, ...] = ()
    """What those methods take besides: limits, default, …"""


@dataclass(frozen=True)
class Call:
    """A procedure that was called."""

    given: Photo | None
    """None where it is for no image."""
    config: Gimp.ProcedureConfig
    interactive: bool
    """Whether a user is there, who may be asked and who sees the foreground colour."""
    report: Progress

    @property
    def photo(self) -> Photo:
        """The photo of a procedure that is for images."""
        assert self.given
        return self.given

    def value(self, name: str) -> Any:
        """An argument."""
        return self.config.get_property(name)

    def text(self, name: str) -> str:
        """A string argument; GIMP has None for some that are empty."""
        return (self.value(name) or "").strip()

    def ask(self, action: Action[Any]) -> Outcome:
        """Do what needs the bridge."""
        Gimp.progress_init("")
        return action.run(self.photo, self.report)

    @property
    def foreground(self) -> str:
        """The foreground colour as `#rrggbb`."""
        return hex_of(Gimp.context_get_foreground())

    def locked(self) -> list[int]:
        """The ids of the classes that are named as locked."""
        return [_named(name).id for name in self.value("locked") or []]

    def entry(self) -> LabelClass:
        """The class that is named, or else that of the foreground colour."""
        name = self.text("class")
        if name and not self.interactive:
            return _named(name)
        color = self.foreground
        found = LabelColors(self.photo.image).class_of(color)
        if not found:
            message = tr(
                "The foreground colour, {color}, is no class's. Pick one from the palette "
                "“{palette}”, or in the panel."
            )
            raise LayerError(message.format(color=color, palette=PALETTE_NAME))
        return found


def _named(name: str) -> LabelClass:
    found = by_name(name)
    if not found:
        message = tr("There is no class “{name}”. The palette “{palette}” has all names.")
        raise LayerError(message.format(name=name, palette=PALETTE_NAME))
    return found


@dataclass(frozen=True)
class Procedure:
    """One procedure. `run` returns None when the user has cancelled it."""

    name: str
    label: str
    blurb: str
    text: str
    run: Callable[[Call], Outcome | None]
    arguments: tuple[Value, ...] = ()
    returns: tuple[Value, ...] = ()
    menu: str | None = MENU
    """Where its menu entry is; without one, it can still get a keyboard shortcut."""
    for_image: bool = True
    before_painting: bool = False
    """Whether the user is about to paint labels, for which the palette is selected."""
