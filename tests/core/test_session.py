"""A session against the worker's own store: what travels, and what arrives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcolor.client.session import Session
from semcolor.client.worker_client import WorkerClient
from semcolor.protocol import results, schema
from semcolor.shared.color_notes import NOTES_LIMIT, ColorNote
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker.supervisor.plane_store import PlaneStore


class StoreClient(WorkerClient):
    """A worker that keeps planes and paints everything black; ``sent`` are (op, bytes)."""

    def __init__(self):
        self.store, self.sent = PlaneStore(), []

    def exchange(self, requests, frame=b"", on_stage=None):
        for request in requests:
            self.sent.append((request.op, len(frame)))
            yield self.answer(request, frame)
            frame = b""

    def answer(self, request, frame):
        if isinstance(request, schema.PutPhoto | schema.PutLabels):
            return results.PutResult(self.store.put(request, frame)), b""
        self.seen = request
        if isinstance(request, schema.LabelsRequest) and request.edit:
            self.store.edit(request.labels, request.edit, frame)
        for digest in (*request.planes, *request.planes_before):
            if self.store.get(digest) is None:
                photo = digest == request.photo
                raise SemcolorError(Code.UNKNOWN_PHOTO if photo else Code.UNKNOWN_LABELS)
        if isinstance(request, schema.Suggest):
            return results.SuggestResult(()), b""
        if isinstance(request, schema.Recolor):
            return results.RecolorResult(NOWHERE, 0), b""
        region = getattr(request, "region", NOWHERE)
        return results.RegionResult(), bytes(3 * region.pixels)

    def labels(self, shape):
        """The label map of the last request."""
        plane = self.store.get(self.seen.labels)
        return np.frombuffer(plane.pixels, np.uint8).reshape(shape)


def colorize(session):
    session.client.sent.clear()
    session.colorize(session.whole, 0, lambda *_: None)
    return [op for op, _ in session.client.sent]


@given(st.data())
def test_the_worker_has_the_labels_of_the_session_whatever_it_forgot(data):
    height, width = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 9))
    session = Session(StoreClient(), np.zeros((height, width), np.uint8))
    labels = np.zeros((height, width), np.uint8)
    session.set_labels(labels)
    for value in range(1, 6):
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        size = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
        region = Rectangle(x, y, *size)
        labels[region.rows, region.columns] = value
        session.edit_labels(region, np.full((region.height, region.width), value, np.uint8))
        if data.draw(st.booleans()):
            session.client.store = PlaneStore()
        if data.draw(st.booleans()):
            colorize(session)
            assert (session.client.labels(labels.shape) == labels).all()
    assert (session.labels == labels).all()


def test_a_result_at_a_smaller_detail_is_noticed():
    class SmallClient(StoreClient):
        def answer(self, request, frame):
            result, frame = super().answer(request, frame)
            small = isinstance(result, results.RegionResult) and request.detail > 192
            return (results.RegionResult(192) if small else result), frame

    session = Session(SmallClient(), np.zeros((40, 60), np.uint8))
    for detail, lowered in ((0, 0), (384, 192), (0, 0)):
        assert session.colorize(session.whole, detail, lambda *_: None).detail == lowered


def test_an_edit_sends_the_rectangle_only():
    noise = np.random.default_rng(0).integers(0, 60, (500, 400)).astype(np.uint8)
    session = Session(StoreClient(), np.zeros(noise.shape, np.uint8))
    session.set_labels(noise)
    assert colorize(session) == ["put_photo", "put_photo", "put_labels", "colorize"]
    session.edit_labels(Rectangle(10, 20, 30, 40), np.full((40, 30), 7, np.uint8))
    session.edit_labels(Rectangle(20, 30, 40, 40), np.full((40, 40), 8, np.uint8))
    assert colorize(session) == ["colorize"]
    assert sum(size for _, size in session.client.sent) < 50 * 50 + 100
    assert colorize(session) == ["colorize"]


def test_the_callers_array_stays_as_it_was():
    labels = np.zeros((4, 4), np.uint8)
    session = Session(StoreClient(), labels)
    session.set_labels(labels)
    session.edit_labels(Rectangle(0, 0, 4, 4), np.ones((4, 4), np.uint8))
    assert not labels.any()


def test_notes_travel_with_each_request():
    session = Session(StoreClient(), np.arange(16, dtype=np.uint8).reshape(4, 4))
    session.set_notes([ColorNote(7, "#102030", (1.0, 0.5)), ColorNote(9, "#ffffff")])
    assert colorize(session) == ["put_photo", "put_photo", "colorize"]
    tints = (schema.Tint(9, "#ffffff"), schema.Tint(7, "#102030", 3, 2))
    assert session.client.seen.tints == tints
    session.set_notes([])
    session.recolor(0, quiet)
    assert (session.client.seen.tints, session.client.seen.tints_before) == ((), tints)
    with pytest.raises(SemcolorError, match="At most"):
        session.set_notes([ColorNote(7, "#102030")] * (NOTES_LIMIT + 1))


def test_edits_that_do_not_fit_are_refused():
    session = Session(StoreClient(), np.zeros((4, 4), np.uint8))
    with pytest.raises(SemcolorError, match="no labels"):
        session.edit_labels(Rectangle(0, 0, 1, 1), np.ones((1, 1), np.uint8))
    session.set_labels(np.zeros((4, 4), np.uint8))
    for region, shape in [(Rectangle(3, 0, 2, 1), (1, 2)), (Rectangle(0, 0, 2, 1), (1, 1))]:
        with pytest.raises(SemcolorError, match="do not fit"):
            session.edit_labels(region, np.ones(shape, np.uint8))
    assert not session.labels.any()


def test_an_edit_of_nothing_changes_nothing():
    session = Session(StoreClient(), np.zeros((4, 4), np.uint8))
    session.set_labels(np.zeros((4, 4), np.uint8))
    session.edit_labels(Rectangle(0, 0, 0, 0), np.zeros((0, 0), np.uint8))
    assert not session.labels.any()
    assert colorize(session)[-1] == "colorize"


def quiet(*_):
    pass


class Recolorer(StoreClient):
    """Says that a rectangle has changed, and gives its first rows."""

    region, rows = Rectangle(1, 2, 3, 4), 4

    def answer(self, request, frame):
        reply = super().answer(request, frame)
        if not isinstance(request, schema.Recolor):
            return reply
        pixels = bytes([7]) * 3 * self.region.width * self.rows
        return results.RecolorResult(self.region, self.rows, 192), pixels


def test_recolor_asks_for_the_difference_to_the_last_colour():
    session = Session(Recolorer(), np.zeros((9, 9), np.uint8))
    session.set_labels(np.zeros((9, 9), np.uint8))
    first = session.recolor(0, quiet)
    assert (first.region, first.rgb.shape) == (session.whole, (9, 9, 3))  # there was no colour
    before = session.client.seen = None
    for value in (1, 2):
        session.edit_labels(Rectangle(0, 0, 1, 1), np.full((1, 1), value, np.uint8))
        session.client.sent.clear()
        changed = session.recolor(0, quiet)
        assert [op for op, _ in session.client.sent] == ["recolor"]  # one request
        assert session.client.sent[0][1] > 0  # which carries the edit
        assert (changed.region, changed.detail) == (Recolorer.region, 192)
        assert (changed.rgb == 7).all()
        assert changed.rgb.shape == (4, 3, 3)
        assert not changed.rest
        assert session.client.seen.before != session.client.seen.labels
        assert before in (None, session.client.seen.before)
        before = session.client.seen.labels
    assert session.recolor(64, quiet).region == session.whole  # another detail: another colour
    session.client.store = PlaneStore()
    session.edit_labels(Rectangle(0, 0, 1, 1), np.full((1, 1), 3, np.uint8))
    assert session.recolor(64, quiet).region == session.whole  # what was there before is lost
    assert session.client.labels((9, 9))[0, 0] == 3


def test_of_a_large_change_the_rest_is_pulled():
    class Client(Recolorer):
        rows = 1

    session = Session(Client(), np.zeros((9, 9), np.uint8))
    session.recolor(0, quiet)
    changed = session.recolor(0, quiet)
    assert (changed.rgb.shape, changed.rest) == ((1, 3, 3), Rectangle(1, 3, 3, 3))
    assert session.colorize(changed.rest, 0, quiet).rgb.shape == (3, 3, 3)


def test_predicted_labels_do_not_travel():
    session = Session(StoreClient(), np.zeros((9, 9), np.uint8))
    session.set_labels(np.ones((9, 9), np.uint8))
    session.use_predicted_labels()
    assert colorize(session) == ["put_photo", "put_photo", "colorize"]
    assert session.client.seen.labels == schema.PREDICTED
    assert session.labels is None
    session.recolor(0, quiet)
    session.set_labels(None)
    assert session.recolor(0, quiet).region == session.whole
    assert session.client.seen.labels == ""


def test_only_the_last_selection_is_kept():
    session = Session(StoreClient(), np.zeros((4, 4), np.uint8))
    for level in range(40):
        session.suggest(np.full((4, 4), level, np.uint8), 0, quiet)
    session.client.store = PlaneStore()
    assert colorize(session).count("put_labels") <= 1
