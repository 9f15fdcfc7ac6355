"""The worker's heartbeat, on real sockets: who waits for a long job hears that it is alive."""

import itertools
import os
import signal
import time

from semcolor.client.session import Session
from semcolor.protocol import codec, schema
from semcolor.shared.geometry import Rectangle

from .helpers import children, next_reply, raw_socket, wait_until


def beats(dealer, job, seconds):
    """When progress came for a job, which does not end in that time."""
    times, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if dealer.poll(1000 * left):
            reply = codec.unpack(dealer.recv_multipart()[0])
            assert reply["kind"] == "progress"
            if reply["id"] == job:
                times.append(time.monotonic())
    return times


def test_a_job_that_runs_for_long_has_a_heartbeat(own_worker, sample_gray):
    """The engine stands still in the middle of its job; a job behind it waits."""
    session = Session(own_worker, sample_gray)
    session.colorize(Rectangle(0, 0, 9, 9), 0, lambda *_: None)
    wait_until(lambda: own_worker.status().state == "ready")
    (engine,) = children(own_worker.hello().pid)
    dealer = raw_socket(own_worker.connection)
    os.kill(engine, signal.SIGSTOP)
    try:
        for job in ("runs", "waits"):
            request = schema.Segment(session.photo, Rectangle(0, 0, 9, 9))
            dealer.send(codec.encode_request(job, request))
        wait_until(lambda: own_worker.status().waiting == 2)
        assert own_worker.status().state == "busy"
        running = beats(dealer, "runs", seconds=4.5)
        waiting = beats(dealer, "waits", seconds=2.5)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert len(running) >= 3  # a client gives up after a silence of 20 s
    assert max(b - a for a, b in itertools.pairwise(running)) < 2.5
    assert len(waiting) >= 1
    ended = []
    while len(ended) < 2:
        reply = next_reply(dealer, seconds=60)
        if reply["kind"] == "result":
            ended.append(reply["id"])
    dealer.close()
    assert ended == ["runs", "waits"]
