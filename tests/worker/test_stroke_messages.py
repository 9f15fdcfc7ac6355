"""What goes to a real engine for a stroke: counted."""

import time

import numpy as np
import pytest
import zmq

from semcolor.protocol.codec import decode_reply, encode_request
from semcolor.protocol.planes import pack_labels, plane_digest, unpack_labels
from semcolor.protocol.results import Progress, RecolorResult
from semcolor.protocol.schema import (
    PREDICTED,
    Colorize,
    Edit,
    PutLabels,
    PutPhoto,
    Recolor,
    Segment,
)
from semcolor.shared.errors import SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor_worker import engine_link
from semcolor_worker.supervisor.engine_process import EngineChild
from semcolor_worker.supervisor.plane_store import PlaneStore
from semcolor_worker.supervisor.pool import EnginePool
from semcolor_worker.supervisor.scheduler import Job

HEIGHT, WIDTH = 200, 300
WHOLE = Rectangle(0, 0, WIDTH, 10)


class CountedChild(EngineChild):
    """Notes the kind of each message, and its frames."""

    def send(self, message, *frames):
        self.log.append((type(message), len(frames)))
        super().send(message, *frames)

    def send_blocks(self, blocks):
        self.log.append(("blocks", len(list(blocks))))
        super().send_blocks(blocks)

    def receive(self):
        message, frames = super().receive()
        self.log.append((type(message), len(frames)))
        return message, frames


class Worker:
    """A pool with one real engine, and its store."""

    def __init__(self):
        self.context, self.store = zmq.Context(), PlaneStore()
        self.child = CountedChild(self.context, "cpu")
        self.child.log = []
        self.pool = EnginePool(lambda _: self.child, ["cpu"], self.store, self.take)
        self.pool.devices.start()
        self.reply = None

    def close(self):
        self.pool.devices.stop()
        self.context.destroy(linger=0)

    def take(self, job, reply, pixels):
        if not isinstance(reply, Progress):
            self.reply = reply, pixels

    def do(self, request, session=b"a"):
        """The reply to a request, its pixels, and what went to the engine and came back."""
        self.child.log.clear()
        self.reply, deadline = None, time.monotonic() + 60
        self.pool.submit(Job(session, "7", request, encode_request("7", request)))
        while self.reply is None:
            assert time.monotonic() < deadline
            poller = zmq.Poller()
            for socket in self.pool.devices.sockets:
                poller.register(socket, zmq.POLLIN)
            self.pool.turn({socket for socket, _ in poller.poll(50)})
        header, pixels = self.reply
        if isinstance(header, SemcolorError):
            raise header
        reply = decode_reply(header.bytes, request)[1]
        lately = [entry for entry in self.child.log if entry[0] not in STARTING]
        return reply, bytes(pixels.buffer) if pixels else b"", lately


STARTING = (engine_link.Loading, engine_link.Ready)
JOB_WITH_AN_EDIT = (engine_link.Job, 2)  # the client's header, the pixels
ONE_REPLY = (engine_link.Reply, 2)  # the header for the client, the pixels


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def put_photo(store):
    gray = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8).tobytes()
    photo = plane_digest(WIDTH, HEIGHT, 8, gray)
    store.put(PutPhoto(photo, WIDTH, HEIGHT, 8, 0, HEIGHT), gray)
    return photo


def put_labels(store, labels):
    digest = plane_digest(WIDTH, HEIGHT, 8, labels.tobytes())
    store.put(PutLabels(digest, WIDTH, HEIGHT, 0, HEIGHT), pack_labels(labels.tobytes()))
    return digest


def edit(store, labels, base, region, value):
    """Paint; the digest of the labels then."""
    labels[region.rows, region.columns] = value
    digest = plane_digest(WIDTH, HEIGHT, 8, labels.tobytes())
    store.edit(digest, Edit(base, region), pack_labels(bytes([value]) * region.pixels))
    return digest


def test_a_stroke_is_one_message_to_the_engine_and_one_back(worker):
    photo = put_photo(worker.store)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    before = put_labels(worker.store, labels)
    _, _, sent = worker.do(Colorize(photo, before, WHOLE))
    planes = [(engine_link.Plane, 0), ("blocks", 4)] * 2
    assert sent == [*planes, (engine_link.Job, 1), ONE_REPLY]  # all at once, without being asked
    for value in (36, 50, 7):
        region = Rectangle(10 * value % 200, 50, 60, 70)
        after = edit(worker.store, labels, before, region, value)
        result, pixels, sent = worker.do(Recolor(photo, after, before))
        assert sent == [JOB_WITH_AN_EDIT, ONE_REPLY]
        assert isinstance(result, RecolorResult)
        assert len(pixels) == result.rows * result.region.width * 3 > 0
        _, _, sent = worker.do(Colorize(photo, after, WHOLE))
        assert sent == [(engine_link.Job, 1), ONE_REPLY]
        before = after


def test_an_engine_whose_results_are_gone_keeps_the_labels_before(worker):
    """Colour before is made again at another detail, which it was never asked for at."""
    photo = put_photo(worker.store)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    before = put_labels(worker.store, labels)
    worker.do(Colorize(photo, before, WHOLE, 128))
    after = edit(worker.store, labels, before, Rectangle(20, 20, 100, 100), 36)
    _, _, sent = worker.do(Recolor(photo, after, before, 64))
    assert sent == [JOB_WITH_AN_EDIT, ONE_REPLY]
    other = put_labels(worker.store, np.full((HEIGHT, WIDTH), 50, np.uint8))
    _, _, sent = worker.do(Recolor(photo, after, other, 64))  # which it never had
    missing = [(engine_link.Missing, 0), (engine_link.Plane, 0), ("blocks", 4)]
    assert sent == [(engine_link.Job, 1), *missing, (engine_link.Job, 1), ONE_REPLY]


def test_predicted_labels_colour_like_those_that_were_segmented(worker):
    photo = put_photo(worker.store)
    whole = Rectangle(0, 0, WIDTH, HEIGHT)
    _, predicted, _ = worker.do(Colorize(photo, PREDICTED, whole))
    _, frame, _ = worker.do(Segment(photo, whole))
    labels = np.frombuffer(unpack_labels(frame, whole.pixels), np.uint8).reshape(HEIGHT, WIDTH)
    assert len(np.unique(labels)) > 1
    _, segmented, _ = worker.do(Colorize(photo, put_labels(worker.store, labels), whole))
    assert predicted == segmented
    _, unlabelled, _ = worker.do(Colorize(photo, "", whole))
    assert predicted != unlabelled
