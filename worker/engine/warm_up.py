"""Meeting pictures of the usual shapes before the first photo comes.

Libraries prepare themselves for each size when they first see it, which takes as long as the work
itself.
"""

import logging
from collections.abc import Callable

import torch

from semcolor.protocol.schema import Colorize, Recolor, Segment
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.checkpoints import Checkpoint
from semcolor_worker.coloring.memory_errors import ran_out
from semcolor_worker.resources import PLANES_AT_MOST

from .inference import Inference, Plan
from .inference_cache import InferenceCache
from .networks import AtDetail, Networks
from .planes import PlaneCache

_USUAL_SIDES = (960, 900, 800)  # of photos whose other side has 1200; what is met last stays


class _WantedError(Exception):
    """Somebody waits for what is more important."""


def warm_up(networks: Networks, is_wanted: Callable[[], bool]) -> None:
    """Run on made-up photos until somebody wants something; nothing is left of them."""

    def stop() -> None:
        if is_wanted():
            raise _WantedError

    try:
        for side in _USUAL_SIDES:
            _rehearse(networks, side, 1200, stop)
            _rehearse(networks, 1200, side, stop)
    except _WantedError:
        pass
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        logging.warning("warming up ended: %s", error)


@torch.inference_mode()
def _rehearse(networks: Networks, height: int, width: int, checkpoint: Checkpoint) -> None:
    """Segmenting, colouring and a stroke."""
    planes = PlaneCache(PLANES_AT_MOST)
    inference = Inference(networks, planes, InferenceCache(networks.device), checkpoint)
    planes.put("photo", torch.randint(256, (height, width), dtype=torch.uint8))
    planes.put("labels", torch.zeros((height, width), dtype=torch.uint8))

    def plan(request: AtDetail) -> Plan:
        shape = planes.picture("photo").shape
        return Plan(networks.size(request, shape, networks.detail(request)), False)

    whole, middle = Rectangle(0, 0, width, height), Rectangle(width // 2, height // 2, 32, 32)
    segment, colorize = Segment("photo", whole), Colorize("photo", "labels", whole)
    inference.segment(segment, plan(segment))
    inference.colorize(colorize, plan(colorize))
    pixels = torch.full((middle.pixels,), NUM_LABELS - 1, dtype=torch.uint8)
    planes.edit("edited", "labels", middle, pixels)
    inference.recolor(Recolor("photo", "edited", "labels"), plan(colorize))
