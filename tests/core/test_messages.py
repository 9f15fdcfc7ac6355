import dataclasses

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcolor.protocol import codec, planes, results, schema
from semcolor.protocol.planes import BLOCK_ROWS, PlaneHash, plane_digest, whole_blocks
from semcolor.protocol.schema import Colorize, Edit, PutPhoto, Tint
from semcolor.shared.color_notes import NOTES_LIMIT
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import WorkerState

DIGEST = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "request_",
    [
        schema.Hello(),
        schema.Status(),
        PutPhoto(DIGEST, 10, 20, 16),
        schema.PutLabels(DIGEST, 10, 20),
        schema.Segment(DIGEST, Rectangle(1, 2, 3, 4), 384),
        Colorize(DIGEST, "", Rectangle(0, 0, 10, 10)),
        Colorize(DIGEST, DIGEST, Rectangle(0, 0, 10, 10)),
        schema.Recolor(DIGEST, DIGEST, "", 512),
        schema.Snap(DIGEST, DIGEST, Rectangle(0, 0, 6000, 4000), 59),
        schema.Refine(DIGEST, DIGEST, Rectangle(0, 0, 6000, 4000), 59, DIGEST, True),
        schema.Suggest(DIGEST, "", DIGEST),
        schema.Suggest(DIGEST, DIGEST, "", 384, 1000, 2000),
        schema.SuggestAll(DIGEST, DIGEST, 512),
        Colorize(
            DIGEST, "", Rectangle(0, 0, 10, 10), 0, (Tint(7, "#102030"), Tint(7, "#102030", 3, 4))
        ),
        schema.Recolor(DIGEST, "", "", 0, (), (Tint(7, "#102030"),)),
        schema.Cancel("7"),
        schema.Stop(),
    ],
)
def test_requests_survive_the_wire(request_):
    assert codec.decode_request(codec.encode_request("7", request_), 0) == ("7", request_)


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "hello"},
        {"id": "", "op": "hello"},
        {"id": "x" * 65, "op": "hello"},
        {"id": 7, "op": "hello"},
        {"id": "7", "op": "format_disk"},
        {"id": "7", "op": ["hello"]},
        {"id": "7", "op": "hello", "protocol": "1"},
        {"id": "7", "op": "hello", "protocol": True},
        {"id": "7", "op": "hello", "surprise": 1},
        {"id": "7", "op": "cancel"},
        {"id": "7", "op": "put_photo", "digest": "../etc", "width": 1, "height": 1, "depth": 8},
        {"id": "7", "op": "put_photo", "digest": DIGEST, "width": 0, "height": 1, "depth": 8},
        {"id": "7", "op": "put_photo", "digest": DIGEST, "width": 1, "height": 1, "depth": 12},
        {"id": "7", "op": "put_photo", "digest": DIGEST, "width": 4, "height": 4, "depth": 8,
         "first_row": 3, "rows": 2},
        {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "", "region": {"x": 0}},
        {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "",
         "region": [-1, 0, 1, 1]},
        {"id": "7", "op": "snap", "photo": DIGEST, "labels": "", "class_id": 1,
         "region": [0, 0, 1, 1]},
        {"id": "7", "op": "snap", "photo": DIGEST, "labels": DIGEST, "class_id": 60,
         "region": [0, 0, 1, 1]},
        {"id": "7", "op": "suggest", "photo": DIGEST, "labels": "", "mask": "x"},
        {"id": "7", "op": "suggest", "photo": DIGEST, "labels": "", "mask": "", "x": -1},
        *(
            {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "", "tints": tints,
             "region": [0, 0, 1, 1]}
            for tints in (
                {"class_id": 7}, [7], [{"class_id": 60, "color": "#102030"}],
                [{"class_id": 7, "color": "red"}], [{"class_id": 7, "color": "#102030", "x": 1}],
                [{"class_id": 7, "color": "#102030", "x": -1, "y": 0}],
                [{"class_id": 7, "color": "#102030", "x": 1 << 40, "y": 0}],
                [{"class_id": 7, "color": "#102030"}] * (NOTES_LIMIT + 1),
            )
        ),
        {"id": "7", "op": "segment", "photo": DIGEST, "detail": -1,
         "region": [0, 0, 1, 1]},
    ],
)  # fmt: skip
def test_malformed_requests_are_refused(fields):
    with pytest.raises(SemcolorError) as caught:
        codec.decode_request(msgpack.packb(fields), 0)
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize("header", [b"", b"\xc1", b"\x93\x01\x02", b"hello", b"\x81" * 70])
def test_garbage_is_refused(header):
    with pytest.raises(SemcolorError):
        codec.decode_request(header, 0)


def test_limits_are_refused_before_anything_is_read():
    with pytest.raises(SemcolorError, match="header") as caught:
        codec.decode_request(b"x" * (codec.HEADER_LIMIT + 1), 0)
    assert caught.value.code == Code.MESSAGE_TOO_LARGE
    huge = codec.encode_request("7", PutPhoto(DIGEST, 65_000, 65_000, 8))
    with pytest.raises(SemcolorError, match="Scale the photo down"):
        codec.decode_request(huge, 0)
    wide = codec.encode_request("7", Colorize(DIGEST, "", Rectangle(0, 0, 5000, 5000)))
    with pytest.raises(SemcolorError, match="rectangle"):
        codec.decode_request(wide, 0)


def test_frame_must_have_the_size_its_header_says():
    header = codec.encode_request("7", PutPhoto(DIGEST, 10, 20, 16, 0, 5))
    codec.decode_request(header, 100)
    with pytest.raises(SemcolorError, match="100 bytes, but 99 came"):
        codec.decode_request(header, 99)
    with pytest.raises(SemcolorError, match="carries no pixels"):
        codec.decode_request(codec.encode_request("7", schema.Hello()), 1)


EDIT = Edit(DIGEST, Rectangle(1, 2, 3, 4))
WITH_AN_EDIT = [
    Colorize(DIGEST, DIGEST, Rectangle(0, 0, 10, 10), edit=EDIT),
    schema.Recolor(DIGEST, DIGEST, "", edit=EDIT),
    schema.Snap(DIGEST, DIGEST, Rectangle(0, 0, 6000, 4000), 59, edit=EDIT),
    schema.Refine(DIGEST, DIGEST, Rectangle(0, 0, 6000, 4000), 59, edit=EDIT),
    schema.Suggest(DIGEST, DIGEST, DIGEST, edit=EDIT),
    schema.SuggestAll(DIGEST, DIGEST, edit=EDIT),
]


@pytest.mark.parametrize("request_", WITH_AN_EDIT)
def test_an_edit_travels_with_any_request_and_needs_its_labels(request_):
    header = codec.encode_request("7", request_)
    assert codec.decode_request(header, 20) == ("7", request_)
    with pytest.raises(SemcolorError, match="needs its labels"):
        codec.decode_request(header, 0)
    plain = codec.encode_request("7", dataclasses.replace(request_, edit=None))
    with pytest.raises(SemcolorError, match="carries no pixels"):
        codec.decode_request(plain, 20)
    huge = dataclasses.replace(request_, edit=Edit(DIGEST, Rectangle(0, 0, 5000, 5000)))
    with pytest.raises(SemcolorError, match="rectangle"):
        codec.decode_request(codec.encode_request("7", huge), 20)
    unnamed = codec.encode_request("7", dataclasses.replace(request_, labels=""))
    with pytest.raises(SemcolorError, match="32 hex digits"):
        codec.decode_request(unnamed, 20)


def test_only_colour_can_be_by_predicted_labels():
    request = Colorize(DIGEST, schema.PREDICTED, Rectangle(0, 0, 10, 10))
    assert codec.decode_request(codec.encode_request("7", request), 0) == ("7", request)
    assert request.planes == [DIGEST]
    for other in (
        schema.Recolor(DIGEST, schema.PREDICTED, ""),
        schema.Recolor(DIGEST, "", schema.PREDICTED),
        schema.Snap(DIGEST, schema.PREDICTED, Rectangle(0, 0, 9, 9), 1),
        schema.Refine(DIGEST, schema.PREDICTED, Rectangle(0, 0, 9, 9), 1),
        schema.Suggest(DIGEST, schema.PREDICTED, DIGEST),
        schema.SuggestAll(DIGEST, schema.PREDICTED),
        dataclasses.replace(request, edit=EDIT),
    ):
        with pytest.raises(SemcolorError, match="32 hex digits"):
            codec.decode_request(codec.encode_request("7", other), 20 if other.edit else 0)


@pytest.mark.parametrize(
    "error",
    [
        SemcolorError(Code.CANCELLED),
        SemcolorError(Code.ENGINE_DIED, device="cuda:0", times=3, log="/var/log/worker.log"),
    ],
)
def test_errors_travel_as_codes_and_parameters(error):
    header = codec.encode_reply("7", error)
    job, reply = codec.decode_reply(header, schema.Status())
    assert job == "7"
    assert (reply.code, reply.parameters) == (error.code, error.parameters)
    assert codec.unpack(header)["message"] == str(error)  # for clients of other versions


def test_codes_of_later_versions_are_unknown():
    header = codec.pack({"id": "7", "kind": "error", "code": "bored", "parameters": {"by": 1}})
    _, reply = codec.decode_reply(header, schema.Status())
    assert (reply.code, reply.parameters) == (Code.UNKNOWN, {"code": "bored"})


@pytest.mark.parametrize(
    "parameters", [[], {"a": [1]}, {"a": True}, {"a": None}, {"a": "x" * 5000},
                   {str(i): i for i in range(17)}],
)  # fmt: skip
def test_parameters_of_errors_are_few_and_short(parameters):
    header = codec.pack({"id": "7", "kind": "error", "code": "bored", "parameters": parameters})
    with pytest.raises(SemcolorError) as caught:
        codec.decode_reply(header, schema.Status())
    assert caught.value.code == Code.MALFORMED


def test_long_parameters_are_cut():
    header = codec.encode_reply("7", SemcolorError(Code.ENGINE_FAILED, detail="x" * 9999, log=""))
    _, reply = codec.decode_reply(header, schema.Status())
    assert reply.code == Code.ENGINE_FAILED


def test_a_status_survives_the_wire():
    engines = [
        results.EngineStatus("cpu", WorkerState.READY),
        results.EngineStatus("cuda:0", WorkerState.LOST, results.Failure("no_device", {"n": 1})),
    ]
    status = results.StatusResult("1", WorkerState.READY, "cpu", engines, [], 1, 2, 3, 4, "")
    header = codec.encode_reply("7", status)
    assert codec.decode_reply(header, schema.Status()) == ("7", status)
    unheard = codec.pack(codec.unpack(header) | {"state": "asleep"})
    with pytest.raises(SemcolorError):
        codec.decode_reply(unheard, schema.Status())


def test_the_hello_of_any_version_tells_its_protocol():
    header = codec.pack({"id": "7", "kind": "result", "protocol": 3, "version": "0.1", "pid": 1})
    assert codec.decode_reply(header, schema.Hello())[1].protocol == 3


@given(st.data())
def test_an_edited_plane_is_named_like_one_sent_whole(data):
    width, height = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4 * BLOCK_ROWS))
    pixels = np.zeros((height, width), np.uint8)
    running, step = PlaneHash(width, height, 8), data.draw(st.integers(1, height))
    for row in range(0, height, step):
        running.add(pixels[row : row + step].data.cast("B"))
    for _ in range(3):
        first = data.draw(st.integers(0, height - 1))
        rows = data.draw(st.integers(1, height - first))
        pixels[first : first + rows] += 1
        before = running.hexdigest()
        touched = whole_blocks(slice(first, first + rows), height)
        running = running.edited(touched.start, pixels[touched].data.cast("B"))
        assert running.hexdigest() == plane_digest(width, height, 8, pixels.tobytes()) != before


def test_a_planes_name_says_its_shape():
    names = {plane_digest(w, 12 // w, 8, bytes(12)) for w in (1, 2, 3, 4, 6, 12)}
    assert len(names | {plane_digest(3, 2, 16, bytes(12))}) == 7


def test_the_lists_in_a_result_are_checked_too():
    suggestions = results.SuggestResult((results.Suggestion(1.0, 2.0, 0.5, "#010203"),))
    request = schema.Suggest(DIGEST, "", DIGEST)
    header = codec.encode_reply("7", suggestions)
    assert codec.decode_reply(header, request) == ("7", suggestions)
    wrong = codec.pack({"id": "7", "kind": "result", "colors": ["red"]})
    with pytest.raises(SemcolorError) as caught:
        codec.decode_reply(wrong, request)
    assert caught.value.code == Code.MALFORMED


def test_all_objects_with_their_colours_fit_a_header():
    colors = tuple(results.Suggestion(-101.5, 93.25, 0.123456, "#a1b2c3") for _ in range(6))
    entry = results.ObjectColors(59, Rectangle(9000, 6000, 9000, 6000), 9999, 9999, 0.25, colors)
    found = results.SuggestAllResult((entry,) * 64)
    header = codec.encode_reply("7" * 64, found)
    assert len(header) < 60_000
    request = schema.SuggestAll(DIGEST, DIGEST)
    assert codec.decode_reply(header, request) == ("7" * 64, found)


def test_labels_cannot_inflate_beyond_their_size():
    bomb = planes.pack_labels(bytes(10_000_000))
    with pytest.raises(SemcolorError, match="not the 100"):
        planes.unpack_labels(bomb, 100)
    assert planes.unpack_labels(planes.pack_labels(b"abc"), 3) == b"abc"
