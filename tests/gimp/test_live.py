"""The plug-in's modules that need no GIMP: what live colouring decides, classes, preferences."""

import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from semcolor.shared.classes import all_classes

from .harness import CHECKOUT

# At the end: the plug-in's own file `semcolor.py` must not hide the package.
sys.path += [str(CHECKOUT / "gimp_plugin/semcolor"), str(CHECKOUT / "semcolor")]

from labels import classes
from labels.merging import newer_kept
from labels.regions import beside, mostly_selected
from live.tiles import Edit, Tiles
from live.unsent import Unsent
from live.watch import Pointer, Thumbnail, Watch
from panel import preferences
from shared.geometry import Rectangle

WHOLE = Rectangle(0, 0, 600, 400)
UP, DOWN = Pointer(5, 5, False), Pointer(5, 5, True)


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


def test_watch_finds_pixels_that_only_became_transparent() -> None:
    watch = settled_watch()
    pixels = bytearray(thumbnail({}).pixels)
    for x, y in ((10, 20), (30, 25)):
        pixels[4 * (60 * y + x) + 3] = 1
    watch.see(1, thumbnail({})._replace(pixels=bytes(pixels)))
    assert watch.area_to_read(2) == Rectangle(90, 190, 230, 80)


def looks(watch: Watch, start: float, end: float, pointer: Pointer = UP) -> list[float]:
    """When the watch wants to look at a layer that does not change."""
    now, times = start, []
    while now < end:
        if watch.is_due(now, pointer):
            times.append(now)
            watch.see(now, thumbnail({}))
            watch.area_to_read(now)
        now += watch.pause(now) + 0.001  # as timers do
    return times


def stroke(watch: Watch, start: float, seen: Pointer) -> float:
    """A stroke of half a second; returns when it ended."""
    for part in range(4):
        now = start + part / 6
        assert watch.is_due(now, seen)
        watch.see(now, thumbnail({(part, part): 1}))
        assert watch.area_to_read(now) is None
    return now


def seconds_until_read(watch: Watch, now: float, last: Thumbnail) -> float:
    """From the end of a stroke, when the button is let go, until it is read."""
    end = now
    while True:
        if watch.is_due(now, UP):
            watch.see(now, last)
            if watch.area_to_read(now):
                return now - end
        now += watch.pause(now) + 0.001  # as timers do


def test_stroke_is_read_as_soon_as_the_button_is_up() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, DOWN)
    assert watch.pause(end) < 0.05  # not to miss when it is let go
    assert not watch.is_due(end + 0.02, DOWN)
    assert watch.is_due(end + 0.04, UP)  # at once, although a look was due later only
    watch.see(end + 0.04, thumbnail({(9, 9): 1}))  # the rest of the stroke
    assert watch.area_to_read(end + 0.04) is None  # there may be more to come
    assert 0.02 < seconds_until_read(watch, end + 0.04, thumbnail({(9, 9): 1})) < 0.1
    assert watch.pause(end + 0.12) > 0.05  # there is no hurry any more


def test_paint_that_comes_after_the_button_is_up_is_not_missed() -> None:
    watch = settled_watch()
    watch.is_due(1, DOWN)
    watch.see(1, thumbnail({}))
    assert watch.is_due(1.05, UP)
    watch.see(1.05, thumbnail({}))  # GIMP is slower than the hand
    assert watch.pause(1.05) < 0.05
    assert watch.is_due(1.1, UP)
    watch.see(1.1, thumbnail({(9, 9): 1}))
    assert 0.1 < seconds_until_read(watch, 1.1, thumbnail({(9, 9): 1})) < 0.4


def test_a_hand_that_rests_in_the_middle_of_a_stroke_does_not_end_it() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, DOWN)
    for tenth in range(1, 50):
        now = end + tenth / 10
        watch.is_due(now, DOWN)
        watch.see(now, thumbnail({(3, 3): 1}))
        assert watch.area_to_read(now) is None
    assert seconds_until_read(watch, now, thumbnail({(3, 3): 1})) < 0.1


def test_a_button_that_seems_to_be_down_for_good_does_not_blind_it() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, DOWN)
    assert watch.area_to_read(end + 11)


def test_where_the_button_is_not_told_a_stroke_that_pauses_is_not_cut() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, UP)  # as Wayland tells it
    assert seconds_until_read(watch, end, thumbnail({(3, 3): 1})) > 0.2


def test_paint_of_a_busy_gimp_is_waited_for() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, DOWN)
    assert watch.is_due(end + 0.04, UP)
    watch.see(end + 0.04, thumbnail({(9, 9): 1}), seconds=0.1)
    assert watch.area_to_read(end + 0.2) is None
    assert watch.area_to_read(end + 0.6)


def test_change_while_the_button_is_up_is_read_at_once_when_it_is_known() -> None:
    watch = settled_watch()
    end = stroke(watch, 1, DOWN)
    seconds_until_read(watch, end, thumbnail({(3, 3): 1}))
    assert watch.is_due(5, UP)
    watch.see(5, thumbnail({}))  # undone
    assert watch.area_to_read(5) is None
    assert seconds_until_read(watch, 5, thumbnail({})) < 0.1


def test_watch_looks_rarely_while_nobody_does_anything() -> None:
    watch = settled_watch()
    assert len(looks(watch, 10, 14)) > 35
    watch.is_due(15, UP._replace(x=6))  # the pointer moved
    assert len(looks(watch, 15, 19, UP._replace(x=6))) > 35
    assert len(looks(watch, 30, 34, UP._replace(x=6))) < 10
    assert watch.pause(34) < 0.3  # the pointer may move again
    assert len(looks(watch, 34, 36, UP)) > 15


def test_watch_is_not_eager_without_a_label_layer() -> None:
    watch = Watch(WHOLE)
    due = [watch.is_due(hundredth / 100, UP) for hundredth in range(100)]
    assert 0 < sum(due) < 12


def test_watch_reads_everything_when_the_layer_was_moved() -> None:
    watch = settled_watch()
    watch.see(1, thumbnail({}, WHOLE._replace(x=5)))
    assert watch.area_to_read(2) == WHOLE


def test_watch_sweeps_all_of_a_large_layer_while_nothing_happens() -> None:
    whole = Rectangle(0, 0, 4000, 3000)
    watch = Watch(whole)
    while watch.has_suspicion:
        watch.area_to_read(0)
    pieces = [watch.area_to_read(second) for second in range(2, 100, 2)]
    assert all(0 < piece.height < 300 for piece in pieces)
    seen = {row for piece in pieces for row in range(piece.y, piece.y + piece.height)}
    assert seen == set(range(3000))
    assert watch.area_to_read(98.1) is None  # not all the time
    watch.is_due(99, DOWN)  # somebody is at work
    assert all(watch.area_to_read(99 + step) for step in (0, 0.6, 1.2))


def test_tiles_find_the_tiles_that_changed() -> None:
    marks: set[tuple[int, int]] = set()
    reads: list[Rectangle] = []

    def pixels(area: Rectangle) -> bytes:
        rows, columns = range(area.y, area.y + area.height), range(area.x, area.x + area.width)
        return b"".join(bytes(3) + bytes([(x, y) in marks]) for y in rows for x in columns)

    def read(area: Rectangle) -> bytes:
        reads.append(area)
        return pixels(area)

    tiles = Tiles(WHOLE)

    def changed(area: Rectangle) -> Rectangle:
        """Where, by one read, which gives the pixels too."""
        reads.clear()
        edit = tiles.changed(area, read)
        assert len(reads) == 1
        assert edit.pixels == pixels(edit.area)
        return edit.area

    assert not changed(WHOLE)  # all of it is new
    marks |= {(130, 10), (599, 399)}
    assert changed(Rectangle(100, 0, 50, 50)) == Rectangle(128, 0, 128, 128)
    assert changed(WHOLE) == Rectangle(512, 384, 88, 16)
    assert not changed(WHOLE)
    marks |= {(400, 300), (300, 301)}
    assert changed(Rectangle(300, 290, 150, 50)) == Rectangle(256, 256, 256, 128)
    assert not tiles.changed(Rectangle(700, 0, 5, 5), read)  # outside of the photo


def test_what_others_have_changed_meanwhile_is_kept() -> None:
    before, made = b"aaaabbbbccccdddd", b"xxxxxxxxccccxxxx"
    assert newer_kept(made, before, before) == made
    assert newer_kept(made, before, b"aaaaBBBBccccddd!") == b"xxxxBBBBccccddd!"


def test_what_was_read_is_sent_as_it_was_read() -> None:
    unsent = Unsent(WHOLE)
    unsent.next_job(0)
    unsent.succeeded()
    first, around = Edit(Rectangle(8, 8, 2, 1), b"12345678"), Edit(Rectangle(8, 8, 3, 1), b"x" * 12)
    unsent.edited(first)
    assert unsent.next_job(1) == first
    unsent.edited(first)
    unsent.edited(around)  # the newer one has all of it
    unsent.succeeded()
    assert unsent.next_job(2) == around
    unsent.succeeded()
    unsent.edited(around)
    unsent.edited(first)
    assert unsent.next_job(3) == Edit(around.area)  # the older one's pixels may have changed
    unsent.edited(Edit(Rectangle(20, 20, 1, 1), b"1234"))
    unsent.failed(4)
    assert unsent.next_job(9) == Edit(Rectangle(8, 8, 13, 13))  # nobody read what lies between


def test_one_job_in_flight_and_the_newest_wins() -> None:
    unsent = Unsent(WHOLE)
    assert unsent.next_job(0) == Edit(WHOLE)
    unsent.edited(Edit(Rectangle(0, 0, 10, 10)))
    unsent.edited(Edit(Rectangle(50, 20, 10, 10)))
    assert unsent.next_job(1) is None  # the first one is still in flight
    unsent.succeeded()
    assert unsent.next_job(2) == Edit(Rectangle(0, 0, 60, 30))  # both in one
    unsent.succeeded()
    assert unsent.next_job(3) is None


def test_a_stroke_is_sent_apart_from_what_the_bridge_knows() -> None:
    unsent = Unsent(WHOLE)
    unsent.next_job(0)
    unsent.succeeded()
    stroke = Edit(Rectangle(0, 0, 10, 10), bytes(400), is_stroke=True)
    known = Edit(Rectangle(0, 0, 90, 90), is_known=True)
    unsent.edited(stroke)
    unsent.edited(known)
    assert unsent.next_job(1) == stroke._replace(pixels=None)  # they may have changed since
    unsent.edited(stroke)
    assert unsent.area == known.area
    unsent.succeeded()
    assert unsent.next_job(2) == stroke
    unsent.succeeded()
    unsent.edited(Edit(Rectangle(5, 5, 20, 20)))  # undone
    unsent.edited(stroke)
    assert unsent.next_job(3) == Edit(known.area)  # nobody knows what of it was painted


def test_no_edit_is_lost_when_the_worker_is() -> None:
    unsent = Unsent(WHOLE)
    unsent.next_job(0)
    unsent.succeeded()
    unsent.edited(Edit(Rectangle(0, 0, 10, 10)))
    unsent.next_job(1)
    unsent.edited(Edit(Rectangle(90, 0, 10, 10)))
    pause = unsent.failed(2)
    assert unsent.next_job(2 + pause / 2) is None
    assert unsent.next_job(2 + pause) == Edit(Rectangle(0, 0, 100, 10))
    assert unsent.failed(9) > pause  # it is asked less and less often
    unsent.start_over(WHOLE)
    assert unsent.next_job(9) == Edit(WHOLE)


def test_class_colours_are_in_the_order_of_their_ids() -> None:
    assert [tuple(classes.CLASS_COLORS[4 * entry.id :][:4]) for entry in all_classes()] == [
        (*entry.rgb, 255) for entry in all_classes()
    ]


def test_present_classes_leave_out_soft_edges_and_transparency() -> None:
    palette = [(0, 0, 0, 1), (0.2, 0.4, 0.6, 1)]
    pixels = [(0.2, 0.4, 0.601, 1), (0.2, 0.4, 0.6, 0.4), (0.2, 0.4, 0.5, 1), (0, 0, 0, 1)]
    for code, top in (("B", 255), ("H", 65535), ("I", 2**32 - 1), ("e", 1), ("f", 1), ("d", 1)):
        small, large = (
            b"".join(
                struct.pack(f"={code}", value * top if code in "efd" else round(value * top))
                for pixel in picture
                for value in pixel
            )
            for picture in (palette, pixels)
        )
        assert classes.shares_of(small, large, code) == {1: 0.25}


def test_a_colour_picked_from_the_image_is_its_class() -> None:
    sky = classes.by_name("Sky")
    assert sky.id == next(entry.id for entry in all_classes() if entry.name == "sky")
    red, green, blue = sky.rgb
    stored = bytearray(classes.CLASS_COLORS)
    stored[4 * sky.id] = red + 2
    colors = (f"#{level:02x}{green:02x}{blue:02x}" for level in (red, red + 2, red + 1))
    assert [classes.by_color(bytes(stored), color) for color in colors] == [sky, sky, None]


def test_beside_finds_the_commonest_neighbour() -> None:
    mine, common, rare = bytes([1, 2, 3, 255]), bytes([4, 4, 4, 255]), bytes(4)
    rows = [common + mine + common, common + mine + common, rare + mine + mine, rare * 3]
    place = beside(b"".join(rows), Rectangle(100, 50, 3, 4), mine)
    assert place in {(100, 50), (102, 50)}
    assert beside(rare * 12, Rectangle(0, 0, 3, 4), mine) is None


def test_mostly_selected_is_the_commonest_colour_nearest_to_the_middle() -> None:
    """The colours are drawn as letters; the selection as digits, how much of each is selected."""
    colors = ["aabbbb", "aabbbb", "ccccca"]
    area = Rectangle(100, 50, 6, 3)

    def place(selection: list[str]) -> tuple[int, int] | None:
        def reader(rows: list[str], copies: int) -> Callable[[Rectangle], bytes]:
            values = [bytes(ord(letter) - ord("0") for letter in row) for row in rows]
            return lambda row: b"".join(bytes([v]) * copies for v in values[row.y - area.y])

        return mostly_selected(area, reader(colors, 4), reader(selection, 1))

    assert place(["110000", "110000", "111110"]) == (103, 52)
    assert place(["110000", "110000", "110000"]) == (101, 51)
    assert place(["110000", "110000", "000999"]) == (103, 52)
    assert place(["009000", "110000", "000000"]) == (102, 50)  # by how much is selected
    assert place(["000000", "000000", "000000"]) is None


def test_shades_of_a_class_are_that_class() -> None:
    grass = classes.by_name("grass")
    assert grass.hex == "#0000c0"
    assert classes.nearly("#0000c0") == grass
    assert classes.nearly("#0505bc") == grass
    assert classes.nearly("#0a00c0") is None
    assert classes.nearly("#05c5c0").hex == "#00c0c0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plug-in-settings" / "semcolor.json"


def test_preferences_survive(file: Path) -> None:
    assert preferences.load(file) == preferences.Preferences()
    saved = preferences.Preferences([5, 3], 512, True, Rectangle(-5, 20, 300, 720), True)
    preferences.change(file, lambda _: saved)
    assert preferences.load(file) == saved


def test_panels_change_only_what_is_theirs(file: Path) -> None:
    preferences.change(file, lambda stored: replace(stored, detail=512))
    preferences.change(file, lambda stored: replace(stored, live=True))
    assert preferences.load(file) == preferences.Preferences(detail=512, live=True)


def test_no_change_is_lost_when_several_panels_write(file: Path) -> None:
    def use_a_class(class_id: int) -> None:
        preferences.change(file, lambda own: replace(own, recent=[*own.recent, class_id]))

    with ThreadPoolExecutor(4) as panels:
        list(panels.map(use_a_class, range(60)))
    assert sorted(preferences.load(file).recent) == list(range(60))


def test_panel_that_was_killed_while_it_wrote_stops_no_other(file: Path) -> None:
    file.parent.mkdir()
    file.with_name(file.name + ".claim").touch()  # see `shared.stored_settings`
    preferences.change(file, lambda stored: replace(stored, detail=512))
    assert preferences.load(file).detail == 512
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_preferences_of_an_earlier_version_are_taken_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"version": 1, "recent": [5, 3], "detail": 512, "live": true}')
    assert preferences.load(file) == preferences.Preferences([5, 3], 512, True, None)


def test_preferences_of_a_later_version_are_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"version": 99, "recent": {}}')
    assert preferences.load(file) == preferences.Preferences()
    preferences.change(file, lambda stored: replace(stored, detail=512))
    assert file.read_text() == '{"version": 99, "recent": {}}'


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"version": 0}',
        b'{"version": "2"}',
        b'{"version": 2, "recent": 5, "detail": 0, "live": false, "window": null}',
        b'{"version": 2, "recent": [], "detail": 7, "live": false, "window": null}',
        b'{"version": 2, "recent": [], "detail": 0, "live": false, "window": [1, 2]}',
    ],
)
def test_damaged_preferences_are_the_defaults_and_are_replaced(file: Path, damaged: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(damaged)
    assert preferences.load(file) == preferences.Preferences()
    preferences.change(file, lambda stored: replace(stored, detail=512))
    assert preferences.load(file).detail == 512


@pytest.mark.parametrize(
    ("search", "name"),
    [
        ("clo", "clothes"), ("wal", "wall"), ("sky", "sky"), ("street", "road"),
        ("face", "person"), ("uniform", "clothes"), ("river", "water"), ("sand", "ground"),
        ("roof", "building"), ("dach", "building"), ("haut", "person"), ("walk", "sidewalk"),
        ("  Sofa ", "sofa"), ("himm", "sky"),
    ],
)  # fmt: skip
def test_search_finds_what_is_meant_first(search: str, name: str) -> None:
    """By the beginning of a name, by an everyday word in any language, by any part of a name."""
    german = {"sky": "Himmel"}
    names = [(entry, german.get(entry.name, entry.name)) for entry in all_classes()]
    assert classes.found(search, names)[0].name == name


def test_search_may_find_nothing_and_knows_words_for_all() -> None:
    names = [(entry, entry.name) for entry in all_classes()]
    assert classes.found("zzz", names) == []
    assert set(classes._everyday_words()) == {entry.name for entry in all_classes()[1:]}
