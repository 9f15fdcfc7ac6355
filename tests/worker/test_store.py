import pytest
from semcolor_worker.store import PlaneStore

from semcolor.errors import Code, SemcolorError
from semcolor.messages import PutLabels, PutPhoto, pack_labels, plane_digest


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
    assert caught.value.code == Code.TOO_LARGE
