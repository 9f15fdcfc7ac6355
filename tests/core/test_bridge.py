"""The bridge against a scripted worker: frames in, frames out."""

import io
import json
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from semcolor.bridge import labels as bridge_labels
from semcolor.bridge import server as bridge
from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.worker_client import WorkerClient
from semcolor.photos.label_colors import palette, to_rgba
from semcolor.photos.label_files import read_label_map, write_label_map
from semcolor.protocol import planes, results, schema
from semcolor.shared import bridge_schema, geometry
from semcolor.shared.classes import all_classes
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.sentences import error_sentence
from semcolor.shared.states import Stage


class FakeWorkerClient(WorkerClient):
    """Answers by a script: op → a function of the request, giving result and frame."""

    def __init__(self, **script):
        self.script = script
        self.seen = []

    def exchange(self, requests, frame=b"", on_stage=None):
        for request in requests:
            self.seen.append(request.op)
            if on_stage:
                on_stage(Stage.WAITING)
            yield self.answer(request)

    def answer(self, request):
        if request.op in self.script:
            return self.script[request.op](request)
        if request.op.startswith("put_"):
            return results.PutResult(request.height), b""
        raise AssertionError(f"no answer to {request.op} in the script")


def sky(request):
    return results.RegionResult(), planes.pack_labels(bytes([50]) * request.region.pixels)


def blue(request):
    return results.RegionResult(), bytes([40, 60, 200]) * request.region.pixels


def frame(op, payload=b"", **fields):
    header = json.dumps({"op": op, **fields}).encode()
    return struct.pack(">II", len(header), len(payload)) + header + payload


def edited(**place):
    """The restorer has painted in this rectangle."""
    return frame("edit_labels", by_hand=True, **place)


def answers(client, *frames):
    """All frames that the bridge sends, as (header, payload); for a client, or what makes one."""
    out = io.BytesIO()
    connect = client if callable(client) else lambda gone: client
    bridge.serve(io.BytesIO(b"".join(frames)), out, connect)
    raw, received = out.getvalue(), []
    while raw:
        header_bytes, payload_bytes = struct.unpack(">II", raw[:8])
        end = 8 + header_bytes + payload_bytes
        received.append((json.loads(raw[8 : 8 + header_bytes]), raw[8 + header_bytes : end]))
        raw = raw[end:]
    return [entry for entry in received if entry[0]["type"] != "progress"]


def sentence(header):
    """The error's, as the plug-in makes it."""
    return error_sentence(Code(header["code"]), header["parameters"])


PHOTO = [
    frame("begin_photo", width=4, height=3, format="Y' u8"),
    frame("rows", bytes(range(8))),
    frame("rows", bytes(range(4))),
]

PALETTE = np.insert(palette(), 3, 255, axis=1).tobytes()
SKY, GRASS = (to_rgba(np.full((1, 1), i, np.uint8)).tobytes() for i in (50, 36))
LABELLED = [*PHOTO, frame("begin_labels", PALETTE, width=4, height=3), frame("rows", SKY * 12)]


def test_photo_to_labels_to_colour():
    labels = to_rgba(np.full((3, 4), 36, np.uint8)).tobytes()
    client = FakeWorkerClient(segment=sky, colorize=blue)
    replies = answers(
        client, frame("hello", protocol=bridge_schema.PROTOCOL), *PHOTO,
        frame("segment", detail=0), frame("label_rows", first_row=1, rows=2),
        frame("begin_labels", PALETTE, width=4, height=3), frame("rows", labels),
        frame("colorize", detail=0, depth=8), frame("color_rows", first_row=2, rows=1),
    )  # fmt: skip
    assert {header["type"] for header, _ in replies} == {"result"}
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


def test_a_lowered_detail_is_told():
    client = FakeWorkerClient(
        segment=lambda request: (results.RegionResult(128), sky(request)[1]),
        colorize=lambda request: (results.RegionResult(192), blue(request)[1]),
    )
    frames = frame("colorize", detail=0, depth=8), frame("color_rows", first_row=0, rows=1)
    replies = answers(client, *PHOTO, frame("segment", detail=0), *frames)
    assert [header.get("lowered") for header, _ in replies[-3:]] == [128, None, 192]


def test_neutral_colours_are_the_same_photo_as_gray():
    def digest_of(pixel_format, pixels):
        digests = []

        def put(request):
            digests.append(request.digest)
            return results.PutResult(request.height), b""

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
        ([frame("hello", protocol=99)], "Run semcolor's set-up again"),
        ([frame("begin_photo", width=4, height=3, format="CMYK")], "cannot come as"),
        ([frame("begin_photo", width=0, height=3, format="Y' u8")], "at least one pixel"),
        ([frame("begin_photo", width=70_000, height=3, format="Y' u8")], "Scale the photo down"),
        ([PHOTO[0], frame("rows", b"abc")], "whole rows"),
        ([PHOTO[0], frame("rows", bytes(16))], "more rows"),
        ([frame("segment", detail=0)], "no photo"),
        ([frame("hello", surprise=1)], "sent wrongly"),
        (
            [*PHOTO, frame("begin_labels", PALETTE, width=2, height=2), frame("rows", bytes(16))],
            "2 × 2",
        ),
        (
            [*PHOTO, edited(x=0, y=0, width=1, height=1)],
            "no labels yet",
        ),
        ([*PHOTO, frame("color_rows", first_row=2, rows=2)], "not inside the photo"),
        ([*PHOTO, frame("color_rows", first_row=0, rows=1, x=3, width=2)], "not inside the photo"),
        (
            [*LABELLED, edited(x=2, y=0, width=3, height=1)],
            "not inside the photo",
        ),
        ([*LABELLED, frame("label_rows", first_row=0, rows=0)], "not inside the photo"),
        (
            [
                *LABELLED,
                edited(x=0, y=0, width=2, height=1),
                frame("rows", bytes(16)),
            ],
            "more rows",
        ),
    ],
)
def test_wrong_requests_get_a_sentence_and_the_bridge_lives(frames, message):
    replies = answers(FakeWorkerClient(), *frames, frame("hello", protocol=bridge_schema.PROTOCOL))
    assert replies[-2][0]["type"] == "error"
    assert message in sentence(replies[-2][0])
    assert replies[-1][0]["type"] == "result"


def test_the_workers_error_reaches_the_plug_in():
    def fail(request):
        raise SemcolorError(Code.UNREACHABLE, address="tcp://10.0.0.1:7")

    replies = answers(FakeWorkerClient(segment=fail), *PHOTO, frame("segment", detail=0))
    error = {"code": "worker_unreachable", "parameters": {"address": "tcp://10.0.0.1:7"}}
    assert error.items() <= replies[-1][0].items()


def test_the_end_of_the_plug_in_cancels_the_work():
    cancelled = threading.Event()

    def connect(gone):
        client = FakeWorkerClient(segment=lambda _: wait(gone))
        return client

    def wait(gone):
        assert gone.wait(10)
        cancelled.set()
        raise SemcolorError(Code.CANCELLED)

    out = io.BytesIO()
    bridge.serve(io.BytesIO(b"".join([*PHOTO, frame("segment", detail=0)])), out, connect)
    assert cancelled.is_set()


WHERE = geometry.Rectangle(1, 0, 2, 2)
STROKE = {
    "x": 1, "y": 0, "width": 2, "height": 2, "by_hand": True, "detail": 0, "depth": 8
}  # fmt: skip


def recolored(request):
    """The first row of two that have changed."""
    assert request.before != request.labels
    return results.RecolorResult(WHERE, 1, 192), bytes([200, 60, 40]) * 2


@pytest.mark.parametrize("in_rows", [False, True])
def test_a_stroke_is_one_request_and_brings_its_colour(in_rows):
    """Pixels that go into no payload are sent in rows before."""
    client = FakeWorkerClient(colorize=blue, recolor=recolored)
    place = {key: STROKE[key] for key in ("x", "y", "width", "height")}
    before = [
        edited(**place),
        frame("rows", GRASS * 2),
        frame("rows", GRASS * 2),
    ]
    replies = answers(
        client, *LABELLED, frame("colorize", detail=0, depth=8), *(before if in_rows else []),
        frame("stroke", b"" if in_rows else GRASS * 4, **STROKE),
        frame("color_rows", first_row=1, rows=1, x=1, width=2),
        frame("label_rows", first_row=1, rows=2, x=1, width=3),
    )  # fmt: skip
    assert {header["type"] for header, _ in replies} == {"result"}
    answer, pixels = replies[-3]
    found = {**WHERE._asdict(), "rows": 1, "ambiguous": 0, "lowered": 192}
    assert answer == {"type": "result", **found}
    assert pixels == bytes([200, 60, 40]) * 2
    assert replies[-2][1] == bytes([40, 60, 200]) * 2
    assert replies[-1][1] == GRASS * 2 + SKY * 4
    assert client.seen[client.seen.index("colorize") :] == ["colorize", "recolor", "colorize"]


def test_a_stroke_that_changes_no_colour_brings_none():
    def nothing(request):
        return results.RecolorResult(geometry.NOWHERE, 0), b""

    replies = answers(
        FakeWorkerClient(colorize=blue, recolor=nothing), *LABELLED,
        frame("colorize", detail=0, depth=16), frame("stroke", GRASS * 4, **STROKE | {"depth": 16}),
        frame("recolor", detail=0, depth=16),
    )  # fmt: skip
    for header, pixels in replies[-2:]:
        assert (header["type"], header["width"], header["rows"], pixels) == ("result", 0, 0, b"")


def test_the_first_colour_is_everywhere():
    replies = answers(
        FakeWorkerClient(colorize=blue), *LABELLED, frame("stroke", GRASS * 4, **STROKE)
    )
    header, pixels = replies[-1]
    assert [header[key] for key in ("x", "y", "width", "height", "rows")] == [0, 0, 4, 3, 3]
    assert pixels == bytes([40, 60, 200]) * 12


def test_an_edit_in_rows_counts_what_is_ambiguous():
    replies = answers(
        FakeWorkerClient(), *LABELLED,
        edited(x=1, y=0, width=2, height=2),
        frame("rows", GRASS * 2), frame("rows", GRASS * 2),
        frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert replies[-2][0]["ambiguous"] == 0
    labels = SKY + GRASS * 2 + SKY
    assert replies[-1][1] == labels * 2 + SKY * 4


def test_soft_pixels_become_what_is_beside_them_and_are_counted_until_they_are_cleaned():
    soft = bytes([1, 2, 3, 255])
    pixel = {"x": 3, "y": 2, "width": 1, "height": 1}
    replies = answers(
        FakeWorkerClient(), *LABELLED,
        edited(x=3, y=1, width=1, height=2),
        frame("rows", soft), frame("rows", GRASS),
        edited(x=0, y=0, width=1, height=1), frame("rows", soft),
        edited(**pixel), frame("rows", GRASS), frame("clean_labels"),
        edited(**pixel), frame("rows", GRASS),
        frame("clean_labels"), frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert [replies[i][0]["ambiguous"] for i in (7, 9, 11, 14)] == [1, 2, 2, 0]
    keys = ("x", "y", "width", "height", "pixels")
    cleaned = [[replies[i][0][key] for key in keys] for i in (12, 15)]
    assert cleaned == [[0, 0, 4, 2, 2], [0, 0, 0, 0, 0]]
    assert replies[-1][1] == SKY * 11 + GRASS


def test_snapping_changes_the_labels():
    def snapped(request):
        assert (request.class_id, request.region) == (50, geometry.Rectangle(0, 0, 4, 3))
        region = geometry.Rectangle(2, 1, 2, 1)
        return results.SnapResult(region), planes.pack_labels(bytes([36, 36]))

    replies = answers(
        FakeWorkerClient(snap=snapped), *LABELLED,
        frame("snap_labels", x=0, y=0, width=4, height=3, class_id=50, selected=False, locked=[]),
        frame("label_rows", first_row=1, rows=1),
    )  # fmt: skip
    keys = ("x", "y", "width", "height", "pixels")
    assert [replies[-2][0][key] for key in keys] == [2, 1, 2, 1, 2]
    assert replies[-1][1] == SKY * 2 + GRASS * 2


def test_snapping_stays_inside_the_selection():
    """And the labels that the bridge has are those that the plug-in gets."""

    def snapped(_):
        return results.SnapResult(geometry.Rectangle(0, 0, 4, 3)), planes.pack_labels(
            bytes([36] * 12)
        )

    replies = answers(
        FakeWorkerClient(snap=snapped), *LABELLED,
        frame("begin_mask", x=1, y=0, width=2, height=2), frame("rows", bytes([255, 127, 0, 128])),
        frame("snap_labels", x=0, y=0, width=4, height=3, class_id=36, selected=True, locked=[]),
        frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert replies[-2][0]["pixels"] == 2
    assert replies[-1][1] == SKY + GRASS + SKY * 4 + GRASS + SKY * 5


def test_what_is_locked_stays():
    def snapped(_):
        return results.SnapResult(geometry.Rectangle(0, 0, 4, 3)), planes.pack_labels(
            bytes([36] * 12)
        )

    person = to_rgba(np.full((1, 1), 15, np.uint8)).tobytes()
    edit = frame("edit_labels", x=1, y=1, width=1, height=1, by_hand=True)
    replies = answers(
        FakeWorkerClient(snap=snapped), *LABELLED, edit, frame("rows", person),
        frame("snap_labels", x=0, y=0, width=4, height=3, class_id=36, selected=False, locked=[50]),
        frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert replies[-2][0]["pixels"] == 1
    assert replies[-1][1] == SKY * 5 + GRASS + SKY * 6


def test_the_object_under_a_stroke_is_labelled():
    """What was painted by hand travels along, and what undo has brought back does not."""
    seen = []

    def refined(request):
        seen.append(request)
        return results.SnapResult(geometry.Rectangle(0, 2, 4, 1)), planes.pack_labels(
            bytes([36] * 4)
        )

    client = FakeWorkerClient(refine=refined)
    refine = frame("refine_labels", class_id=36, selected=False, locked=[], everywhere=False)
    replies = answers(
        client, *LABELLED, refine,
        frame("edit_labels", by_hand=False, x=0, y=0, width=1, height=1), frame("rows", GRASS),
        refine,
        edited(x=1, y=0, width=2, height=2),
        frame("rows", SKY + GRASS + SKY * 2), refine, frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert [reply["pixels"] for reply, _ in replies if "pixels" in reply] == [0, 0, 4]
    (request,) = seen
    assert (request.region, request.class_id) == (geometry.Rectangle(2, 0, 1, 1), 36)
    assert request.strokes
    assert replies[-1][1] == GRASS + SKY + GRASS + SKY * 5 + GRASS * 4


def test_label_files_need_no_worker(tmp_path):
    """...and are those of the command line, both ways."""
    soft = bytes([1, 2, 3, 255])

    def connect(gone):
        raise AssertionError("the worker is not needed")

    (*_, encoded) = answers(
        connect, *LABELLED, edited(x=0, y=0, width=2, height=1),
        frame("rows", GRASS + soft), frame("encode_labels"),
    )  # fmt: skip
    file = tmp_path / "labels.png"
    file.write_bytes(encoded[1])
    label_map = np.full((3, 4), 50, np.uint8)
    label_map[0, :2] = 36  # its nearest colour
    assert (read_label_map(file) == label_map).all()
    write_label_map(file, label_map)
    assert file.read_bytes() == encoded[1]
    (*_, decoded, row) = answers(
        connect, *PHOTO, frame("decode_labels", encoded[1], name="labels.png"),
        frame("label_rows", first_row=0, rows=1),
    )  # fmt: skip
    assert decoded[0]["ambiguous"] == 0
    assert row[1] == GRASS * 2 + SKY * 2


def test_colours_in_a_label_file_that_are_no_class_are_counted():
    picture = np.full((3, 4, 3), to_rgba(np.full((1, 1), 50, np.uint8))[0, 0, :3])
    picture[1, 2] = (1, 2, 3)
    replies = answers(
        FakeWorkerClient(), *PHOTO, frame("decode_labels", png(picture), name="labels.png"),
        frame("label_rows", first_row=0, rows=3), frame("clean_labels"),
    )  # fmt: skip
    assert replies[3][0]["ambiguous"] == 1
    assert replies[4][1] == SKY * 12
    assert replies[5][0]["pixels"] == 0  # the plug-in took the pure ones over


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (lambda: png(np.zeros((4, 3), np.uint8)), "x.png has 3 × 4 pixels, the photo 4 × 3"),
        (lambda: png(np.full((3, 4), 60, np.uint8)), "x.png has the value 60 at (0, 0)"),
        (lambda: png(np.full((3, 4, 3), 7, np.uint8)), "no class"),
        (lambda: png(np.zeros((3, 4), np.uint16)), "pixels of kind"),
        (lambda: png(np.zeros((3, 4), np.uint8))[:-20], "x.png cannot be read"),
        (lambda: b"no picture", "x.png cannot be read"),
        (lambda: b"", "x.png cannot be read"),
        (lambda: too_large(), "(250 megapixels"),
    ],
)  # fmt: skip
def test_what_is_no_label_file_is_refused_and_the_labels_stay(file, message):
    replies = answers(
        FakeWorkerClient(), *LABELLED, frame("decode_labels", file(), name="x.png"),
        frame("label_rows", first_row=0, rows=3),
    )  # fmt: skip
    assert message in replies[-2][0]["message"]
    assert replies[-1][1] == SKY * 12


def test_a_label_file_that_does_not_fit_into_a_frame_is_refused(monkeypatch):
    monkeypatch.setattr(bridge_labels, "PAYLOAD_LIMIT", 250)
    replies = answers(FakeWorkerClient(), *LABELLED, frame("encode_labels"))
    assert replies[-1][0]["code"] == "label_file_too_large"


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def too_large():
    """A PNG that says it has 60000 × 60000 pixels: nothing of that size may be made room for."""
    file = png(np.zeros((3, 4), np.uint8))
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + file[24:29]
    return file[:12] + header + struct.pack(">I", zlib.crc32(header)) + file[33:]


def test_a_selection_gets_suggestions():
    suggestion = results.Suggestion(10.0, 20.0, 0.75, "#aa8866")
    seen = []

    def suggest(request):
        seen.append(request.mask)
        return results.SuggestResult((suggestion,)), b""

    replies = answers(
        FakeWorkerClient(suggest=suggest),
        *PHOTO, frame("suggest", detail=0),
        frame("begin_mask", x=1, y=1, width=2, height=2), frame("rows", bytes([255] * 4)),
        frame("suggest", detail=0),
    )  # fmt: skip
    assert "no selection yet" in sentence(replies[3][0])
    assert replies[6][0]["colors"] == [{"a": 10.0, "b": 20.0, "share": 0.75, "rgb": "#aa8866"}]
    mask = bytes([0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 255, 0])
    assert seen == [planes.plane_digest(4, 3, 8, mask)]


def test_colour_notes_colour_from_then_on():
    seen = []

    def colorize(request):
        seen.append(request.tints)
        return blue(request)

    replies = answers(
        FakeWorkerClient(colorize=colorize),
        *PHOTO, frame("color_notes", b"car at 99.9% 50%: #102030\nsky: #4060ff\n"),
        frame("colorize", detail=0, depth=8), frame("color_notes"),
        frame("colorize", detail=0, depth=8), frame("color_notes", b"sky is blue"),
    )  # fmt: skip
    ids = {entry.name: entry.id for entry in all_classes()}
    sky, car = schema.Tint(ids["sky"], "#4060ff"), schema.Tint(ids["car"], "#102030", 3, 1)
    assert seen == [(sky, car), ()]
    assert "Line 1" in sentence(replies[-1][0])


def test_a_prediction_can_be_edited():
    replies = answers(
        FakeWorkerClient(segment=sky), *PHOTO, frame("segment", detail=0),
        edited(x=0, y=0, width=1, height=1), frame("rows", GRASS),
        frame("label_rows", first_row=0, rows=1),
    )  # fmt: skip
    assert replies[-1][1] == GRASS + SKY * 3


def test_status_without_a_worker_starts_none(home):
    (header, _) = answers(None, frame("status"))[0]
    assert header["state"] == "stopped"
    assert "error" not in header
    assert local_worker.read_connection() is None


def test_status_of_a_worker_that_does_not_answer(home, monkeypatch):
    key = KeyPair.generate()
    gone = Connection("tcp://127.0.0.1:9", key.public, key)
    monkeypatch.setattr(local_worker, "read_connection", lambda: gone)
    assert answers(None, frame("status"))[0][0]["state"] == "stopped"  # it was killed
    monkeypatch.setattr(local_worker, "remote_connection", lambda: gone)
    (header, _) = answers(None, frame("status"))[0]
    assert header["state"] == "lost"
    assert "does not answer" in sentence(header["error"])


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b"[1, 2]", b"7", b"null", b'"rows"', b"\xff\xfe", b"[" * 100_000, b"{}"],
)
def test_what_is_no_request_is_told_and_the_next_one_answered(header):
    """The stream goes on: its lengths were right."""
    broken = struct.pack(">II", len(header), 3) + header + b"abc"
    first, second = answers(None, broken, frame("hello", protocol=bridge_schema.PROTOCOL))
    assert (first[0]["type"], first[0]["code"]) == ("error", "malformed")
    assert second[0]["type"] == "result"


@pytest.mark.parametrize("invitation", [7, None, [], {"a": 1}, True])
def test_an_invitation_of_another_kind_is_told(home, invitation):
    request = frame("connect", invitation=invitation)
    first, second = answers(None, request, frame("hello", protocol=bridge_schema.PROTOCOL))
    assert first[0]["type"] == "error"
    assert second[0]["type"] == "result"


@pytest.mark.parametrize(
    "fields",
    [{"width": "3", "height": 1}, {"width": None, "height": []}, {"width": 1e99, "height": 1}],
)
def test_fields_of_another_kind_are_told(fields):
    request = frame("begin_photo", format="Y' u8", **fields)
    first, second = answers(None, request, frame("hello", protocol=bridge_schema.PROTOCOL))
    assert first[0]["type"] in ("error", "result")  # maybe what comes then fails
    assert second[0]["type"] == "result"
