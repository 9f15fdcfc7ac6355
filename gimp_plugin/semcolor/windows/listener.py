"""Who is told what the user does in the panel's window."""

from typing import Protocol

from shared.geometry import Rectangle


class Listener(Protocol):
    """Gets every action of the user."""

    def class_chosen(self, class_id: int) -> None:
        """The next stroke shall paint this class."""

    def class_locked(self, class_id: int, locked: bool) -> None:
        """What is of this class shall stay that, whatever labels objects, or no longer."""

    def button_pressed(self, name: str) -> None:
        """A button was pressed; see `buttons`."""

    def live_switched(self, on: bool) -> None:
        """Colour shall follow the strokes, or not."""

    def smart_switched(self, on: bool) -> None:
        """A stroke shall label the object under it, or not."""

    def change_taken(self, is_taken: bool) -> None:
        """The large change that was asked about shall be made, or not."""

    def lasso_switched(self, on: bool) -> None:
        """A selection shall be labelled as soon as it is made, or not."""

    def detail_chosen(self, detail: int) -> None:
        """The network shall look at the photo at this size."""

    def color_chosen(self, color: str | None) -> None:
        """The object shall have this colour (`#rrggbb`); None: the one that its label asks for."""

    def strength_chosen(self, role: str, percent: float) -> None:
        """The layer with this role shall be shown that strong."""

    def compare_held(self, roles: tuple[str, ...]) -> None:
        """The layers with these roles shall be hidden for now; none: no longer."""

    def outline_held(self, held: bool) -> None:
        """Where the class is that is being painted shall be shown for now, or no longer."""

    def obstacle_removed(self) -> None:
        """What keeps strokes from the label layer shall be put right."""

    def window_moved(self, area: Rectangle) -> None:
        """The window lies there now, in pixels of the whole desktop."""

    def closed(self) -> None:
        """The window shall close."""
