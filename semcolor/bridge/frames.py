"""Frames between the plug-in and its bridge, over pipes."""

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from semcolor.shared.bridge_schema import PREFIX_BYTES, pack_prefix, unpack_prefix

Header = dict[str, Any]
Payload = bytes | memoryview
Answers = dict[str, Callable[..., tuple[Header, Payload]]]
"""By op: a function of the payload and the header's other fields; raises SemcolorError."""
Frames = queue.Queue[tuple[Header, bytes] | None]


def read_frames(stdin: BinaryIO, frames: Frames, gone: threading.Event) -> None:
    """Put what arrives into ``frames``, and None when stdin ends or sends something else.

    Runs in a thread of its own, so that ``gone`` is set in the middle of the work.
    """
    with contextlib.suppress(ValueError):
        while len(prefix := stdin.read(PREFIX_BYTES)) == PREFIX_BYTES:
            header_bytes, payload_bytes = unpack_prefix(prefix)
            header, payload = stdin.read(header_bytes), stdin.read(payload_bytes)
            if len(payload) < payload_bytes:
                break
            frames.put((_parsed(header), payload))
    gone.set()
    frames.put(None)


def _parsed(header: bytes) -> Header:
    """Empty, which no request is, for what is not a JSON object."""
    try:
        found = json.loads(header)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_frame(stdout: BinaryIO, header: Header, payload: Payload = b"") -> None:
    """Send a frame; a plug-in that ended needs none, and stdin says so too."""
    encoded = json.dumps(header).encode()
    with contextlib.suppress(OSError):  # which one, depends on the system
        stdout.write(pack_prefix(len(encoded), len(payload)) + encoded)
        stdout.write(payload)
        stdout.flush()
