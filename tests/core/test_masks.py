"""Selections come and go: neither the client nor the worker keeps those of earlier suggestions."""

import tracemalloc

import numpy as np

from semcolor.client.session import Session
from semcolor.client.worker_client import WorkerClient
from semcolor.protocol import schema
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.supervisor.plane_store import PlaneStore

SHAPE = (1000, 1000)
PLANE = SHAPE[0] * SHAPE[1]  # bytes


class SuggestingClient(WorkerClient):
    """A worker that suggests nothing, once it has what it needs; ``sent``: what came, by name."""

    def __init__(self, store):
        self.store, self.sent = store, []

    def exchange(self, requests, frame=b"", *_, **__):
        for request in requests:
            self.sent.append(request.op)
            yield self.answer(request, frame), b""

    def answer(self, request, frame):
        result = schema.RESULTS[type(request)]
        if isinstance(request, schema.PutPhoto | schema.PutLabels):
            return result(self.store.put(request, frame))
        for digest in request.planes:
            if self.store.get(digest) is None:
                photo = digest == request.photo
                raise SemcolorError(Code.UNKNOWN_PHOTO if photo else Code.UNKNOWN_LABELS)
        return result(())


class NoStore:
    """Has every plane and keeps none, so that the memory in use is the session's."""

    def put(self, strip, frame):
        return strip.height

    def get(self, digest):
        return True


def suggest(session, number):
    """For another selection each time, which nobody but semcolor keeps."""
    mask = np.full(SHAPE, number, np.uint8)
    session.suggest(mask, 0, lambda *_: None)


def test_many_suggestions_need_no_more_memory_than_a_few():
    session = Session(SuggestingClient(NoStore()), np.zeros(SHAPE, np.uint8))
    used = []
    tracemalloc.start()
    try:
        for number in range(1, 31):
            suggest(session, number)
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert used[-1] - used[4] < 3 * PLANE


def test_a_worker_that_forgot_everything_gets_only_what_is_needed_now():
    client = SuggestingClient(PlaneStore())
    session = Session(client, np.zeros(SHAPE, np.uint8))
    for number in range(1, 11):
        suggest(session, number)
    before = len(client.sent)
    client.store = PlaneStore()
    suggest(session, 11)
    again = client.sent[before:]
    assert again[-1] == "suggest"
    assert again.count("put_labels") <= 2  # the selection of now; the first time it came too early


def test_earlier_selections_make_way_in_the_worker_and_the_photo_stays():
    client = SuggestingClient(PlaneStore(budget=4 * PLANE))
    session = Session(client, np.zeros(SHAPE, np.uint8))
    for number in range(1, 11):
        suggest(session, number)
        assert client.store.used <= 4 * PLANE
    assert client.sent.count("put_photo") <= 2  # whether it is there, and then the photo, once
