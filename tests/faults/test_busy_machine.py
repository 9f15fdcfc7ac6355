"""A worker that is alive but slow is waited for, and not reported as one that isn't there."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from semcolor.client import local_worker
from semcolor.photos.label_colors import palette, to_rgba
from semcolor.protocol import codec, schema

from .helpers import children, raw_socket, semcolor, wait_until

LOAD = 6  # processes that compute all the time
SLOW = 13.0  # seconds; in less, a client has tried three times to reach a worker
SKY, GRASS = 50, 36


@contextlib.contextmanager
def stopped(pid):
    """A process stands still for as long as this is open, if it lives so long."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def start(*arguments):
    return subprocess.Popen(
        semcolor(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def printed(process, seconds=100):
    """What a command printed that succeeded."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out


@pytest.fixture
def no_worker_left(home):
    yield
    local_worker.stop()


@pytest.fixture
def busy():
    """A machine with much else to do."""
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOAD)]
    yield
    for process in load:
        process.kill()
        process.wait()


class Bridge:
    """The bridge's process, as the plug-in has it."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "semcolor.bridge"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, op, payload=b"", **fields):
        """The result's header and payload; progress is passed over."""
        header = json.dumps({"op": op, **fields}).encode()
        self._process.stdin.write(struct.pack(">II", len(header), len(payload)) + header + payload)
        self._process.stdin.flush()
        while True:
            sizes = struct.unpack(">II", self._process.stdout.read(8))
            reply, pixels = map(self._process.stdout.read, sizes)
            reply = json.loads(reply)
            if reply["type"] != "progress":
                assert reply["type"] == "result", reply
                return reply, pixels

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)


def colors_after_a_stroke(bridge, gray):
    """The colours of a photo's top left corner, without labels and after a stroke there."""
    height, width = gray.shape
    bridge.ask("begin_photo", width=width, height=height, format="Y' u8")
    bridge.ask("rows", gray.tobytes())
    colors = np.insert(palette(), 3, 255, axis=1).tobytes()
    bridge.ask("begin_labels", colors, width=width, height=height)
    bridge.ask("rows", to_rgba(np.full(gray.shape, SKY, np.uint8)).tobytes())
    bridge.ask("colorize", detail=256, depth=8)
    corner = {"first_row": 0, "rows": 64, "x": 0, "width": 64}
    before = bridge.ask("color_rows", **corner)[1]
    bridge.ask("edit_labels", by_hand=True, x=0, y=0, width=64, height=64)
    bridge.ask("rows", to_rgba(np.full((64, 64), GRASS, np.uint8)).tobytes())
    bridge.ask("recolor", detail=256, depth=8)
    return before, bridge.ask("color_rows", **corner)[1]


def test_all_goes_its_way_on_a_busy_machine(busy, no_worker_left, sample, sample_gray, tmp_path):
    assert "the worker runs" in printed(start("worker", "start"))
    local_worker.stop()
    out = tmp_path / "out.png"
    printed(start("colorize", sample, "-o", out, "--detail", 256))  # it starts another
    assert out.exists()
    local_worker.stop()
    bridge = Bridge()
    before, after = colors_after_a_stroke(bridge, sample_gray)
    bridge.close()
    assert len(before) == len(after) == 64 * 64 * 3
    assert before != after
    assert "restarts  0" in printed(start("worker", "status"))


def test_a_worker_that_is_slow_to_answer_its_first_hello_is_waited_for(no_worker_left):
    starting = start("worker", "start")
    wait_until(lambda: children(starting.pid))
    (worker,) = children(starting.pid)
    with contextlib.ExitStack() as stack:
        with stopped(starting.pid):  # so that its hello comes when the worker is stopped already
            wait_until(lambda: local_worker.read_connection() is not None)
            stack.enter_context(stopped(worker))
        asking = start("worker", "status")
        time.sleep(SLOW)
        assert (starting.poll(), asking.poll()) == (None, None)
    assert "the worker runs" in printed(starting)
    assert "restarts  0" in printed(asking)
    assert local_worker.start().hello().pid == worker


def test_a_worker_is_started_while_another_takes_its_time_to_end(no_worker_left):
    first = local_worker.start()
    wait_until(lambda: first.status().state == "ready")
    pid = first.hello().pid
    (engine,) = children(pid)
    dealer = raw_socket(first.connection)
    with stopped(engine):  # so that the worker has to end it by force
        dealer.send(codec.encode_request("1", schema.Stop()))
        wait_until(lambda: local_worker.read_connection() is None)
        assert "the worker runs" in printed(start("worker", "start"))
    dealer.close()
    assert local_worker.start().hello().pid != pid
