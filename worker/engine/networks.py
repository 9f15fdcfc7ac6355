"""Both networks on one device."""

import logging
import time
from functools import partial
from typing import cast

import torch
from torch import Tensor

from semcolor.protocol.schema import Colorize, Recolor, Segment, Suggest, SuggestAll
from semcolor_worker.coloring import strips
from semcolor_worker.coloring.checkpoints import Checkpoint
from semcolor_worker.coloring.detail import detail_size
from semcolor_worker.coloring.graphs import Graphs
from semcolor_worker.coloring.memory_errors import ran_out
from semcolor_worker.coloring.painting import FullPass, at_once
from semcolor_worker.coloring.upsampling import Size
from semcolor_worker.models import weights
from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.gridnet import GridNet
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet
from semcolor_worker.models.weights import Model

from . import memory

AtDetail = Segment | Colorize | Recolor | Suggest | SuggestAll
"""Requests that a network answers, so that they have a detail."""

_GRAPHED_PIXELS = 1 << 18  # at detail: a GPU runs all of that sooner than what a stroke reaches
_CPU = torch.device("cpu")


class Networks:
    """The models on their home device, or on the CPU while the home has no memory."""

    def __init__(self, color: Model, segmentation: Model, device: torch.device) -> None:
        self.color, self.segmentation = color, segmentation
        self.device = self._home = device
        self._home_tried = 0.0  # monotonic seconds
        self._graphs = self._new_graphs()

    @property
    def unet(self) -> TwoStreamUNet:
        """The colour model's network."""
        return cast(TwoStreamUNet, self.color.network)

    @property
    def segmenter(self) -> EfficientNetFPN | GridNet:
        """The segmentation model's network."""
        return cast(EfficientNetFPN | GridNet, self.segmentation.network)

    def detail(self, request: AtDetail) -> int:
        """The detail that is asked for."""
        return request.detail or self._model(request).spec.detail

    def size(self, request: AtDetail, shape: torch.Size, detail: int) -> Size:
        """Of the network's input for a photo of a shape."""
        return detail_size(shape, detail, self._model(request))

    def full_pass(self, size: Size, low_memory: bool, checkpoint: Checkpoint) -> FullPass | None:
        """How the colour network runs on all of a picture after each edit, where that is better."""
        if low_memory:
            return partial(strips.chroma, self.unet, checkpoint=checkpoint)
        graphed = self.device.type == "cuda" and size[0] * size[1] <= _GRAPHED_PIXELS
        return self._graphed if graphed else None

    def leave_home(self) -> bool:
        """Go on with the CPU; False where that is the device already."""
        if self.device == _CPU:
            return False
        logging.warning("memory ran out on %s: going on with the CPU", self.device)
        self._move(_CPU)
        self._home_tried = time.monotonic()
        return True

    def return_home(self) -> None:
        """Leave the CPU for the device that had no memory, once it has."""
        now = time.monotonic()
        if self.device == self._home or now < self._home_tried + memory.RETRY_SECONDS:
            return
        self._home_tried = now
        if memory.has_room(self._home):
            logging.info("going back to %s", self._home)
            try:
                self._move(self._home)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                self._move(_CPU)

    def forget_graphs(self) -> None:
        """Let go what is recorded, and its memory."""
        self._graphs.clear()

    def _model(self, request: AtDetail) -> Model:
        return self.segmentation if isinstance(request, Segment) else self.color

    def _move(self, device: torch.device) -> None:
        self.device = device
        for model in (self.color, self.segmentation):
            model.network.to(device)
        self.unet.compute_in(weights.precision_for(device))
        self._graphs = self._new_graphs()  # they hold where the weights were

    def _new_graphs(self) -> Graphs:
        return Graphs(lambda ids, *gray: at_once(self.unet, list(gray), ids))

    def _graphed(self, gray: list[Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
        output, level = self._graphs(ids, *gray)
        return output, level
