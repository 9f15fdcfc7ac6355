"""The whole wire schema: every request, every reply, every limit, the version.

A message is one msgpack header and at most one raw frame. Requests go from a DEALER to the
supervisor's ROUTER and carry a job ``id`` of the client's choice; replies carry it back as ``id``.
Pixels are row-major and tightly packed, in the byte order of x86 and ARM (little-endian).

Photos and label maps are *planes*: they travel once, in strips of rows, and are named by the
digest of their content ever after. An edited label map travels as the rectangle that is new.
Results are pulled by rectangle, so that neither side ever holds more than one strip in flight.
"""

import copy
import dataclasses
import hashlib
import sys
import types
import typing
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import msgpack

from .classes import NUM_LABELS
from .errors import Code, SemcolorError

PROTOCOL = 3
HEADER_LIMIT = 64 * 1024  # bytes
FRAME_LIMIT = 16 * 1024 * 1024  # bytes
SIDE_LIMIT = 65_500  # pixels
PIXEL_LIMIT = 250_000_000
DETAIL_LIMIT = 4096  # pixels
TINTS_LIMIT = 16
BLOCK_ROWS = 64  # of a plane: what is hashed at a time
_ID_LIMIT = 64  # characters
_DIGEST_BYTES = 16
_CHROMA_LIMIT = 128.0  # a*, b*

assert sys.byteorder == "little", "planes travel little-endian"

_T = typing.TypeVar("_T")


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Area."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """Its rows in the picture."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Its columns in the picture."""
        return slice(self.x, self.x + self.width)

    def fits(self, width: int, height: int) -> bool:
        """Whether it lies inside a picture of this size."""
        return (
            min(self.x, self.y) >= 0
            and self.x + self.width <= width
            and self.y + self.height <= height
        )


@dataclass(frozen=True)
class Tint:
    """A part of a photo gets a colour of its own: its mean chroma becomes ``a``, ``b``.

    ``mask``: digest of a plane like a label map, how much of each pixel is meant, 0..255.
    """

    mask: str
    a: float
    b: float


@dataclass(frozen=True)
class Suggestion:
    """A plausible colour: its chroma, how likely it is (0..1), and as “#rrggbb”."""

    a: float
    b: float
    share: float
    rgb: str


def unite(one: Rectangle | None, other: Rectangle) -> Rectangle:
    """The smallest rectangle around both."""
    if one is None:
        return other
    x, y = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return Rectangle(x, y, right - x, bottom - y)


@dataclass(frozen=True)
class Request:
    """Base of all requests. ``op`` is the name on the wire."""

    op: ClassVar[str]

    def check(self, frame_bytes: int) -> None:
        """Raise SemcolorError unless the fields make sense and the frame has the size they say."""
        _require(frame_bytes == 0, f"“{self.op}” carries no pixels, but {frame_bytes} bytes came")


@dataclass(frozen=True)
class Hello(Request):
    """Do we speak the same protocol, and who are you? → HelloResult."""

    op = "hello"
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Status(Request):
    """How is the worker? → StatusResult."""

    op = "status"


@dataclass(frozen=True)
class PutPhoto(Request):
    """Some rows of a gray photo; with ``rows`` = 0, only ask how many are there. → PutResult.

    Frame: rows×width uint8 or uint16 (``depth`` 8 or 16), gray in the sRGB transfer curve.
    ``digest`` is :func:`plane_digest` of the whole photo.
    """

    op = "put_photo"
    digest: str
    width: int
    height: int
    depth: int
    first_row: int = 0
    rows: int = 0

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        _require(self.depth in (8, 16), f"a photo has 8 or 16 bits, not {self.depth}")
        _check_strip(self)
        expected = self.rows * self.width * self.depth // 8
        _require(
            frame_bytes == expected,
            f"{self.rows} rows of this photo are {expected} bytes, but {frame_bytes} came",
        )


@dataclass(frozen=True)
class PutLabels(Request):
    """Some rows of a label map; with ``rows`` = 0, only ask how many are there. → PutResult.

    Frame: rows×width uint8 class ids (of a mask: 0..255), compressed by :func:`pack_labels`.
    """

    op = "put_labels"
    digest: str
    width: int
    height: int
    first_row: int = 0
    rows: int = 0

    depth: ClassVar[int] = 8

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        _check_strip(self)
        _require(bool(frame_bytes) == bool(self.rows), "a strip of labels needs its frame")


@dataclass(frozen=True)
class EditLabels(Request):
    """A label map like ``base``, but for one rectangle. → PutResult.

    Frame: height×width uint8 class ids, compressed by :func:`pack_labels`. ``digest`` is
    :func:`plane_digest` of the whole new map. Fails with UNKNOWN_LABELS where ``base`` is unknown.
    """

    op = "edit_labels"
    digest: str
    base: str
    region: Rectangle

    bytes_per_pixel: ClassVar[int] = 1

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        _check_digest(self.digest)
        _check_digest(self.base)
        _check_region(self.region, self.bytes_per_pixel)
        _require(frame_bytes > 0, "an edit needs its labels")


@dataclass(frozen=True)
class PhotoRequest(Request):
    """Base of what the engine does with a photo; the others are answered by the supervisor."""

    photo: str

    stage: ClassVar[str]  # what progress calls it

    @property
    def planes(self) -> list[str]:
        """Digests of the planes that it needs, the photo's first."""
        return [self.photo]

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        for digest in self.planes:
            _check_digest(digest)


@dataclass(frozen=True)
class Segment(PhotoRequest):
    """Predict the label map of a photo; return one rectangle of it. → RegionResult.

    Frame of the result: height×width uint8 class ids, compressed by :func:`pack_labels`.
    ``detail``: longest side of the network's input, 0 for the model's own.
    """

    op = "segment"
    stage = "segmenting"
    region: Rectangle
    detail: int = 0

    bytes_per_pixel: ClassVar[int] = 1

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_region(self.region, self.bytes_per_pixel)
        _check_detail(self.detail)


@dataclass(frozen=True)
class Colorize(PhotoRequest):
    """Colour a photo by a label map; return one rectangle of it. → RegionResult.

    ``labels`` may be empty: nothing is labelled. ``tints`` apply one after the other. Frame of the
    result: height×width×3 sRGB of the photo's depth, at the photo's own lightness.
    """

    op = "colorize"
    stage = "colorizing"
    labels: str
    region: Rectangle
    detail: int = 0
    tints: tuple[Tint, ...] = ()

    bytes_per_pixel: ClassVar[int] = 6  # a 16-bit photo's; the limit does not depend on the photo

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return named(self.photo, self.labels, *(tint.mask for tint in self.tints))

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_tints(self.tints)
        _check_region(self.region, self.bytes_per_pixel)
        _check_detail(self.detail)


@dataclass(frozen=True)
class Changes(PhotoRequest):
    """Where does the colour by ``labels`` visibly differ from that by ``before``? → ChangesResult.

    Either may be empty, as in :class:`Colorize`; each has its tints.
    """

    op = "changes"
    stage = "colorizing"
    labels: str
    before: str
    detail: int = 0
    tints: tuple[Tint, ...] = ()
    tints_before: tuple[Tint, ...] = ()

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        masks = (tint.mask for tint in (*self.tints, *self.tints_before))
        return named(self.photo, self.labels, self.before, *masks)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_tints(self.tints)
        _check_tints(self.tints_before)
        _check_detail(self.detail)


@dataclass(frozen=True)
class Snap(PhotoRequest):
    """Fit what has ``class_id`` inside ``region`` to the photo's edges. → SnapResult.

    Frame of the result: height×width class ids of its rectangle, compressed by
    :func:`pack_labels`.
    """

    op = "snap"
    stage = "finding the edges"
    labels: str
    region: Rectangle
    class_id: int

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return [self.photo, self.labels]

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_place(self.region)
        _require(0 < self.class_id < NUM_LABELS, f"a class is 1 to {NUM_LABELS - 1}")


@dataclass(frozen=True)
class Suggest(PhotoRequest):
    """Which colours are plausible for a part of a photo? → SuggestResult.

    ``mask`` as in :class:`Tint`. Fails with NO_SUGGESTIONS where the model can't tell.
    """

    op = "suggest"
    stage = "looking for colours"
    labels: str
    mask: str
    detail: int = 0

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return named(self.photo, self.labels, self.mask)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_digest(self.mask)
        _check_detail(self.detail)


@dataclass(frozen=True)
class Cancel(Request):
    """Forget a job of this session. → CancelResult; the job itself answers ``cancelled``."""

    op = "cancel"
    job: str


@dataclass(frozen=True)
class Stop(Request):
    """End the worker; only its own user, on its own machine, may. → StopResult."""

    op = "stop"


@dataclass(frozen=True)
class Result:
    """Base of all results."""


@dataclass(frozen=True)
class HelloResult(Result):
    """``version`` is semcolor's; ``pid`` the supervisor's."""

    protocol: int
    version: str
    pid: int


@dataclass(frozen=True)
class EngineStatus:
    """One engine. ``state`` is one of :class:`semcolor_worker.child.EngineState`'s names.

    ``fault``: a sentence when its device was taken out, otherwise empty.
    """

    device: str
    state: str
    fault: str


@dataclass(frozen=True)
class StatusResult(Result):
    """``state`` is that of the engine that is furthest; ``device`` names all that are in use."""

    version: str
    state: str
    device: str
    engines: list[EngineStatus]
    models: list[str]
    sessions: int
    waiting: int
    planes_bytes: int
    restarts: int
    listening: str


@dataclass(frozen=True)
class PutResult(Result):
    """The first row that is still missing; the plane's height when it is complete."""

    next_row: int


@dataclass(frozen=True)
class RegionResult(Result):
    """The rectangle is in the frame.

    ``detail``: what it was made at, where the worker's memory did not suffice for what was asked;
    otherwise 0.
    """

    detail: int = 0


@dataclass(frozen=True)
class ChangesResult(Result):
    """Outside ``region`` no channel differs by more than one level in 8 bits.

    Nowhere: its width and height are 0.
    """

    region: Rectangle


@dataclass(frozen=True)
class SnapResult(Result):
    """Where the labels changed; nowhere: width and height are 0, and there is no frame."""

    region: Rectangle


@dataclass(frozen=True)
class SuggestResult(Result):
    """At most six colours, most likely first."""

    colors: tuple[Suggestion, ...]


@dataclass(frozen=True)
class CancelResult(Result):
    """``found`` is false when the job had ended already."""

    found: bool


@dataclass(frozen=True)
class StopResult(Result):
    """The worker ends now."""


@dataclass(frozen=True)
class Progress:
    """The job is alive: what it is doing. Sent at least every second while it waits or runs."""

    text: str


RESULTS: dict[type[Request], type[Result]] = {
    Hello: HelloResult,
    Status: StatusResult,
    PutPhoto: PutResult,
    PutLabels: PutResult,
    EditLabels: PutResult,
    Segment: RegionResult,
    Colorize: RegionResult,
    Changes: ChangesResult,
    Snap: SnapResult,
    Suggest: SuggestResult,
    Cancel: CancelResult,
    Stop: StopResult,
}
REQUESTS: dict[str, type[Request]] = {request.op: request for request in RESULTS}


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


def plane_digest(width: int, height: int, depth: int, pixels: memoryview | bytes) -> str:
    """The name of a plane: 32 hex digits over its shape and the digests of its blocks of rows."""
    return PlaneHash(width, height, depth).add(pixels).hexdigest()


class PlaneHash:
    """:func:`plane_digest`, strip by strip; after an edit only the touched blocks are read."""

    def __init__(self, width: int, height: int, depth: int) -> None:
        self._shape = f"{width} {height} {depth} ".encode()
        self._block_bytes = BLOCK_ROWS * width * depth // 8
        self._blocks: list[bytes] = []
        self._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self._missing = self._block_bytes

    def add(self, pixels: memoryview | bytes) -> Self:
        """Take the next rows."""
        left = memoryview(pixels)
        while len(left):
            part, left = left[: self._missing], left[self._missing :]
            self._unfinished.update(part)
            self._missing -= len(part)
            if not self._missing:
                self._blocks.append(self._unfinished.digest())
                self._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
                self._missing = self._block_bytes
        return self

    def edited(self, first_row: int, pixels: memoryview | bytes) -> "PlaneHash":
        """The hash of the finished plane with other rows; they are :func:`whole_blocks`."""
        first = first_row // BLOCK_ROWS
        end = first - (-len(pixels) // self._block_bytes)
        other = copy.copy(self)
        other._blocks, other._missing = self._blocks[:first], self._block_bytes
        other._unfinished = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        other.add(pixels)
        if end <= len(self._blocks):
            other._blocks += self._blocks[end:]
            other._unfinished, other._missing = self._unfinished.copy(), self._missing
        return other

    def hexdigest(self) -> str:
        """The digest of all rows so far."""
        blocks = list(self._blocks)
        if self._missing < self._block_bytes:
            blocks.append(self._unfinished.digest())
        digests = self._shape + b"".join(blocks)
        return hashlib.blake2b(digests, digest_size=_DIGEST_BYTES).hexdigest()


def whole_blocks(rows: slice, height: int) -> slice:
    """The rows of all blocks that some rows of a plane of this height touch."""
    stop = -(-rows.stop // BLOCK_ROWS) * BLOCK_ROWS
    return slice(rows.start // BLOCK_ROWS * BLOCK_ROWS, min(stop, height))


def pack_labels(labels: memoryview | bytes) -> bytes:
    """Compress label ids; a label map shrinks about a hundredfold."""
    return zlib.compress(labels, level=1)


def unpack_labels(frame: memoryview | bytes, size: int) -> bytes:
    """Exactly ``size`` label ids. Raises SemcolorError otherwise, before they fill the memory."""
    inflate = zlib.decompressobj()
    try:
        labels = inflate.decompress(frame, size + 1)
    except zlib.error as error:
        raise _malformed(f"the labels cannot be decompressed ({error})") from error
    _require(len(labels) == size, f"the labels are not the {size} that the header says")
    return labels


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
    if isinstance(hint, types.GenericAlias):  # list[X] or tuple[X, ...], both lists on the wire
        if type(value) is not list:
            raise _malformed(f"“{name}” is not a list")
        return typing.get_origin(hint)(_typed(name, hint.__args__[0], entry) for entry in value)
    if type(value) is not hint:  # `is`: a bool is not a number here
        raise _malformed(f"“{name}” is not {getattr(hint, '__name__', hint)}")
    return value


def _check_strip(strip: PutPhoto | PutLabels) -> None:
    _check_digest(strip.digest)
    _require(strip.width > 0 and strip.height > 0, "a picture has at least one pixel")
    if max(strip.width, strip.height) > SIDE_LIMIT or strip.width * strip.height > PIXEL_LIMIT:
        raise SemcolorError(
            Code.TOO_LARGE,
            f"{strip.width} × {strip.height} pixels are more than the worker takes "
            f"({PIXEL_LIMIT // 1_000_000} megapixels): scale the photo down",
        )
    rows_fit = 0 <= strip.first_row <= strip.first_row + strip.rows <= strip.height
    _require(rows_fit and strip.rows >= 0, "these rows are not in the picture")
    raw = strip.rows * strip.width * strip.depth // 8
    if raw > FRAME_LIMIT:
        raise SemcolorError(Code.TOO_LARGE, f"a strip has at most {FRAME_LIMIT} bytes, not {raw}")


def named(*digests: str) -> list[str]:
    """Each digest once; an empty one names nothing."""
    return list(dict.fromkeys(filter(None, digests)))


def _check_tints(tints: tuple[Tint, ...]) -> None:
    _require(len(tints) <= TINTS_LIMIT, f"there are at most {TINTS_LIMIT} tints")
    for tint in tints:
        _check_digest(tint.mask)
        fits = all(abs(value) <= _CHROMA_LIMIT for value in (tint.a, tint.b))  # NaN does not
        _require(fits, f"a tint's a* and b* are at most {_CHROMA_LIMIT:.0f}")


def _check_digest(digest: str) -> None:
    hexadecimal = len(digest) == 32 and all(c in "0123456789abcdef" for c in digest)
    _require(hexadecimal, "a plane's name is 32 hex digits")


def _check_place(region: Rectangle) -> None:
    sides = (region.x, region.y, region.width - 1, region.height - 1)
    _require(all(0 <= side < SIDE_LIMIT for side in sides), "this rectangle is not in a picture")


def _check_region(region: Rectangle, bytes_per_pixel: int) -> None:
    _check_place(region)
    if region.pixels * bytes_per_pixel > FRAME_LIMIT:
        raise SemcolorError(
            Code.TOO_LARGE, f"a rectangle has at most {FRAME_LIMIT // bytes_per_pixel} pixels"
        )


def _check_detail(detail: int) -> None:
    _require(0 <= detail <= DETAIL_LIMIT, f"detail is 0 to {DETAIL_LIMIT} pixels")


def _require(fine: bool, otherwise: str) -> None:
    if not fine:
        raise _malformed(otherwise)


def _malformed(message: str) -> SemcolorError:
    return SemcolorError(Code.MALFORMED, message)
