import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcolor.protocol.planes import pack_labels, plane_digest
from semcolor.protocol.schema import Edit, PutLabels, PutPhoto
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker.supervisor.plane_store import PlaneStore


def put(store, pixels: bytes, width: int, rows: int) -> str:
    height = len(pixels) // width
    digest = plane_digest(width, height, 8, pixels)
    for row in range(0, height, rows):
        strip = pixels[row * width : (row + rows) * width]
        store.put(PutPhoto(digest, width, height, 8, row, len(strip) // width), strip)
    return digest


def test_strips_become_a_plane():
    store = PlaneStore()
    pixels = bytes(range(200))
    digest = put(store, pixels, width=10, rows=3)
    plane = store.get(digest)
    assert plane is not None
    assert (plane.width, plane.height, bytes(plane.pixels)) == (10, 20, pixels)


def test_an_unfinished_plane_is_not_given_out_and_can_be_resumed():
    store = PlaneStore()
    pixels = bytes(range(100))
    digest = plane_digest(10, 10, 8, pixels)
    assert store.put(PutPhoto(digest, 10, 10, 8, 0, 4), pixels[:40]) == 4
    assert store.get(digest) is None
    assert store.put(PutPhoto(digest, 10, 10, 8), b"") == 4
    assert store.put(PutPhoto(digest, 10, 10, 8, 8, 2), pixels[80:]) == 4  # too early: left out
    assert store.put(PutPhoto(digest, 10, 10, 8, 4, 6), pixels[40:]) == 10
    assert store.get(digest) is not None


def test_labels_come_compressed():
    store = PlaneStore()
    labels = bytes([15]) * 100
    digest = plane_digest(10, 10, 8, labels)
    assert store.put(PutLabels(digest, 10, 10, 0, 10), pack_labels(labels)) == 10


def test_wrong_content_is_refused_and_forgotten():
    store = PlaneStore()
    digest = plane_digest(10, 10, 8, bytes(100))
    with pytest.raises(SemcolorError, match="digest") as caught:
        store.put(PutPhoto(digest, 10, 10, 8, 0, 10), bytes([1]) * 100)
    assert caught.value.code == Code.MALFORMED
    assert store.used == 0


def test_the_budget_holds_and_the_oldest_goes_first():
    store = PlaneStore(budget=250)
    first, second = (put(store, bytes([i]) * 100, 10, 10) for i in (1, 2))
    store.get(first)
    third = put(store, bytes([3]) * 100, 10, 10)
    assert store.used == 200
    assert [store.get(digest) is not None for digest in (first, second, third)] == [
        True,
        False,
        True,
    ]
    with pytest.raises(SemcolorError) as caught:
        put(store, bytes(300), 10, 10)
    assert caught.value.code == Code.WORKER_TOO_SMALL


def edited(pixels, region, value):
    """A copy with the rectangle filled, and its digest."""
    copy = pixels.copy()
    copy[region.rows, region.columns] = value
    height, width = copy.shape
    return copy, plane_digest(width, height, 8, copy.tobytes())


@given(st.data())
def test_edits_lead_to_the_same_plane_as_sending_it_whole(data):
    width, height = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 150))
    store, pixels = PlaneStore(), np.zeros((height, width), np.uint8)
    digest = put(store, pixels.tobytes(), width, height)
    for value in range(1, 4):
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        size = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
        region = Rectangle(x, y, *size)
        pixels, after = edited(pixels, region, value)
        frame = pack_labels(bytes([value]) * region.pixels)
        store.edit(after, Edit(digest, region), frame)
        plane, digest = store.get(after), after
        assert bytes(plane.pixels) == pixels.tobytes()
        assert plane.cut(region) == bytes([value]) * region.pixels


def test_an_edit_without_its_base_or_outside_it_is_refused():
    store, pixels, region = PlaneStore(), np.zeros((10, 10), np.uint8), Rectangle(2, 3, 4, 5)
    base = put(store, pixels.tobytes(), 10, 10)
    _, after = edited(pixels, region, 7)
    frame = pack_labels(bytes([7]) * 20)

    def code(edit, frame=frame):
        with pytest.raises(SemcolorError) as caught:
            store.edit(after, edit, frame)
        return caught.value.code

    assert code(Edit("f" * 32, region)) == Code.UNKNOWN_LABELS
    assert code(Edit(base, Rectangle(7, 3, 4, 5))) == Code.LABELS_MISMATCH
    assert code(Edit(base, region), pack_labels(bytes(20))) == Code.MALFORMED
    assert code(Edit(base, region), pack_labels(bytes(19))) == Code.MALFORMED
    assert store.used == 100  # nothing wrong was kept
    store.edit(after, Edit(base, region), frame)
    store.edit(after, Edit("f" * 32, region), frame)  # it is there already
    assert store.used == 200


def test_an_edited_plane_costs_the_rows_that_changed_only():
    pixels, region = np.zeros((640, 10), np.uint8), Rectangle(0, 100, 10, 10)
    store = PlaneStore(budget=3 * 6400)
    base = put(store, pixels.tobytes(), 10, 640)
    digests = [base]
    for value in range(1, 21):
        pixels, after = edited(pixels, region, value)
        frame = pack_labels(bytes([value]) * 100)
        store.edit(after, Edit(digests[-1], region), frame)
        digests.append(after)
    assert store.used == 6400 + 20 * 640
    other = put(store, bytes([9]) * 6400, 10, 640)  # the oldest make room
    assert store.get(other) is not None
    assert [store.get(digest) is None for digest in digests] == [True] * 10 + [False] * 11
    assert store.used == store.budget
    assert store.get(digests[-1]).pixels == pixels.tobytes()


def test_of_edited_labels_only_the_last_ones_are_kept():
    pixels = np.zeros((4, 4), np.uint8)
    store = PlaneStore()
    digests = [put(store, pixels.tobytes(), 4, 4)]
    for value in range(1, 200):
        pixels, after = edited(pixels, Rectangle(value % 4, 0, 1, 1), value)
        frame = pack_labels(bytes([value]))
        store.edit(after, Edit(digests[-1], Rectangle(value % 4, 0, 1, 1)), frame)
        digests.append(after)
    kept = [store.get(digest) is not None for digest in digests]
    assert kept == [True] + [False] * 71 + [True] * 128
    assert store.used == 129 * 16


def test_planes_are_their_owners():
    """Nobody else sees one, learns that it is there, or stands in its owner's way."""
    store, pixels = PlaneStore(), bytes(range(100))
    digest = plane_digest(10, 10, 8, pixels)
    ask = PutPhoto(digest, 10, 10, 8)
    store.put(PutPhoto(digest, 10, 10, 8, 0, 10), pixels, "anna")
    assert store.get(digest, "anna")
    assert store.get(digest, "bert") is None
    assert store.put(ask, b"", "anna") == 10
    assert store.put(ask, b"", "bert") == 0
    assert (store.was_put(digest, "anna"), store.was_put(digest, "bert")) == (True, False)
    edit = Edit(digest, Rectangle(0, 0, 1, 1))
    after = plane_digest(10, 10, 8, b"\7" + pixels[1:])
    with pytest.raises(SemcolorError) as caught:
        store.edit(after, edit, pack_labels(b"\7"), "bert")
    assert caught.value.code == Code.UNKNOWN_LABELS
    store.edit(after, edit, pack_labels(b"\7"), "anna")
    # Another shape under the same digest is a matter of its own.
    other = plane_digest(5, 5, 8, bytes(25))
    store.put(PutPhoto(other, 250, 1, 8), b"", "bert")
    assert store.put(PutPhoto(other, 5, 5, 8, 0, 5), bytes(25), "anna") == 5


def test_who_puts_much_pushes_out_what_is_his_own():
    store = PlaneStore(budget=1000)
    mine = plane_digest(10, 10, 8, bytes(100))
    store.put(PutPhoto(mine, 10, 10, 8, 0, 10), bytes(100), "anna")
    for number in range(1, 30):
        pixels = bytes([number]) * 100
        digest = plane_digest(10, 10, 8, pixels)
        store.put(PutPhoto(digest, 10, 10, 8, 0, 10), pixels, "bert")
    assert store.get(mine, "anna")
    assert store.used <= 1000


def test_what_is_only_announced_takes_no_room():
    store = PlaneStore(budget=1 << 30)
    mine = put(store, bytes(100), 10, 10)
    for number in range(100):
        store.put(PutPhoto(f"{number:032x}", 20_000, 20_000, 16), b"", "bert")
    assert store.used == 100
    assert store.get(mine)


def test_planes_of_one_owner_have_a_limit():
    store = PlaneStore()
    for number in range(3000):
        pixels = number.to_bytes(2, "big")
        digest = plane_digest(2, 1, 8, pixels)
        store.put(PutPhoto(digest, 2, 1, 8, 0, 1), pixels, "bert")
    assert store.used == 2 * 2048
    assert store.get(digest, "bert")
