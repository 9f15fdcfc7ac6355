"""What the GIMP plug-in and its bridge agree on: frames over stdin and stdout."""

import struct

PROTOCOL = 5
PAYLOAD_LIMIT = 64 * 2**20  # bytes of a header or payload, both ways
PREFIX = struct.Struct(">II")  # bytes of header, bytes of payload
