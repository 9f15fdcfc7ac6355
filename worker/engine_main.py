"""The engine's process: ``python -m semcolor_worker.engine_main ENDPOINT``.

It answers one job at a time over a PAIR socket and ends when its stdin closes, that is, with its
supervisor, however that ended.
"""

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import zmq

from semcolor.errors import Code, SemcolorError
from semcolor.messages import Colorize, Rectangle, Segment, pack, pack_labels, unpack

if TYPE_CHECKING:
    from .engine import Engine

Reply = tuple[dict[str, Any], bytes | memoryview | None]
_JOBS: dict[str, type[Segment] | type[Colorize]] = {Segment.op: Segment, Colorize.op: Colorize}


def main(endpoint: str) -> None:
    """Serve jobs until the supervisor goes away."""
    end = threading.Thread(target=_end_with_supervisor, daemon=True)
    end.start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s engine: %(message)s")
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PAIR)
    socket.linger = 0
    socket.connect(endpoint)
    _send(socket, {"kind": "state", "state": "loading"})
    from .engine import Engine  # torch takes seconds; the supervisor hears from us before

    try:
        engine = Engine.load()
    except SemcolorError as error:
        text = f"{error}; `semcolor weights use`, where the worker runs, chooses other weights"
        _send(socket, {"kind": "failed", "code": str(error.code), "message": text})
        end.join()  # the supervisor ends us once it has read that
        return
    models = [model.title for model in engine.models]
    _send(
        socket, {"kind": "state", "state": "ready", "device": str(engine.device), "models": models}
    )
    while True:
        header, *blobs = socket.recv_multipart(copy=False)
        message = unpack(header.bytes)
        if message["kind"] == "plane":
            _keep(engine, message, blobs[0])
        else:
            _send(socket, *_do(engine, message))


def _keep(engine: "Engine", message: dict[str, Any], blob: zmq.Frame) -> None:
    import torch

    dtype = torch.uint8 if message["depth"] == 8 else torch.uint16
    pixels = torch.frombuffer(bytearray(blob.buffer), dtype=dtype)
    engine.put_plane(message["digest"], pixels.view(message["height"], message["width"]))


def _do(engine: "Engine", message: dict[str, Any]) -> Reply:
    """Do a job; whatever goes wrong becomes a reply, and the engine lives on."""
    request = _JOBS[message.pop("op")]
    message.pop("kind")
    job = request(**message | {"region": Rectangle(**message["region"])})
    try:
        missing = engine.missing(job)
        if missing:
            return {"kind": "missing", "digests": missing}, None
        if isinstance(job, Segment):
            labels = engine.segment(job)
            return {"kind": "result"}, pack_labels(labels.numpy().data.cast("B"))
        return {"kind": "result"}, engine.colorize(job).numpy().data.cast("B")
    except ValueError as error:
        return _error(Code.SIZE_MISMATCH, str(error)), None
    except (RuntimeError, MemoryError) as error:  # torch's out of memory is a RuntimeError
        logging.exception("a job failed")
        return _error(Code.ENGINE_FAILED, f"the engine failed: {error}"), None


def _error(code: Code, message: str) -> dict[str, Any]:
    return {"kind": "error", "code": str(code), "message": message}


def _send(
    socket: "zmq.Socket[bytes]", header: dict[str, Any], blob: bytes | memoryview | None = None
) -> None:
    socket.send_multipart([pack(header)] if blob is None else [pack(header), blob], copy=False)


def _end_with_supervisor() -> None:
    sys.stdin.buffer.read()  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
