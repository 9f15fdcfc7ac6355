"""What the fields of a message may be at most; everything else is MALFORMED or too large."""

import re

from semcolor.shared.errors import Code, SemcolorError, malformed
from semcolor.shared.geometry import Rectangle
from semcolor.shared.limits import DETAIL_LIMIT, PIXEL_LIMIT, SIDE_LIMIT

FRAME_LIMIT = 16 * 1024 * 1024  # bytes
_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
ANSWER_FRAME = 128 * 1024  # bytes; of these, an answer's pixels are as many as it takes


def require(fine: bool, otherwise: str) -> None:
    """Raises SemcolorError (MALFORMED)."""
    if not fine:
        raise malformed(otherwise)


def check_no_frame(op: str, frame_bytes: int) -> None:
    """A message without pixels."""
    require(frame_bytes == 0, f"“{op}” carries no pixels, but {frame_bytes} bytes came")


def check_digest(digest: str) -> None:
    """The name of a plane."""
    hexadecimal = len(digest) == 32 and all(c in "0123456789abcdef" for c in digest)
    require(hexadecimal, "a plane's name is 32 hex digits")


def check_key(public: str) -> None:
    """A CURVE key in Z85 (ZeroMQ RFC 32)."""
    require(bool(_KEY.fullmatch(public)), "a key is 40 characters of Z85")


def check_size(width: int, height: int) -> None:
    """Of a picture. Raises SemcolorError (PHOTO_TOO_LARGE, MALFORMED)."""
    require(width > 0 and height > 0, "a picture has at least one pixel")
    if max(width, height) > SIDE_LIMIT or width * height > PIXEL_LIMIT:
        raise SemcolorError(
            Code.PHOTO_TOO_LARGE, width=width, height=height,
            megapixels=PIXEL_LIMIT // 1_000_000, side=SIDE_LIMIT,
        )  # fmt: skip


def check_pixel(x: int, y: int) -> None:
    """A pixel of some photo."""
    require(0 <= min(x, y) <= max(x, y) < 1 << 31, "a pixel is inside the photo")


def check_place(region: Rectangle) -> None:
    """A rectangle in some picture."""
    sides = (region.x, region.y, region.width - 1, region.height - 1)
    require(all(0 <= side < SIDE_LIMIT for side in sides), "this rectangle is not in a picture")


def check_region(region: Rectangle, bytes_per_pixel: int) -> None:
    """A rectangle whose pixels travel in one frame. Raises SemcolorError (MESSAGE_TOO_LARGE)."""
    check_place(region)
    if region.pixels * bytes_per_pixel > FRAME_LIMIT:
        most = FRAME_LIMIT // bytes_per_pixel
        raise too_large(f"a rectangle has at most {most} pixels")


def check_detail(detail: int) -> None:
    """The longest side of a network's input."""
    require(0 <= detail <= DETAIL_LIMIT, f"detail is 0 to {DETAIL_LIMIT} pixels")


def too_large(detail: str) -> SemcolorError:
    """A message that no client of ours sends; ``detail`` is for developers."""
    return SemcolorError(Code.MESSAGE_TOO_LARGE, detail=detail)
