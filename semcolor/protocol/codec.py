"""Messages to msgpack headers and back, checked."""

import dataclasses
import types
import typing
from typing import Any

import msgpack

from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle

from .schema import REQUESTS, RESULTS, Progress, Request, Result, _malformed

HEADER_LIMIT = 64 * 1024  # bytes
_ID_LIMIT = 64  # characters
_T = typing.TypeVar("_T")


def encode_request(job: str, request: Request) -> bytes:
    """The header of a request."""
    return pack({"id": job, "op": request.op, **_fields(request)})


def decode_request(header: bytes, frame_bytes: int) -> tuple[str, Request]:
    """Job id and request of a header, checked against the size of the frame that came with it.

    Raises SemcolorError, with MALFORMED or TOO_LARGE, for anything that is not exactly ours.
    """
    fields = unpack(header)
    job, op = fields.pop("id", None), fields.pop("op", None)
    if not isinstance(job, str) or not 0 < len(job) <= _ID_LIMIT:
        raise _malformed("a request needs an “id” of 1 to 64 characters")
    if not isinstance(op, str) or op not in REQUESTS:
        raise _malformed(f"there is no request “{op}”")
    request = _construct(REQUESTS[op], fields)
    request.check(frame_bytes)
    return job, request


def encode_reply(job: str, reply: Result | Progress | SemcolorError) -> bytes:
    """The header of a reply."""
    if isinstance(reply, SemcolorError):
        return pack({"id": job, "kind": "error", "code": str(reply.code), "message": str(reply)})
    kind = "progress" if isinstance(reply, Progress) else "result"
    return pack({"id": job, "kind": kind, **_fields(reply)})


def decode_reply(header: bytes, request: Request) -> tuple[str, Result | Progress | SemcolorError]:
    """Job id and reply; ``request`` tells which result to expect. Raises SemcolorError."""
    fields = unpack(header)
    job, kind = fields.pop("id", ""), fields.pop("kind", None)
    if kind == "error":
        code = fields.get("code")
        known = Code(code) if code in list(Code) else Code.ENGINE_FAILED
        return job, SemcolorError(known, str(fields.get("message", "the worker gave no reason")))
    if kind == "progress":
        return job, _construct(Progress, fields)
    if kind == "result":
        return job, _construct(RESULTS[type(request)], fields)
    raise _malformed(f"there is no reply “{kind}”")


def pack(fields: dict[str, Any]) -> bytes:
    """A header."""
    packed: bytes = msgpack.packb(fields)
    return packed


def unpack(header: bytes) -> dict[str, Any]:
    """The fields of a header. Raises SemcolorError when it is too long or not a msgpack map."""
    if len(header) > HEADER_LIMIT:
        raise SemcolorError(Code.TOO_LARGE, f"a header has at most {HEADER_LIMIT} bytes")
    try:
        fields = msgpack.unpackb(header, strict_map_key=True)
    except Exception as error:  # msgpack raises many kinds, most of them ValueError
        raise _malformed(f"the header is not msgpack ({error})") from error
    if not isinstance(fields, dict):
        raise _malformed("the header is not a map")
    return fields


def _fields(message: object) -> dict[str, Any]:
    return dataclasses.asdict(message)  # type: ignore[call-overload, no-any-return]


def _construct(kind: type[_T], fields: dict[str, Any]) -> _T:
    """``kind(**fields)`` after checking names and types; nested dataclasses too."""
    values = {}
    hints = typing.get_type_hints(kind)
    declared = dataclasses.fields(kind)  # type: ignore[arg-type]
    for field in declared:
        if field.name in fields:
            values[field.name] = _typed(field.name, hints[field.name], fields.pop(field.name))
        elif field.default is dataclasses.MISSING:
            raise _malformed(f"“{field.name}” is missing")
    if fields:
        raise _malformed(f"there is no field “{next(iter(fields))}”")
    return kind(**values)


def _typed(name: str, hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _construct(typing.cast(type, hint), value)
    if hint is Rectangle:
        if type(value) is not list or [type(side) for side in value] != [int] * 4:
            raise _malformed(f"“{name}” is not a rectangle")
        return Rectangle(*value)
    if isinstance(hint, types.GenericAlias):  # list[X] or tuple[X, ...], both lists on the wire
        if type(value) is not list:
            raise _malformed(f"“{name}” is not a list")
        return typing.get_origin(hint)(_typed(name, hint.__args__[0], entry) for entry in value)
    if type(value) is not hint:  # `is`: a bool is not a number here
        raise _malformed(f"“{name}” is not {getattr(hint, '__name__', hint)}")
    return value
