import msgpack
import pytest

from semcolor import messages
from semcolor.errors import Code, SemcolorError
from semcolor.messages import Colorize, PutPhoto, Rectangle

DIGEST = "0123456789abcdef" * 2

# One header per message as it travels: a change here is a change of the protocol.
GOLDEN = {
    "hello": (messages.Hello(), "83a26964a17aa26f70a568656c6c6fa870726f746f636f6c01"),
    "cancel": (messages.Cancel("ab"), "83a26964a17aa26f70a663616e63656ca36a6f62a26162"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_headers(name):
    request, expected = GOLDEN[name]
    assert messages.encode_request("z", request).hex() == expected


@pytest.mark.parametrize(
    "request_",
    [
        messages.Hello(),
        messages.Status(),
        PutPhoto(DIGEST, 10, 20, 16),
        messages.PutLabels(DIGEST, 10, 20),
        messages.Segment(DIGEST, Rectangle(1, 2, 3, 4), 384),
        Colorize(DIGEST, "", Rectangle(0, 0, 10, 10)),
        Colorize(DIGEST, DIGEST, Rectangle(0, 0, 10, 10)),
        messages.Cancel("7"),
        messages.Stop(),
    ],
)
def test_requests_survive_the_wire(request_):
    assert messages.decode_request(messages.encode_request("7", request_), 0) == ("7", request_)


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
        {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "", "region": [0, 0, 1, 1]},
        {"id": "7", "op": "colorize", "photo": DIGEST, "labels": "",
         "region": {"x": -1, "y": 0, "width": 1, "height": 1}},
        {"id": "7", "op": "segment", "photo": DIGEST, "detail": -1,
         "region": {"x": 0, "y": 0, "width": 1, "height": 1}},
    ],
)  # fmt: skip
def test_malformed_requests_are_refused(fields):
    with pytest.raises(SemcolorError) as caught:
        messages.decode_request(msgpack.packb(fields), 0)
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize("header", [b"", b"\xc1", b"\x93\x01\x02", b"hello", b"\x81" * 70])
def test_garbage_is_refused(header):
    with pytest.raises(SemcolorError):
        messages.decode_request(header, 0)


def test_limits_are_refused_before_anything_is_read():
    with pytest.raises(SemcolorError, match="header") as caught:
        messages.decode_request(b"x" * (messages.HEADER_LIMIT + 1), 0)
    assert caught.value.code == Code.TOO_LARGE
    huge = messages.encode_request("7", PutPhoto(DIGEST, 65_000, 65_000, 8))
    with pytest.raises(SemcolorError, match="scale the photo down"):
        messages.decode_request(huge, 0)
    wide = messages.encode_request("7", Colorize(DIGEST, "", Rectangle(0, 0, 5000, 5000)))
    with pytest.raises(SemcolorError, match="rectangle"):
        messages.decode_request(wide, 0)


def test_frame_must_have_the_size_its_header_says():
    header = messages.encode_request("7", PutPhoto(DIGEST, 10, 20, 16, 0, 5))
    messages.decode_request(header, 100)
    with pytest.raises(SemcolorError, match="100 bytes, but 99 came"):
        messages.decode_request(header, 99)
    with pytest.raises(SemcolorError, match="carries no pixels"):
        messages.decode_request(messages.encode_request("7", messages.Hello()), 1)


def test_labels_cannot_inflate_beyond_their_size():
    bomb = messages.pack_labels(bytes(10_000_000))
    with pytest.raises(SemcolorError, match="not the 100"):
        messages.unpack_labels(bomb, 100)
    assert messages.unpack_labels(messages.pack_labels(b"abc"), 3) == b"abc"
