"""All requests, their limits, and the protocol's version; results are in :mod:`.results`.

A message is one msgpack header and at most one raw frame. Requests go from a DEALER to the
supervisor's ROUTER and carry a job ``id`` of the client's choice; replies carry it back as ``id``.
Pixels are row-major and tightly packed, in the byte order of x86 and ARM (little-endian).

Photos and label maps are *planes*: they travel once, in strips of rows, and are named by the
digest of their content ever after. An edited label map travels as the rectangle that is new,
with the request that needs it. Results are pulled by rectangle, so that neither side ever holds
more than one strip in flight.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.color_notes import NOTES_LIMIT
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import Stage

from .checks import (
    FRAME_LIMIT,
    check_detail,
    check_digest,
    check_key,
    check_no_frame,
    check_pixel,
    check_place,
    check_region,
    check_size,
    require,
    too_large,
)
from .results import (
    CancelResult,
    HelloResult,
    LeaveResult,
    PairResult,
    PutResult,
    RecolorResult,
    RegionResult,
    Result,
    SnapResult,
    StatusResult,
    StopResult,
    SuggestAllResult,
    SuggestResult,
)

PROTOCOL = 8
PIECE_LIMIT = FRAME_LIMIT // 2  # bytes of colour in one answer
PREDICTED = "predicted"  # instead of a digest: the labels that `segment` would give
_COLOR = re.compile("#[0-9a-f]{6}")


@dataclass(frozen=True)
class Tint:
    """An object gets a colour of its own: its mean chroma becomes that of ``color``, “#rrggbb”.

    It is the connected region of a class that has the pixel (``x``, ``y``) of the photo; none where
    that pixel is of another class by now. Without a pixel: all objects of the class together.
    """

    class_id: int
    color: str
    x: int | None = None
    y: int | None = None


@dataclass(frozen=True)
class Edit:
    """How a request's label map differs from one that the worker has: by one rectangle.

    ``base``: digest of that map. The frame: height×width uint8 class ids, by :func:`pack_labels`.
    """

    base: str
    region: Rectangle

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        check_digest(self.base)
        check_region(self.region, bytes_per_pixel=1)
        require(frame_bytes > 0, "an edit needs its labels")


@dataclass(frozen=True)
class Request:
    """Base of all requests. ``op`` is the name on the wire."""

    op: ClassVar[str]

    def check(self, frame_bytes: int) -> None:
        """Raise SemcolorError unless the fields make sense and the frame has the size they say."""
        check_no_frame(self.op, frame_bytes)


@dataclass(frozen=True)
class Hello(Request):
    """Do we speak the same protocol? → HelloResult, or PROTOCOL_VERSION."""

    op = "hello"
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Pair(Request):
    """Who comes with an invitation leaves a key of his own, and the invitation ends. → PairResult.

    ``public``: a CURVE key in Z85. Others may send nothing before it than :class:`Hello`.
    """

    op = "pair"
    public: str

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        check_key(self.public)


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
        require(self.depth in (8, 16), f"a photo has 8 or 16 bits, not {self.depth}")
        _check_strip(self)
        expected = self.rows * self.width * self.depth // 8
        require(
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
        require(bool(frame_bytes) == bool(self.rows), "a strip of labels needs its frame")


@dataclass(frozen=True)
class PhotoRequest(Request):
    """Base of what the engine does with a photo; the others are answered by the supervisor."""

    photo: str

    stage: ClassVar[Stage]  # what progress calls it

    @property
    def planes(self) -> list[str]:
        """Digests of the planes that it is about, the photo's first."""
        return [self.photo]

    @property
    def planes_before(self) -> list[str]:
        """Digests of those that it needs only where the engine has forgotten earlier results."""
        return []

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        for digest in (*self.planes, *self.planes_before):
            check_digest(digest)


@dataclass(frozen=True)
class Segment(PhotoRequest):
    """Predict the label map of a photo; return one rectangle of it. → RegionResult.

    Frame of the result: height×width uint8 class ids, compressed by :func:`pack_labels`; a border
    of the photo is unlabelled. ``detail``: longest side of the network's input, 0 for the model's
    own.
    """

    op = "segment"
    stage = Stage.SEGMENTING
    region: Rectangle
    detail: int = 0

    bytes_per_pixel: ClassVar[int] = 1

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        check_region(self.region, self.bytes_per_pixel)
        check_detail(self.detail)


@dataclass(frozen=True)
class LabelsRequest(PhotoRequest):
    """Base of what is done by a label map. ``labels`` may be empty: nothing is labelled.

    With ``edit``, the label map need not be there: the frame has what is new in it. Fails with
    UNKNOWN_LABELS where the one before is not there either.
    """

    labels: str
    edit: Edit | None = field(default=None, kw_only=True)

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return named(self.photo, self.labels)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(0 if self.edit else frame_bytes)
        if self.edit:
            check_digest(self.labels)
            self.edit.check(frame_bytes)


@dataclass(frozen=True)
class Colorize(LabelsRequest):
    """Colour a photo by a label map; return one rectangle of it. → RegionResult.

    ``labels`` may be PREDICTED, which is what :class:`Segment` gives at the model's own detail.
    ``tints`` apply one after the other. Frame of the result: height×width×3 sRGB of the photo's
    depth, at the photo's own lightness; a border of the photo stays gray.
    """

    op = "colorize"
    stage = Stage.COLORIZING
    region: Rectangle
    detail: int = 0
    tints: tuple[Tint, ...] = ()

    bytes_per_pixel: ClassVar[int] = 6  # a 16-bit photo's; the limit does not depend on the photo

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        labels = "" if self.labels == PREDICTED else self.labels
        return named(self.photo, labels)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_tints(self.tints)
        check_region(self.region, self.bytes_per_pixel)
        check_detail(self.detail)


@dataclass(frozen=True)
class Recolor(LabelsRequest):
    """Where does colour by ``labels`` visibly differ from that by ``before``? → RecolorResult.

    Either may be empty; each has its tints. Frame of the result: the first rows of that rectangle
    in the new colour, as from :class:`Colorize`, at most PIECE_LIMIT bytes and at least one row.
    """

    op = "recolor"
    stage = Stage.COLORIZING
    before: str
    detail: int = 0
    tints: tuple[Tint, ...] = ()
    tints_before: tuple[Tint, ...] = ()

    @property
    def planes_before(self) -> list[str]:
        """See :attr:`PhotoRequest.planes_before`."""
        return named(self.before)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        _check_tints(self.tints)
        _check_tints(self.tints_before)
        check_detail(self.detail)


@dataclass(frozen=True)
class Snap(LabelsRequest):
    """Fit what has ``class_id`` inside ``region`` to the photo's edges. → SnapResult.

    Frame of the result: height×width class ids of its rectangle, compressed by
    :func:`pack_labels`.
    """

    op = "snap"
    stage = Stage.FINDING_EDGES
    region: Rectangle
    class_id: int

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        check_digest(self.labels)
        check_place(self.region)
        _check_class(self.class_id)


@dataclass(frozen=True)
class Refine(LabelsRequest):
    """A stroke with ``class_id`` was painted inside ``region``: label its object. → SnapResult.

    ``strokes``: digest of a plane like a label map, not 0 wherever the restorer has painted, the
    new stroke included; nothing of that changes. Empty: then all of the class in the rectangle is
    the stroke. Unless ``everywhere``, only what is connected with it follows. Frame of the result
    as of :class:`Snap`.
    """

    op = "refine"
    stage = Stage.FINDING_EDGES
    region: Rectangle
    class_id: int
    strokes: str = ""
    everywhere: bool = False

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return named(self.photo, self.labels, self.strokes)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        check_digest(self.labels)
        check_place(self.region)
        _check_class(self.class_id)


@dataclass(frozen=True)
class Suggest(LabelsRequest):
    """Which colours are plausible for a part of a photo? → SuggestResult.

    ``mask``: digest of a plane like a label map, how much of each pixel is meant, 0..255. Empty:
    the object, a connected region of one class, that has the pixel (``x``, ``y``) of the photo.
    Fails with NO_SUGGESTIONS where the model can't tell.
    """

    op = "suggest"
    stage = Stage.LOOKING_FOR_COLORS
    mask: str
    detail: int = 0
    x: int = 0
    y: int = 0

    @property
    def planes(self) -> list[str]:
        """See :attr:`PhotoRequest.planes`."""
        return named(self.photo, self.labels, self.mask)

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        if self.mask:
            check_digest(self.mask)
        check_pixel(self.x, self.y)
        check_detail(self.detail)


@dataclass(frozen=True)
class SuggestAll(LabelsRequest):
    """Which colours are plausible for each object of the label map? → SuggestAllResult.

    Fails with NO_SUGGESTIONS where the model can't tell.
    """

    op = "suggest_all"
    stage = Stage.LOOKING_FOR_COLORS
    detail: int = 0

    def check(self, frame_bytes: int) -> None:
        """See :meth:`Request.check`."""
        super().check(frame_bytes)
        check_digest(self.labels)
        check_detail(self.detail)


@dataclass(frozen=True)
class Cancel(Request):
    """Forget a job of this session. → CancelResult; the job itself answers ``cancelled``."""

    op = "cancel"
    job: str


@dataclass(frozen=True)
class Leave(Request):
    """This session has ended. Nobody waits for the answer. → LeaveResult.

    With the last session of a key goes all that it has put here.
    """

    op = "leave"


@dataclass(frozen=True)
class Stop(Request):
    """End the worker; only its own user, on its own machine, may. → StopResult."""

    op = "stop"


RESULTS: dict[type[Request], type[Result]] = {
    Hello: HelloResult,
    Pair: PairResult,
    Status: StatusResult,
    PutPhoto: PutResult,
    PutLabels: PutResult,
    Segment: RegionResult,
    Colorize: RegionResult,
    Recolor: RecolorResult,
    Snap: SnapResult,
    Refine: SnapResult,
    Suggest: SuggestResult,
    SuggestAll: SuggestAllResult,
    Cancel: CancelResult,
    Leave: LeaveResult,
    Stop: StopResult,
}
REQUESTS: dict[str, type[Request]] = {request.op: request for request in RESULTS}


def named(*digests: str) -> list[str]:
    """Each digest once; an empty one names nothing."""
    return list(dict.fromkeys(filter(None, digests)))


def _check_strip(strip: PutPhoto | PutLabels) -> None:
    check_digest(strip.digest)
    check_size(strip.width, strip.height)
    rows_fit = 0 <= strip.first_row <= strip.first_row + strip.rows <= strip.height
    require(rows_fit and strip.rows >= 0, "these rows are not in the picture")
    raw = strip.rows * strip.width * strip.depth // 8
    if raw > FRAME_LIMIT:
        raise too_large(f"a strip has at most {FRAME_LIMIT} bytes, not {raw}")


def _check_class(class_id: int) -> None:
    require(0 < class_id < NUM_LABELS, f"a class is 1 to {NUM_LABELS - 1}")


def _check_tints(tints: tuple[Tint, ...]) -> None:
    require(len(tints) <= NOTES_LIMIT, f"there are at most {NOTES_LIMIT} tints")
    for tint in tints:
        require(0 <= tint.class_id < NUM_LABELS, "a tint is for a class")
        require(bool(_COLOR.fullmatch(tint.color)), "a tint's colour is “#rrggbb”")
        require((tint.x is None) == (tint.y is None), "a tint's place has x and y")
        check_pixel(tint.x or 0, tint.y or 0)
