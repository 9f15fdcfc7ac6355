"""The plug-in's modules that need no GIMP: what live colouring decides, classes, preferences."""

import sys
from pathlib import Path

import pytest

from semcolor.classes import all_classes, gimp_palette

from .harness import CHECKOUT

# At the end: the plug-in's own file `semcolor.py` must not hide the package.
sys.path.append(str(CHECKOUT / "gimp_plugin/semcolor"))

import classes
import preferences
from live import Live, Thumbnail, Tiles, Watch
from rectangle import NOWHERE, Rectangle, beside

WHOLE = Rectangle(0, 0, 600, 400)


def thumbnail(dabs: dict[tuple[int, int], int], layer: Rectangle = WHOLE) -> Thumbnail:
    """A 60 × 40 picture, RGBA, black but for dabs at (x, y)."""
    pixels = bytearray(60 * 40 * 4)
    for (x, y), value in dabs.items():
        pixels[4 * (60 * y + x)] = value
    return Thumbnail(bytes(pixels), 60, 40, 4, layer)


def settled_watch() -> Watch:
    """A watch that has read everything once, at time 0."""
    watch = Watch(WHOLE)
    watch.see(0, thumbnail({}))
    assert watch.area_to_read(0) == WHOLE
    return watch


def test_watch_waits_for_the_end_of_the_stroke() -> None:
    watch = settled_watch()
    watch.area_to_read(0.1)  # a piece of the sweep
    watch.see(0.2, thumbnail({(10, 20): 1}))
    assert watch.area_to_read(0.2) is None
    watch.see(0.4, thumbnail({(10, 20): 1, (30, 25): 1}))  # the stroke goes on
    assert watch.area_to_read(0.5) is None
    area = watch.area_to_read(0.7)
    # The thumbnail's pixels 10..30 and 20..25, one around them, and all ten times as large.
    assert area == Rectangle(90, 190, 230, 80)


def test_watch_reads_everything_when_the_layer_was_moved() -> None:
    watch = settled_watch()
    watch.see(1, thumbnail({}, WHOLE._replace(x=5)))
    assert watch.area_to_read(2) == WHOLE


def test_watch_sweeps_all_of_a_large_layer_while_nothing_happens() -> None:
    whole = Rectangle(0, 0, 4000, 3000)
    watch = Watch(whole)
    while watch.has_suspicion:
        watch.area_to_read(0)
    pieces = [watch.area_to_read(second) for second in range(1, 50)]
    assert all(0 < piece.height < 300 for piece in pieces)
    seen = {row for piece in pieces for row in range(piece.y, piece.y + piece.height)}
    assert seen == set(range(3000))
    assert watch.area_to_read(49.1) is None  # not all the time


def test_tiles_find_the_tiles_that_changed() -> None:
    marks: set[tuple[int, int]] = set()

    def read(area: Rectangle) -> bytes:
        return repr([mark for mark in marks if Rectangle(*mark, 1, 1).clip(area)]).encode()

    tiles = Tiles(WHOLE)
    assert tiles.changed(WHOLE, read) == NOWHERE  # all of it is new
    marks |= {(130, 10), (599, 399)}
    assert tiles.changed(Rectangle(100, 0, 50, 50), read) == Rectangle(128, 0, 128, 128)
    assert tiles.changed(WHOLE, read) == Rectangle(512, 384, 88, 16)
    assert tiles.changed(WHOLE, read) == NOWHERE


def test_one_job_in_flight_and_the_newest_wins() -> None:
    live = Live(WHOLE)
    assert live.next_job(0) == WHOLE
    live.edited(Rectangle(0, 0, 10, 10))
    live.edited(Rectangle(50, 20, 10, 10))
    assert live.next_job(1) is None  # the first one is still in flight
    live.succeeded()
    assert live.next_job(2) == Rectangle(0, 0, 60, 30)  # both in one
    live.succeeded()
    assert live.next_job(3) is None


def test_no_edit_is_lost_when_the_worker_is() -> None:
    live = Live(WHOLE)
    live.next_job(0)
    live.succeeded()
    live.edited(Rectangle(0, 0, 10, 10))
    live.next_job(1)
    live.edited(Rectangle(90, 0, 10, 10))
    pause = live.failed(2)
    assert live.next_job(2 + pause / 2) is None
    assert live.next_job(2 + pause) == Rectangle(0, 0, 100, 10)
    assert live.failed(9) > pause  # it is asked less and less often
    live.start_over(WHOLE)
    assert live.next_job(9) == WHOLE


def test_classes_are_those_of_the_installed_palette(tmp_path: Path) -> None:
    file = tmp_path / classes.FILE_NAME
    file.write_text(gimp_palette())
    entries = classes.read_palette(file)
    assert [tuple(entry) for entry in entries] == [
        (entry.id, entry.name, entry.rgb) for entry in all_classes()
    ]
    file.write_text("GIMP Palette\n")
    with pytest.raises(ValueError, match="no colours"):
        classes.read_palette(file)


def test_present_classes_leave_out_soft_edges_and_transparency() -> None:
    entries = [
        classes.LabelClass(0, "unlabelled", (0, 0, 0)),
        classes.LabelClass(1, "x", (9, 8, 7)),
    ]
    pixels = bytes([9, 8, 7, 255, 9, 8, 7, 100, 9, 8, 6, 255, 0, 0, 0, 255])
    assert classes.present(entries, pixels, 4) == {1: 0.25}


def test_beside_finds_the_commonest_neighbour() -> None:
    mine, common, rare = bytes([1, 2, 3, 255]), bytes([4, 4, 4, 255]), bytes(4)
    rows = [common + mine + common, common + mine + common, rare + mine + mine, rare * 3]
    place = beside(b"".join(rows), Rectangle(100, 50, 3, 4), mine)
    assert place in {(100, 50), (102, 50)}
    assert beside(rare * 12, Rectangle(0, 0, 3, 4), mine) is None


def test_preferences_survive_and_nonsense_does_not(tmp_path: Path) -> None:
    file = tmp_path / "plug-in-settings" / "semcolor.json"
    assert preferences.load(file) == preferences.Preferences()
    saved = preferences.Preferences(recent=[5, 3], detail=512, live=True)
    preferences.save(file, saved)
    assert preferences.load(file) == saved
    file.write_text('{"version": 99, "recent": [1]}')
    assert preferences.load(file) == preferences.Preferences()
