"""The bridge against a scripted worker: frames in, frames out."""

import io
import json
import struct
import threading

import numpy as np
import pytest

from semcolor import bridge, messages
from semcolor.client import WorkerClient
from semcolor.errors import Code, SemcolorError
from semcolor.labels import to_rgba


class FakeWorkerClient(WorkerClient):
    """Answers by a script: op → a function of the request, giving result and frame."""

    def __init__(self, **script):
        self.script = script
        self.seen = []

    def exchange(self, requests, frame=b"", on_text=None):
        for request in requests:
            self.seen.append(request.op)
            if on_text:
                on_text("working")
            yield self.answer(request)

    def answer(self, request):
        if request.op in self.script:
            return self.script[request.op](request)
        if request.op.startswith("put_"):
            return messages.PutResult(request.height), b""
        raise AssertionError(f"no answer to {request.op} in the script")


def sky(request):
    return messages.RegionResult(), messages.pack_labels(bytes([50]) * request.region.pixels)


def blue(request):
    return messages.RegionResult(), bytes([40, 60, 200]) * request.region.pixels


def frame(op, payload=b"", **fields):
    header = json.dumps({"op": op, **fields}).encode()
    return struct.pack(">II", len(header), len(payload)) + header + payload


def answers(client, *frames):
    """All frames that the bridge sends, as (header, payload)."""
    out = io.BytesIO()
    bridge.serve(io.BytesIO(b"".join(frames)), out, lambda gone: client)
    raw, received = out.getvalue(), []
    while raw:
        header_bytes, payload_bytes = struct.unpack(">II", raw[:8])
        end = 8 + header_bytes + payload_bytes
        received.append((json.loads(raw[8 : 8 + header_bytes]), raw[8 + header_bytes : end]))
        raw = raw[end:]
    return [entry for entry in received if entry[0]["type"] != "progress"]


PHOTO = [
    frame("begin_photo", width=4, height=3, format="Y' u8"),
    frame("rows", bytes(range(8))),
    frame("rows", bytes(range(4))),
]


def test_photo_to_labels_to_colour():
    labels = to_rgba(np.full((3, 4), 36, np.uint8)).tobytes()
    client = FakeWorkerClient(segment=sky, colorize=blue)
    replies = answers(
        client, frame("hello", protocol=1), *PHOTO,
        frame("segment", detail=0), frame("label_rows", first_row=1, rows=2),
        frame("begin_labels", width=4, height=3), frame("rows", labels),
        frame("colorize", detail=0, depth=8), frame("color_rows", first_row=2, rows=1),
    )  # fmt: skip
    assert {header["type"] for header, _ in replies} == {"result"}
    assert replies[4][0]["classes"] == [{"id": 50, "name": "sky", "share": 1.0}]
    assert replies[5][1] == to_rgba(np.full((2, 4), 50, np.uint8)).tobytes()
    assert replies[7][0]["ambiguous"] == 0
    assert replies[-1][1] == bytes([40, 60, 200]) * 4
    assert "put_labels" in client.seen


def test_depth_is_what_the_image_needs():
    replies = answers(
        FakeWorkerClient(colorize=blue), *PHOTO,
        frame("colorize", detail=0, depth=16), frame("color_rows", first_row=0, rows=1),
    )  # fmt: skip
    pixels = np.frombuffer(replies[-1][1], np.uint16).reshape(4, 3)
    assert pixels[0].tolist() == [40 * 257, 60 * 257, 200 * 257]


def test_neutral_colours_are_the_same_photo_as_gray():
    def digest_of(pixel_format, pixels):
        digests = []

        def put(request):
            digests.append(request.digest)
            return messages.PutResult(request.height), b""

        begin = frame("begin_photo", width=2, height=1, format=pixel_format)
        client = FakeWorkerClient(put_photo=put, segment=sky)
        answers(client, begin, frame("rows", pixels), frame("segment", detail=0))
        return digests[0]

    gray = digest_of("Y' u8", bytes([10, 200]))
    assert digest_of("R'G'B' u8", bytes([10, 10, 10, 200, 200, 200])) == gray
    assert digest_of("R'G'B' u8", bytes([10, 10, 10, 200, 200, 0])) != gray


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([frame("dance")], "does not know"),
        ([frame("hello", protocol=99)], "run the installer again"),
        ([frame("begin_photo", width=4, height=3, format="CMYK")], "cannot come as"),
        ([frame("begin_photo", width=0, height=3, format="Y' u8")], "scale the image down"),
        ([PHOTO[0], frame("rows", b"abc")], "whole rows"),
        ([PHOTO[0], frame("rows", bytes(16))], "whole rows"),
        ([frame("segment", detail=0)], "no photo"),
        ([frame("hello", surprise=1)], "sent wrongly"),
        ([*PHOTO, frame("begin_labels", width=2, height=2), frame("rows", bytes(16))], "2 × 2"),
    ],
)
def test_wrong_requests_get_a_sentence_and_the_bridge_lives(frames, message):
    replies = answers(FakeWorkerClient(), *frames, frame("hello", protocol=1))
    assert replies[-2][0]["type"] == "error"
    assert message in replies[-2][0]["message"]
    assert replies[-1][0]["type"] == "result"


def test_the_workers_error_reaches_the_plug_in():
    def fail(request):
        raise SemcolorError(Code.UNREACHABLE, "the worker does not answer")

    replies = answers(FakeWorkerClient(segment=fail), *PHOTO, frame("segment", detail=0))
    assert replies[-1][0]["code"] == "worker_unreachable"


def test_the_end_of_the_plug_in_cancels_the_work():
    cancelled = threading.Event()

    def connect(gone):
        client = FakeWorkerClient(segment=lambda _: wait(gone))
        return client

    def wait(gone):
        assert gone.wait(10)
        cancelled.set()
        raise SemcolorError(Code.CANCELLED, "cancelled")

    out = io.BytesIO()
    bridge.serve(io.BytesIO(b"".join([*PHOTO, frame("segment", detail=0)])), out, connect)
    assert cancelled.is_set()
