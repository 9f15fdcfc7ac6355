"""Messages to msgpack headers and back, checked."""

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any

import msgpack

from semcolor.shared.errors import Parameter, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle

from .checks import too_large
from .results import TEXT_LIMIT, Failure, Progress, Result
from .schema import REQUESTS, RESULTS, Request

HEADER_LIMIT = 64 * 1024  # bytes
_ID_LIMIT = 64  # characters
_PARAMETERS_LIMIT = 16  # of an error
_T = typing.TypeVar("_T")


def encode_request(job: str, request: Request) -> bytes:
    """The header of a request."""
    return pack({"id": job, "op": request.op, **fields_of(request)})


def decode_request(header: bytes, frame_bytes: int) -> tuple[str, Request]:
    """Job id and request of a header, checked against the size of the frame that came with it.

    Raises SemcolorError, with MALFORMED or what :meth:`Request.check` raises, for anything that is
    not exactly ours.
    """
    fields = unpack(header)
    job, request = job_of(fields), request_of(fields)
    request.check(frame_bytes)
    return job, request


def job_of(fields: dict[str, Any]) -> str:
    """The job id of an unpacked header, whatever else is in it. Raises SemcolorError."""
    job = fields.get("id")
    if not isinstance(job, str) or not 0 < len(job) <= _ID_LIMIT:
        raise malformed("a request needs an “id” of 1 to 64 characters")
    return job


def request_of(fields: dict[str, Any]) -> Request:
    """The request of an unpacked header, before :meth:`Request.check`. Raises SemcolorError."""
    op = fields.get("op")
    if not isinstance(op, str) or op not in REQUESTS:
        raise malformed(f"there is no request “{op}”")
    return construct(REQUESTS[op], _without(fields, "id", "op"))


def encode_reply(job: str, reply: Result | Progress | SemcolorError) -> bytes:
    """The header of a reply. Clients of other versions find an error's sentence in ``message``."""
    if isinstance(reply, SemcolorError):
        error = {"id": job, "kind": "error", "message": str(reply)[:TEXT_LIMIT]}
        return pack(error | fields_of(Failure.of(reply)))
    kind = "progress" if isinstance(reply, Progress) else "result"
    return pack({"id": job, "kind": kind, **fields_of(reply)})


def decode_reply(header: bytes, request: Request) -> tuple[str, Result | Progress | SemcolorError]:
    """Job id and reply; ``request`` tells which result to expect. Raises SemcolorError.

    What a worker of a later version says besides is left out.
    """
    fields = unpack(header)
    job, kind = str(fields.get("id")), fields.get("kind")
    content = _without(fields, "id", "kind", "message")
    if kind == "error":
        return job, construct(Failure, content, lenient=True).error
    if kind == "progress":
        return job, construct(Progress, content, lenient=True)
    if kind == "result":
        return job, construct(RESULTS[type(request)], content, lenient=True)
    raise malformed(f"there is no reply “{kind}”")


def pack(fields: dict[str, Any]) -> bytes:
    """A header."""
    packed: bytes = msgpack.packb(fields)
    return packed


def unpack(header: bytes) -> dict[str, Any]:
    """The fields of a header. Raises SemcolorError when it is too long or not a msgpack map."""
    if len(header) > HEADER_LIMIT:
        raise too_large(f"a header has at most {HEADER_LIMIT} bytes")
    try:
        fields = msgpack.unpackb(header, strict_map_key=True)
    except Exception as error:  # msgpack raises many kinds, most of them ValueError
        raise malformed(f"the header is not msgpack ({error})") from error
    if not isinstance(fields, dict):
        raise malformed("the header is not a map")
    return fields


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def fields_of(message: object) -> dict[str, Any]:
    """Of a dataclass, nested ones too: what :func:`construct` takes."""
    return dataclasses.asdict(message)  # type: ignore[call-overload, no-any-return]


def construct(kind: type[_T], fields: dict[str, Any], lenient: bool = False) -> _T:
    """``kind(**fields)`` after checking names and types, nested dataclasses too.

    ``lenient``: fields that we don't know are left out. Raises SemcolorError (MALFORMED).
    """
    declared: Any = kind  # mypy takes types of a variable kind for unhashable
    hints = _hints(declared)
    for name in fields:
        if name not in hints and not lenient:
            raise malformed(f"there is no field “{name}”")
    for name in _required(declared):
        if name not in fields:
            raise malformed(f"“{name}” is missing")
    known = {name: value for name, value in fields.items() if name in hints}
    return kind(**{n: _typed(n, hints[n], value, lenient) for n, value in known.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _required(kind: Any) -> list[str]:
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    ]


def _typed(name: str, hint: Any, value: Any, lenient: bool) -> Any:
    """The value, if it is exactly of its type; lists become what is declared."""
    if isinstance(hint, types.UnionType):  # X | None
        return None if value is None else _typed(name, hint.__args__[0], value, lenient)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return construct(typing.cast(type, hint), value, lenient)
    if hint is Rectangle:
        if type(value) is not list or [type(side) for side in value] != [int] * 4:
            raise malformed(f"“{name}” is not a rectangle")
        return Rectangle(*value)
    if typing.get_origin(hint) is dict:
        return _parameters(value)
    if isinstance(hint, types.GenericAlias):  # list[X] or tuple[X, ...], both lists on the wire
        if type(value) is not list:
            raise malformed(f"“{name}” is not a list")
        entry_hint = hint.__args__[0]
        return typing.get_origin(hint)(_typed(name, entry_hint, one, lenient) for one in value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        if type(value) is not str or value not in {member.value for member in hint}:
            raise malformed(f"“{name}” is none of the known")
        return hint(value)
    if type(value) is not hint:  # `is`: a bool is not a number here
        raise malformed(f"“{name}” is not {getattr(hint, '__name__', hint)}")
    return value


def _parameters(value: Any) -> dict[str, Parameter]:
    """Those of an error: few and short."""
    fine = type(value) is dict and len(value) <= _PARAMETERS_LIMIT
    if not fine or not all(type(name) is str and _is_short(value[name]) for name in value):
        raise malformed("these are no parameters of an error")
    return dict(value)


def _is_short(value: Any) -> bool:
    return type(value) in (int, float) or (type(value) is str and len(value) <= TEXT_LIMIT)
