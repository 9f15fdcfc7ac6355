"""The engine's process: ``python -m semcolor_worker.engine.main ENDPOINT DEVICE BUDGET``.

It answers one job at a time over a PAIR socket and ends with its supervisor, however that ended.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import zmq

from semcolor.client import settings
from semcolor.client.local_worker import log_file
from semcolor.photos.pixels import LabelMap
from semcolor.protocol.codec import encode_reply, job_of, request_of, unpack
from semcolor.protocol.planes import pack_labels
from semcolor.protocol.results import (
    Failure,
    RecolorResult,
    RegionResult,
    Result,
    SnapResult,
    SuggestAllResult,
    SuggestResult,
)
from semcolor.protocol.schema import (
    Colorize,
    PhotoRequest,
    Recolor,
    Refine,
    Segment,
    Snap,
    Suggest,
    SuggestAll,
)
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.timings import timed
from semcolor_worker import engine_link
from semcolor_worker.engine_link import (
    ENGINE_KEY,
    OUT_OF_MEMORY,
    CannotStart,
    EditedPlane,
    Forget,
    Job,
    Loading,
    Message,
    Missing,
    Plane,
    Ready,
    Reply,
)

if TYPE_CHECKING:
    from torch import Tensor

    from .engine import Engine

Pixels = bytes | memoryview | None

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
    _connect(socket, endpoint, os.environ[ENGINE_KEY])
    _send(socket, Loading())
    import torch  # it takes seconds; the supervisor hears from us before

    from . import memory
    from .device_trial import first_usable

    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]
    wanted = [device] if device else found
    try:
        _check_there(wanted, found)
        device, fault = first_usable(wanted)
        engine = _load(socket, device, plane_budget)
    except SemcolorError as error:
        _send(socket, CannotStart(Failure.of(error)))
        end.join()  # the supervisor ends us once it has read that
        return
    usable = found[found.index(device) :] if device in found else [device]
    titles = [model.title for model in engine.models]
    _send(socket, Ready(device, usable, titles, Failure.of(fault) if fault else None))
    if not socket.poll(_IDLE_MS):
        engine.warm_up(lambda: bool(socket.poll(0)))
    given_back = time.monotonic()
    while True:
        envelope, *frames = socket.recv_multipart(copy=False)
        match engine_link.decode(envelope.bytes):
            case Job() as job:
                _send(socket, *_do(engine, job, frames))
                if time.monotonic() > given_back + _GIVE_BACK_SECONDS:
                    memory.give_back(torch.device("cpu"))
                    given_back = time.monotonic()
            case Forget() as forget:
                engine.forget_planes(forget.digests)
            case Plane() as plane:
                engine.put_plane(plane.digest, _receive_plane(engine, socket, plane))
            case _:
                pass  # the job that was to be cancelled has ended


def _connect(socket: "zmq.Socket[bytes]", endpoint: str, server_key: str) -> None:
    if server_key:
        public, secret = zmq.curve_keypair()
        socket.curve_serverkey = server_key.encode()
        socket.curve_publickey, socket.curve_secretkey = public, secret
    socket.connect(endpoint)


def _check_there(wanted: list[str], found: list[str]) -> None:
    """Apple's devices are there without being counted, and tried only where somebody says so."""
    for name in wanted:
        if name not in (*found, "cpu", "mps"):
            raise SemcolorError(Code.NO_DEVICE, device=name, example=found[0])


def _load(socket: "zmq.Socket[bytes]", device: str, plane_budget: int) -> "Engine":
    import torch

    from .engine import Engine

    _share_cores(torch.get_num_threads())
    if device.startswith("cuda"):
        torch.cuda.set_device(device)  # nothing goes to the first one by mistake
    checkpoint = partial(_check, socket)
    folder = settings.weights_folder()
    return Engine.load(folder, torch.device(device), checkpoint, plane_budget)


def _share_cores(threads: int) -> None:
    """Let OpenCV compute with as many threads as PyTorch, not with one on each core."""
    import cv2

    try:
        cv2.setNumThreads(threads)
    except cv2.error:  # it can't find out how many cores there are, and then fails with any other
        cv2.setNumThreads(1)


def _check(socket: "zmq.Socket[bytes]") -> None:
    """End the job in hand if nobody wants it any more: while it runs, nothing else is sent."""
    if socket.poll(0):
        socket.recv()
        raise SemcolorError(Code.CANCELLED)


def _receive_plane(engine: "Engine", socket: "zmq.Socket[bytes]", plane: Plane) -> "Tensor":
    """A photo or label map; its rows follow in messages of their own."""
    import torch

    dtype = torch.uint8 if plane.depth == 8 else torch.uint16
    received = engine.new_plane(plane.height, plane.width, dtype)
    pixels, filled = received.numpy().data.cast("B"), 0
    while filled < len(pixels):
        block = socket.recv(copy=False).buffer
        pixels[filled : filled + len(block)] = block
        filled += len(block)
    return received


def _do(engine: "Engine", job: Job, frames: list[zmq.Frame]) -> tuple[Message, bytes, Pixels]:
    """Do a job; whatever goes wrong becomes a reply, and the engine lives on.

    Not so when nothing works in this process any more.
    """
    from semcolor_worker.coloring.memory_errors import broke, exhausted

    from .engine import PlanesMissingError
    from .networks import AtDetail

    fields = unpack(frames[0].bytes)
    request = request_of(fields)
    assert isinstance(request, PhotoRequest)
    reply: Result | SemcolorError
    blob: Pixels = None
    try:
        if job.low_memory and isinstance(request, AtDetail):
            engine.policy.begin_low(request)
        needed = engine.needed(request)
        for edit, pixels in zip(job.edits, frames[1:], strict=True):
            _keep_edit(engine, edit, pixels, edit.base in needed)
        if engine.lacking(engine.needed(request)):
            return _missing(engine, request)
        with timed(f"engine {request.op}"):
            reply, blob = _answer(engine, request)
    except PlanesMissingError:
        return _missing(engine, request)
    except SemcolorError as error:
        reply = error
    except Exception as error:
        if broke(error):
            raise
        if exhausted(error):
            logging.exception("memory ran out, for good")
            logging.shutdown()
            os._exit(OUT_OF_MEMORY)  # `sys.exit` would wait for the thread that reads stdin
        logging.exception("a job failed")
        reply = SemcolorError(Code.ENGINE_FAILED, detail=str(error), log=str(log_file()))
    header = encode_reply(job_of(fields), reply)
    return Reply(str(engine.device), engine.dropped()), header, blob


def _keep_edit(engine: "Engine", edit: EditedPlane, frame: zmq.Frame, keep_base: bool) -> None:
    import torch

    if engine.lacking([edit.base]):
        return  # it made room for what came with the job, which will be asked for
    pixels = torch.frombuffer(bytearray(frame.buffer), dtype=torch.uint8)
    engine.edit_plane(edit.digest, edit.base, edit.region, pixels, keep_base)


def _missing(engine: "Engine", request: PhotoRequest) -> tuple[Message, bytes, Pixels]:
    lacking = engine.lacking(engine.needed(request))
    return Missing(lacking, engine.dropped()), b"", None


def _answer(engine: "Engine", request: PhotoRequest) -> tuple[Result, Pixels]:
    match request:
        case Segment():
            labels = pack_labels(engine.segment(request).numpy().data.cast("B"))
            return RegionResult(engine.policy.lowered(request)), labels
        case Colorize():
            pixels = engine.colorize(request).numpy().data.cast("B")
            return RegionResult(engine.policy.lowered(request)), pixels
        case Recolor():
            changed, rgb = engine.recolor(request)
            piece = rgb.numpy().data.cast("B") if changed else None
            return RecolorResult(changed, len(rgb), engine.policy.lowered(request)), piece
        case Snap():
            return _relabelled(*engine.snap(request))
        case Refine():
            return _relabelled(*engine.refine(request))
        case Suggest():
            return SuggestResult(tuple(engine.suggest(request))), None
        case SuggestAll():
            return SuggestAllResult(tuple(engine.suggest_all(request))), None
    raise AssertionError(f"“{request.op}” is not for the engine")


def _relabelled(region: Rectangle, ids: LabelMap) -> tuple[Result, Pixels]:
    return SnapResult(region), pack_labels(ids.tobytes()) if region else None


def _send(
    socket: "zmq.Socket[bytes]", message: Message, header: bytes = b"", pixels: Pixels = None
) -> None:
    frames = [frame for frame in (header, pixels) if frame]
    socket.send_multipart([engine_link.encode(message), *frames], copy=False)


def _be_killed_first() -> None:
    """Where memory runs out Linux should end this process: the photos and GIMP are elsewhere."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def _end_with_supervisor() -> None:
    if sys.platform == "win32":
        psutil.Process(os.getppid()).wait()
    else:
        sys.stdin.buffer.read()  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
