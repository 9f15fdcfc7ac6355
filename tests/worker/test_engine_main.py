"""The engine's loop without the engine: cancelling, planes in pieces, a device that fails."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import zmq

from semcolor.protocol.codec import decode_reply, encode_request
from semcolor.protocol.planes import PlaneHash
from semcolor.protocol.schema import Colorize
from semcolor.shared.errors import Code
from semcolor.shared.geometry import Rectangle
from semcolor_worker import engine_link
from semcolor_worker.engine import main as engine_main
from semcolor_worker.supervisor.plane_store import Plane

PHOTO = "0" * 32
REQUEST = Colorize(PHOTO, "", Rectangle(0, 0, 1, 1))


class FakeEngine:
    """Needs no planes; ``work`` is what a job does."""

    def __init__(self, work):
        self.device = torch.device("cpu")
        self.colorize = lambda request: work()

    def needed(self, request):
        return []

    def lacking(self, digests):
        return []

    def dropped(self):
        return []

    def new_plane(self, height, width, dtype):
        return torch.empty((height, width), dtype=dtype)


@pytest.fixture
def sockets():
    context = zmq.Context()
    ends = [context.socket(zmq.PAIR) for _ in range(2)]
    ends[0].bind("inproc://engine")
    ends[1].connect("inproc://engine")
    yield ends
    context.destroy(linger=0)


def do(work):
    """The header of the reply."""
    frames = [zmq.Frame(encode_request("7", REQUEST))]
    return engine_main._do(FakeEngine(work), engine_link.Job(), frames)[1]


def test_cancelling_ends_the_job_at_its_next_checkpoint(sockets):
    supervisor, engine = sockets
    begun = threading.Event()

    def work():
        for _ in range(100_000):
            begun.set()
            engine_main._check(engine)
        raise AssertionError("nobody cancelled it")

    def cancel():
        begun.wait()
        supervisor.send(engine_link.encode(engine_link.Cancel()))

    thread = threading.Thread(target=cancel)
    thread.start()
    reply = do(work)
    thread.join()
    assert decode_reply(reply, REQUEST)[1].code == Code.CANCELLED
    engine_main._check(engine)  # the next job is not meant


def test_a_plane_arrives_block_by_block(sockets):
    supervisor, engine = sockets
    pixels = np.arange(150 * 7, dtype=np.uint16).reshape(150, 7)
    plane = Plane(7, 150, 16, [], PlaneHash(7, 150, 16))
    plane.append(150, pixels.tobytes())
    for block in plane.blocks:
        supervisor.send(block)
    received = engine_main._receive_plane(
        FakeEngine(None), engine, engine_link.Plane("", 7, 150, 16)
    )
    assert (received.numpy() == pixels).all()


@pytest.mark.parametrize("error", [RuntimeError("no memory"), MemoryError()])
def test_an_error_is_an_answer(error):
    def work():
        raise error

    assert decode_reply(do(work), REQUEST)[1].code == Code.ENGINE_FAILED


def test_a_device_that_fails_for_good_ends_the_process():
    def work():
        raise torch.AcceleratorError("unspecified launch failure")

    with pytest.raises(torch.AcceleratorError):
        do(work)


OUT_OF_MEMORY = """
import threading
from semcolor_worker.engine import main as engine_main
from test_engine_main import do

threading.Thread(target=engine_main._end_with_supervisor, daemon=True).start()

def work():
    raise RuntimeError("could not create a primitive")

do(work)
"""


def test_the_supervisor_hears_that_memory_ran_out_for_good():
    """By the status of the real process, of which a thread waits for the supervisor's end."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    engine = subprocess.Popen(
        [sys.executable, "-c", OUT_OF_MEMORY], stdin=subprocess.PIPE, env=environment
    )
    assert engine.wait(60) == engine_main.OUT_OF_MEMORY


def test_any_fault_of_a_job_is_the_job_s():
    for error in (IndexError("out of range"), KeyError("x"), AssertionError(), ZeroDivisionError()):

        def work(error=error):
            raise error

        assert decode_reply(do(work), REQUEST)[1].code == Code.ENGINE_FAILED
