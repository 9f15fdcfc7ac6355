"""Inside GIMP with a window: a restorer who does anything, in any order, with the panel open."""

import random
import time
from collections.abc import Callable

from gi.repository import Gegl, Gimp
from inside import content, ours, paint
from processes import kill_worker, worker_asleep
from screen import (
    PALETTE,
    activate,
    activate_image,
    close_panel,
    message_window,
    open_panel,
    panels,
    press,
    settle,
    stroke,
)

_LONGEST_PAUSE_SECONDS = 16


class Restorer:
    """One photo in a window, 640 × 492 pixels, with labels, colours and a panel that is live."""

    def __init__(self, image: Gimp.Image, panel: str, seed: int) -> None:
        self.image, self.panel = image, panel
        self.labels, self.colors, self.photo = image.get_layers()
        self.done: list[str] = []
        self._untouched = content(self.photo)
        self._chance = random.Random(seed)

    def work(self, steps: int) -> None:
        """Do so many things, and note them."""
        often = [self.paints, self.undoes, self.redoes, self.strokes, self.labels_a_selection]
        seldom: list[Callable[[], None]] = [
            self.turns_and_undoes, self.pastes, self.gives_a_colour, self.takes_a_colour_back,
            self.loses_the_worker, self.waits_for_the_worker, self.switches_smart, self.answers,
            self.compares,
            self.reopens_the_panel, self.colours_another_photo, self.cleans,
        ]  # fmt: skip
        for _ in range(steps):
            action = self._chance.choice(often if self._chance.random() < 0.6 else seldom)
            self.done.append(action.__name__)
            action()
            Gimp.displays_flush()
            time.sleep(self._chance.uniform(0, 1))
            assert panels() == [self.panel], self.done
            assert not message_window(), self.done

    def paints(self) -> None:
        x, y, width, height = self._somewhere()
        self.image.set_selected_layers([self.labels])
        paint(self.labels, self._color(), x, y, width, height)

    def strokes(self) -> None:
        Gimp.Selection.none(self.image)
        self.image.set_selected_layers([self.labels])
        Gimp.context_set_foreground(Gegl.Color.new(self._color()))
        Gimp.displays_flush()
        activate_image()
        press("n", lambda: True)  # the Pencil
        stroke(self._chance.randint(-150, 150), self._chance.randint(-100, 150))

    def undoes(self) -> None:
        activate_image()
        for _ in range(self._chance.randint(1, 3)):
            if "Labels" not in (layer.get_name() for layer in self.image.get_layers()):
                return
            press("ctrl+z", lambda: True)
            time.sleep(self._chance.uniform(0, 0.5))
            if not self._is_whole():  # that was what made the layers
                while not self._is_whole():
                    press("ctrl+y", lambda: True)
                    time.sleep(1)
                return

    def redoes(self) -> None:
        activate_image()
        for _ in range(self._chance.randint(1, 3)):
            press("ctrl+y", lambda: True)
            time.sleep(self._chance.uniform(0, 0.5))

    def labels_a_selection(self) -> None:
        self._select()
        Gimp.context_set_foreground(Gegl.Color.new(self._color()))
        activate(self.panel)
        press(self._chance.choice(["alt+l", "alt+s"]), lambda: True)
        time.sleep(1)
        Gimp.Selection.none(self.image)

    def turns_and_undoes(self) -> None:
        """Changes the whole image, wavers, takes it back, and goes on with something else."""
        change = self._chance.choice(
            [
                lambda: self.image.convert_precision(Gimp.Precision.U16_NON_LINEAR),
                lambda: self.image.scale(500, 380),
                lambda: self.image.crop(400, 300, 90, 70),
                lambda: self.image.rotate(Gimp.RotationType.DEGREES90),
                lambda: self.image.flip(Gimp.OrientationType.HORIZONTAL),
            ]
        )
        activate_image()
        change()
        Gimp.displays_flush()
        for _ in range(self._chance.randint(0, 3)):
            for keys in ("ctrl+z", "ctrl+y"):
                press(keys, lambda: True)
                time.sleep(self._chance.uniform(0, 0.6))
        self._takes_it_back()
        self.paints()  # so that it can't be redone

    def pastes(self) -> None:
        """A part of the colours, or of the labels, over them all."""
        self._select()
        Gimp.edit_copy([self._chance.choice([self.labels, self.colors])])
        (pasted, *_) = Gimp.edit_paste(self.labels, False)
        time.sleep(self._chance.uniform(0, 0.5))
        activate(self.panel)
        press("alt+l", lambda: True)  # which a floating selection refuses with a sentence
        time.sleep(0.5)
        if self._chance.random() < 0.5:
            Gimp.floating_sel_remove(pasted)
        else:
            Gimp.floating_sel_to_layer(pasted)
            self.image.remove_layer(pasted)
        Gimp.Selection.none(self.image)
        self.image.set_selected_layers([self.labels])
        self.paints()

    def gives_a_colour(self) -> None:
        self.paints()
        x, y = self._in_the_middle()
        self._asks("choose-color", color=self._color(), x=x, y=y, colorize=False)

    def takes_a_colour_back(self) -> None:
        self.paints()
        x, y = self._in_the_middle()
        self._asks("automatic-color", x=x, y=y, colorize=False)

    def loses_the_worker(self) -> None:
        kill_worker()

    def waits_for_the_worker(self) -> None:
        with worker_asleep():
            self.paints()
            time.sleep(self._chance.uniform(1, 4))

    def switches_smart(self) -> None:
        activate(self.panel)
        press("alt+m", lambda: True)

    def answers(self) -> None:
        """What would be a large change, if the panel asks about one."""
        activate(self.panel)
        press(self._chance.choice(["alt+b", "alt+k"]), lambda: True)

    def compares(self) -> None:
        self.labels.set_visible(False)
        Gimp.displays_flush()
        time.sleep(self._chance.uniform(0, 0.5))
        self.labels.set_visible(True)

    def reopens_the_panel(self) -> None:
        close_panel(self.panel)
        activate_image()
        self.image.set_selected_layers([self.photo])
        self.panel = open_panel(self.image)

    def colours_another_photo(self) -> None:
        other = self.image.duplicate()
        ours("colorize", other)
        other.delete()

    def cleans(self) -> None:
        activate(self.panel)
        press("alt+c", lambda: True)

    def ends(self) -> None:
        """Lets colour come to rest, live; a worker that was lost is tried again within 15 s."""
        Gimp.Selection.none(self.image)
        self.paints()
        before, now = b"", settle(self.colors)
        while now != before:
            time.sleep(_LONGEST_PAUSE_SECONDS)
            before, now = now, settle(self.colors)

    def _takes_it_back(self) -> None:
        """GIMP drops a key that comes while a step is being made, and takes its time for others."""
        looks = 0
        while looks < 2:
            looks = looks + 1 if self._is_whole() else 0
            if not looks:
                press("ctrl+z", lambda: True)
            time.sleep(1)

    def _is_whole(self) -> bool:
        layers = self.image.get_layers()
        return (
            [layer.get_id() for layer in layers]
            == [layer.get_id() for layer in (self.labels, self.colors, self.photo)]
            and self.image.get_width() == 640
            and self.image.get_precision() == Gimp.Precision.U8_NON_LINEAR
            and content(self.photo) == self._untouched  # else it is mirrored
        )

    def _somewhere(self) -> tuple[int, int, int, int]:
        width, height = self._chance.randint(5, 200), self._chance.randint(5, 150)
        return self._chance.randint(0, 420), self._chance.randint(0, 330), width, height

    def _asks(self, name: str, **arguments: object) -> None:
        """May be told that there is no object, where a late Ctrl+Z took away what was painted."""
        try:
            ours(name, self.image, **arguments)
        except RuntimeError as error:
            if "There is no object" not in str(error):
                raise

    def _in_the_middle(self) -> tuple[int, int]:
        """A pixel that has a class for sure: it was just painted."""
        paint(self.labels, self._color(), 300, 200, 60, 60)
        return 330, 230

    def _select(self) -> None:
        self.image.select_rectangle(Gimp.ChannelOps.REPLACE, *self._somewhere())

    def _color(self) -> str:
        return self._chance.choice(list(PALETTE.values()))
