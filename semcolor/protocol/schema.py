"""The whole wire schema: every request, every reply, every limit, the version.

A message is one msgpack header and at most one raw frame. Requests go from a DEALER to the
supervisor's ROUTER and carry a job ``id`` of the client's choice; replies carry it back as ``id``.
Pixels are row-major and tightly packed, in the byte order of x86 and ARM (little-endian).

Photos and label maps are *planes*: they travel once, in strips of rows, and are named by the
digest of their content ever after. An edited label map travels as the rectangle that is new.
Results are pulled by rectangle, so that neither side ever holds more than one strip in flight.
"""

from dataclasses import dataclass
from typing import ClassVar

from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.limits import DETAIL_LIMIT, PIXEL_LIMIT, SIDE_LIMIT

PROTOCOL = 3
FRAME_LIMIT = 16 * 1024 * 1024  # bytes
TINTS_LIMIT = 16
_CHROMA_LIMIT = 128.0  # a*, b*


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
    """One engine. ``state``: a name of the supervisor's ``EngineState``.

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
