import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcolor.protocol import codec, planes, schema
from semcolor.protocol.planes import BLOCK_ROWS, PlaneHash, plane_digest, whole_blocks
from semcolor.protocol.schema import Colorize, EditLabels, PutPhoto, Tint
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle

DIGEST = "0123456789abcdef" * 2

# One header per message as it travels: a change here is a change of the protocol.
GOLDEN = {
    "hello": (schema.Hello(), "83a26964a17aa26f70a568656c6c6fa870726f746f636f6c03"),
    "cancel": (schema.Cancel("ab"), "83a26964a17aa26f70a663616e63656ca36a6f62a26162"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_headers(name):
    request, expected = GOLDEN[name]
    assert codec.encode_request("z", request).hex() == expected


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
        schema.Changes(DIGEST, DIGEST, "", 512),
        schema.Snap(DIGEST, DIGEST, Rectangle(0, 0, 6000, 4000), 59),
        schema.Suggest(DIGEST, "", DIGEST),
        Colorize(DIGEST, "", Rectangle(0, 0, 10, 10), 0, (Tint(DIGEST, 1.0, -2.5),) * 2),
        schema.Changes(DIGEST, "", "", 0, (), (Tint(DIGEST, 1.0, -2.5),)),
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
        {"id": "7", "op": "suggest", "photo": DIGEST, "labels": "", "mask": ""},
        *(
            {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "", "tints": tints,
             "region": [0, 0, 1, 1]}
            for tints in (
                {"mask": DIGEST}, [7], [{"mask": "x", "a": 0.0, "b": 0.0}],
                [{"mask": DIGEST, "a": 0.0, "b": float("nan")}],
                [{"mask": DIGEST, "a": 0.0, "b": 1000.0}], [{"mask": DIGEST, "a": 0, "b": 0.0}],
                [{"mask": DIGEST, "a": 0.0, "b": 0.0}] * (schema.TINTS_LIMIT + 1),
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
    assert caught.value.code == Code.TOO_LARGE
    huge = codec.encode_request("7", PutPhoto(DIGEST, 65_000, 65_000, 8))
    with pytest.raises(SemcolorError, match="scale the photo down"):
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


def test_an_edit_survives_the_wire_and_needs_its_labels():
    edit = EditLabels(DIGEST, DIGEST, Rectangle(1, 2, 3, 4))
    header = codec.encode_request("7", edit)
    assert codec.decode_request(header, 20) == ("7", edit)
    with pytest.raises(SemcolorError, match="needs its labels"):
        codec.decode_request(header, 0)
    huge = codec.encode_request("7", EditLabels(DIGEST, DIGEST, Rectangle(0, 0, 5000, 5000)))
    with pytest.raises(SemcolorError, match="rectangle"):
        codec.decode_request(huge, 20)


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
    suggestions = schema.SuggestResult((schema.Suggestion(1.0, 2.0, 0.5, "#010203"),))
    request = schema.Suggest(DIGEST, "", DIGEST)
    header = codec.encode_reply("7", suggestions)
    assert codec.decode_reply(header, request) == ("7", suggestions)
    wrong = codec.pack({"id": "7", "kind": "result", "colors": ["red"]})
    with pytest.raises(SemcolorError) as caught:
        codec.decode_reply(wrong, request)
    assert caught.value.code == Code.MALFORMED


def test_labels_cannot_inflate_beyond_their_size():
    bomb = planes.pack_labels(bytes(10_000_000))
    with pytest.raises(SemcolorError, match="not the 100"):
        planes.unpack_labels(bomb, 100)
    assert planes.unpack_labels(planes.pack_labels(b"abc"), 3) == b"abc"
