"""The engine's process: ``python -m semcolor_worker.engine.main ENDPOINT DEVICE BUDGET``.

It answers one job at a time over a PAIR socket and ends when its stdin closes, that is, with its
supervisor, however that ended.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from semcolor.client import settings
from semcolor.protocol.codec import decode_request, encode_reply, pack, unpack
from semcolor.protocol.planes import pack_labels
from semcolor.protocol.schema import (
    Changes,
    ChangesResult,
    Colorize,
    PhotoRequest,
    RegionResult,
    Result,
    Segment,
    Snap,
    SnapResult,
    Suggest,
    SuggestResult,
)
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.timings import timed
from semcolor_worker.exit_status import OUT_OF_MEMORY

if TYPE_CHECKING:
    from torch import Tensor

    from .engine import Engine

Blob = bytes | memoryview | None

_IDLE_MS = 300  # after so long without a first job none was waiting
_GIVE_BACK_SECONDS = 10.0  # windows of many sizes leave holes between them; this takes some 15 ms


def main(endpoint: str, device: str, plane_budget: int) -> None:
    """Serve jobs until the supervisor goes away.

    ``device``: as PyTorch names it; empty: the first GPU, or the CPU where there is none.
    ``plane_budget``: bytes of photos and label maps to keep.
    """
    end = threading.Thread(target=_end_with_supervisor, daemon=True)
    end.start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s engine: %(message)s")
    _be_killed_first()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PAIR)
    socket.linger = 0
    socket.rcvhwm = 4  # a photo arrives block by block, and is never here twice
    socket.connect(endpoint)
    _send(socket, {"kind": "state", "state": "loading"})
    import torch  # it takes seconds; the supervisor hears from us before

    from . import memory

    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]
    device = device or found[0]
    try:
        engine = _load(socket, device, found, plane_budget)
    except SemcolorError as error:
        _send(socket, {"kind": "failed", "code": str(error.code), "message": str(error)})
        end.join()  # the supervisor ends us once it has read that
        return
    models = [model.title for model in engine.models]
    ready = {"kind": "state", "state": "ready", "device": device, "devices": found}
    _send(socket, ready | {"models": models})
    if not socket.poll(_IDLE_MS):
        engine.warm_up(lambda: bool(socket.poll(0)))
    given_back = time.monotonic()
    while True:
        header, *blobs = socket.recv_multipart(copy=False)
        message = unpack(header.bytes)
        match message["kind"]:
            case "job":
                _send(socket, *_do(engine, message))
                if time.monotonic() > given_back + _GIVE_BACK_SECONDS:
                    memory.give_back(torch.device("cpu"))
                    given_back = time.monotonic()
            case "plane":
                engine.put_plane(message["digest"], _receive_plane(engine, socket, message))
            case "edit":
                _keep_edit(engine, message, blobs[0])
            case "cancel":
                pass  # the job it meant has ended


def _load(
    socket: "zmq.Socket[bytes]", device: str, found: list[str], plane_budget: int
) -> "Engine":
    import torch

    from .engine import Engine

    if device not in (*found, "cpu"):
        raise SemcolorError(
            Code.NO_DEVICE,
            f"there is no {device} where the worker runs: `semcolor worker devices` there chooses "
            f"others, for instance {found[0]}",
        )
    if device != "cpu":
        torch.cuda.set_device(device)  # nothing goes to the first one by mistake
    checkpoint = partial(_check, socket)
    folder = settings.weights_folder()
    return Engine.load(folder, torch.device(device), checkpoint, plane_budget)


def _check(socket: "zmq.Socket[bytes]") -> None:
    """End the job in hand if nobody wants it any more: while it runs, nothing else is sent."""
    if socket.poll(0):
        socket.recv()
        raise SemcolorError(Code.CANCELLED, "cancelled")


def _receive_plane(
    engine: "Engine", socket: "zmq.Socket[bytes]", message: dict[str, Any]
) -> "Tensor":
    """A photo or label map; its rows follow in messages of their own."""
    import torch

    dtype = torch.uint8 if message["depth"] == 8 else torch.uint16
    plane = engine.new_plane(message["height"], message["width"], dtype)
    pixels, filled = plane.numpy().data.cast("B"), 0
    while filled < len(pixels):
        block = socket.recv(copy=False).buffer
        pixels[filled : filled + len(block)] = block
        filled += len(block)
    return plane


def _keep_edit(engine: "Engine", message: dict[str, Any], blob: zmq.Frame) -> None:
    import torch

    pixels = torch.frombuffer(bytearray(blob.buffer), dtype=torch.uint8)
    engine.edit_plane(message["digest"], message["base"], Rectangle(*message["region"]), pixels)


def _do(engine: "Engine", message: dict[str, Any]) -> tuple[dict[str, Any], Blob]:
    """Do a job; whatever goes wrong becomes a reply, and the engine lives on.

    Not so when nothing works in this process any more.
    """
    from semcolor_worker.coloring.memory_errors import broke, exhausted

    from .engine import AtDetail, PlanesMissingError

    job_id, request = decode_request(message["header"], 0)
    assert isinstance(request, PhotoRequest)
    if message["scarce"] and isinstance(request, AtDetail):
        engine.be_sparing(request)
    if engine.lacking(engine.needed(request)):
        return _missing(engine, request, message), None
    reply: Result | SemcolorError
    blob: Blob = None
    try:
        with timed(f"engine {request.op}"):
            reply, blob = _answer(engine, request)
    except PlanesMissingError:
        return _missing(engine, request, message), None
    except SemcolorError as error:
        reply = error
    except ValueError as error:
        reply = SemcolorError(Code.SIZE_MISMATCH, str(error))
    except (RuntimeError, MemoryError) as error:  # torch's out of memory is a RuntimeError
        if broke(error):
            raise
        if exhausted(error):
            logging.exception("memory ran out, for good")
            sys.exit(OUT_OF_MEMORY)
        logging.exception("a job failed")
        reply = SemcolorError(Code.ENGINE_FAILED, f"the engine failed: {error}")
    header = encode_reply(job_id, reply)
    return {"kind": "reply", "header": header, "device": str(engine.device)}, blob


def _missing(engine: "Engine", request: PhotoRequest, message: dict[str, Any]) -> dict[str, Any]:
    """Asks for the planes that a job lacks."""
    needed = engine.needed(request)
    bases = set(message["bases"].values()) - set(needed)  # an edit uses its base up
    held = sorted(bases - set(engine.lacking(bases)))
    return {"kind": "missing", "digests": engine.lacking(needed), "bases": held}


def _answer(engine: "Engine", request: PhotoRequest) -> tuple[Result, Blob]:
    match request:
        case Segment():
            labels = pack_labels(engine.segment(request).numpy().data.cast("B"))
            return RegionResult(engine.lowered(request)), labels
        case Colorize():
            pixels = engine.colorize(request).numpy().data.cast("B")
            return RegionResult(engine.lowered(request)), pixels
        case Changes():
            return ChangesResult(engine.changes(request)), None
        case Snap():
            region, ids = engine.snap(request)
            return SnapResult(region), pack_labels(ids.tobytes()) if region.pixels else None
        case Suggest():
            return SuggestResult(tuple(engine.suggest(request))), None
    raise AssertionError(f"“{request.op}” is not for the engine")


def _send(
    socket: "zmq.Socket[bytes]", header: dict[str, Any], blob: bytes | memoryview | None = None
) -> None:
    socket.send_multipart([pack(header)] if blob is None else [pack(header), blob], copy=False)


def _be_killed_first() -> None:
    """Where memory runs out Linux should end this process: the photos and GIMP are elsewhere."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def _end_with_supervisor() -> None:
    sys.stdin.buffer.read()  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
