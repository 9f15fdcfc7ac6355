"""What the GIMP plug-in and its bridge agree on; what they say is in `semcolor.bridge`.

A frame is a prefix (bytes of header, bytes of payload; two big-endian 32-bit numbers), the header,
a JSON object in UTF-8, and the payload.
"""

import struct

PROTOCOL = 7
PAYLOAD_LIMIT = 64 * 1024 * 1024  # bytes of a header or a payload, both ways
PREFIX_BYTES = 8

# Pixel formats have babl's names.
GRAY_U8, GRAY_U16 = "Y' u8", "Y' u16"
RGB_U8, RGB_U16 = "R'G'B' u8", "R'G'B' u16"
LABEL_FORMAT = "R'G'B'A u8"
SELECTION_FORMAT = "Y u8"

_PREFIX = struct.Struct(">II")


def pack_prefix(header_bytes: int, payload_bytes: int) -> bytes:
    """What a frame begins with."""
    return _PREFIX.pack(header_bytes, payload_bytes)


def unpack_prefix(prefix: bytes) -> tuple[int, int]:
    """Bytes of the header and of the payload. Raises ValueError beyond PAYLOAD_LIMIT."""
    header_bytes, payload_bytes = _PREFIX.unpack(prefix)
    if max(header_bytes, payload_bytes) > PAYLOAD_LIMIT:
        raise ValueError("a frame is too large")
    return header_bytes, payload_bytes
