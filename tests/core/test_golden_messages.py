"""The bytes of every message are those that the documentation has."""

import re
from pathlib import Path

import pytest

from semcolor.protocol import schema
from semcolor.protocol.codec import decode_reply, decode_request, pack, unpack
from semcolor.protocol.schema import REQUESTS, RESULTS
from semcolor.shared.errors import SemcolorError

from .golden_messages import REPLIES, golden
from .golden_messages import REQUESTS as EXAMPLES

CHECKOUT = Path(__file__).parents[2]


def documented() -> dict[str, bytes]:
    text = (CHECKOUT / "docs/protocol.md").read_text("utf-8")
    lines = re.findall(r"^    (\w+): ([0-9a-f ]+)$", text, re.M)
    return {name: bytes.fromhex(bytes_) for name, bytes_ in lines}


def test_there_is_one_of_each_kind() -> None:
    assert [request.op for request in EXAMPLES] == list(REQUESTS)
    assert {type(reply) for reply in REPLIES} >= set(RESULTS.values())
    assert list(documented()) == list(golden())


@pytest.mark.parametrize("name", golden())
def test_the_bytes_are_as_documented(name: str) -> None:
    """Other bytes are another protocol: see `PROTOCOL`."""
    assert golden()[name] == documented()[name]


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda request: request.op)
def test_a_documented_request_is_understood(request_: schema.Request) -> None:
    frame_bytes = {"put_photo": 32 * 640 * 2, "put_labels": 99, "recolor": 99}
    header = documented()[request_.op]
    assert decode_request(header, frame_bytes.get(request_.op, 0)) == ("7", request_)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_a_documented_reply_is_understood(reply: object) -> None:
    """Also one of a later version, which says more."""
    kinds = {result: request for request, result in RESULTS.items()}
    asked = next(e for e in EXAMPLES if isinstance(e, kinds.get(type(reply), schema.Hello)))  # type: ignore[call-overload]
    header = documented()[type(reply).__name__]
    for more in ({}, {"later": 1, "much_later": {"a": [1]}}):
        job, answer = decode_reply(pack(unpack(header) | more), asked)
        assert job == "7"
        if isinstance(reply, SemcolorError):
            assert str(answer) == str(reply)
        else:
            assert answer == reply
