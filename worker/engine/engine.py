"""The engine: photo + label map → label map or colour, one rectangle at a time.

    photo ──▶ gray at detail ──▶ instance-normalised features (cached per photo) ─┐
    label map ──▶ labels at detail (majority) ────────────────────────────────────┴▶ chroma
    chroma ──▶ upsampled along the photo's edges ──▶ gamut ──▶ the rectangle asked for

*Detail* is the longest side of the network's input. What was computed at detail is cached, so
that pulling a large photo strip by strip runs the network once.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from semcolor.photos.pixels import LabelMap
from semcolor.protocol.results import ObjectColors, Suggestion
from semcolor.protocol.schema import (
    PREDICTED,
    Colorize,
    PhotoRequest,
    Recolor,
    Refine,
    Segment,
    Snap,
    Suggest,
    SuggestAll,
    named,
)
from semcolor.shared.geometry import Rectangle
from semcolor_worker.coloring.checkpoints import Checkpoint, go_on
from semcolor_worker.coloring.memory_errors import ran_out
from semcolor_worker.coloring.scenes import Scene
from semcolor_worker.models import weights
from semcolor_worker.models.folding import prepare
from semcolor_worker.models.weights import Model
from semcolor_worker.resources import PLANES_AT_MOST

from . import memory
from .inference import Inference, Plan
from .inference_cache import InferenceCache
from .memory_policy import MemoryPolicy
from .networks import AtDetail, Networks
from .planes import PlaneCache
from .warm_up import warm_up

R = TypeVar("R", bound=AtDetail)
T = TypeVar("T")


class PlanesMissingError(Exception):
    """A job needs planes that it did not need when it began: see :meth:`Engine.needed`."""


class Engine:
    """Both networks on one device, with caches. Not thread-safe.

    ``checkpoint`` is called between layers and between tiles: what it raises ends the job there,
    and the caches stay sound. ``plane_budget``: bytes of photos and label maps. What does not fit
    the photo (a rectangle outside, labels or masks of another size) is a SemcolorError
    (LABELS_MISMATCH), and so is memory that does not suffice in any way (NO_MEMORY). ``policy``
    tells at which detail a request is answered.
    """

    def __init__(
        self, color_model: Model, segmentation_model: Model, device: torch.device,
        checkpoint: Checkpoint = go_on, plane_budget: int = PLANES_AT_MOST,
    ) -> None:  # fmt: skip
        self.color = color_model
        self.segmentation = segmentation_model
        self._networks = Networks(color_model, segmentation_model, device)
        self._planes = PlaneCache(plane_budget)
        self._cache = InferenceCache(device)
        self._inference = Inference(self._networks, self._planes, self._cache, checkpoint)
        self.policy = MemoryPolicy(self._networks)

    @classmethod
    def load(
        cls, folder: Path | None, device: torch.device | None = None,
        checkpoint: Checkpoint = go_on, plane_budget: int = PLANES_AT_MOST,
        precision: torch.dtype | None = None,
    ) -> "Engine":  # fmt: skip
        """A folder's models (None: the bundled ones), on a device (None: the GPU if there is one).

        ``precision``: what colour is computed in; None: what the device is fastest in. Bundled
        models stand in for what the folder lacks. Raises SemcolorError (BAD_WEIGHTS).
        """
        device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        color_model = weights.load_for("color", folder, device)
        segmentation_model = weights.load_for("segmentation", folder, device)
        prepare(color_model.network, precision or weights.precision_for(device))
        prepare(segmentation_model.network)
        return cls(color_model, segmentation_model, device, checkpoint, plane_budget)

    @property
    def models(self) -> list[Model]:
        """Both models."""
        return [self.color, self.segmentation]

    @property
    def device(self) -> torch.device:
        """Where it computes now: the CPU, while its own device has no memory."""
        return self._networks.device

    def new_plane(self, height: int, width: int, dtype: torch.dtype) -> Tensor:
        """An empty plane to be filled; where memory does not suffice, all others make way."""
        try:
            return torch.empty((height, width), dtype=dtype)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        self.forget()
        self._planes.clear()
        return torch.empty((height, width), dtype=dtype)

    def put_plane(self, digest: str, plane: Tensor) -> None:
        """Keep a photo (H×W uint8 or uint16) or a label map (H×W uint8)."""
        self._planes.put(digest, plane)

    def edit_plane(
        self, digest: str, base: str, region: Rectangle, pixels: Tensor, keep_base: bool = False
    ) -> None:
        """Turn a label map into another one, by a rectangle of it; see :meth:`PlaneCache.edit`."""
        self._planes.edit(digest, base, region, pixels, keep_base)

    def forget_planes(self, digests: Iterable[str]) -> None:
        """Drop these photos and label maps, and all that was made of them."""
        for digest in digests:
            self._planes.drop(digest)
            self._planes.drop(_predicted(digest))
            self._cache.drop(digest)
        memory.give_back(self.device)

    def dropped(self) -> list[str]:
        """The planes that were given and are no longer here; each is told once."""
        return self._planes.dropped()

    def lacking(self, digests: Iterable[str]) -> list[str]:
        """Those of the planes that are not here."""
        return self._planes.lacking(digests)

    def needed(self, request: PhotoRequest) -> list[str]:
        """The planes without which a request can't be answered; results may be there already."""
        if request.photo not in self._planes or not isinstance(request, Colorize | Recolor):
            return named(*request.planes, *request.planes_before)
        return self._inference.needed(request, self._plan(request))

    def segment(self, request: Segment) -> Tensor:
        """Class ids of the rectangle, height×width uint8 on the CPU; a border is *unlabelled*."""
        return self._within_memory(request, self._inference.segment)

    def colorize(self, request: Colorize) -> Tensor:
        """Colour of the rectangle, height×width×3 of the photo's dtype, on the CPU."""
        if request.labels == PREDICTED:
            request = replace(request, labels=self._predicted(request.photo))
        return self._within_memory(request, self._inference.colorize)

    def _predicted(self, photo: str) -> str:
        """The name of the plane of predicted labels, which is made if it is not here."""
        name = _predicted(photo)
        if name not in self._planes:
            height, width = self._planes[photo].shape
            self._planes.keep(name, self.segment(Segment(photo, Rectangle(0, 0, width, height))))
        return name

    def recolor(self, request: Recolor) -> tuple[Rectangle, Tensor]:
        """Where colour by the labels visibly differs from colour by those before; may be empty.

        With it the colour of its first rows, as from :meth:`colorize`: all that go into one piece.
        """
        return self._within_memory(request, self._inference.recolor)

    def suggest(self, request: Suggest) -> list[Suggestion]:
        """Plausible colours of a part of the photo, at its lightness; most likely first.

        Raises SemcolorError: NO_SUGGESTIONS for a model without a distribution, EMPTY_SELECTION.
        """
        return self._within_memory(request, self._inference.suggest)

    def suggest_all(self, request: SuggestAll) -> list[ObjectColors]:
        """The same for each object of the label map, the largest first. Raises NO_SUGGESTIONS."""
        return self._within_memory(request, self._inference.suggest_all)

    def snap(self, request: Snap) -> tuple[Rectangle, LabelMap]:
        """Where one class changes when it is fitted to the photo's edges, and the new class ids."""
        # OpenCV takes a while to load, and few need it.
        from semcolor_worker.coloring.snapping import snap

        photo = self._planes[request.photo]
        labels = self._planes.of_photo(request.labels, request.photo)
        return snap(photo.numpy(), labels.numpy(), request.region, request.class_id)

    def scene(self, photo: str) -> Scene:
        """What strokes on a photo are looked at with."""
        request = Segment(photo, Rectangle(0, 0, 1, 1))
        return self._within_memory(request, lambda r, plan: self._inference.scene(r.photo, plan))

    @cached_property
    def _refiner(self) -> nn.Module:
        return weights.load(weights.bundled("refinement")).network

    @torch.inference_mode()
    def refine(self, request: Refine) -> tuple[Rectangle, LabelMap]:
        """Where labels change when the object under a stroke follows it, and the new class ids."""
        # OpenCV takes a while to load, and few need it.
        from semcolor_worker.coloring.refining import refine

        place = self._planes.place(request.photo)
        self._planes.photo(request.photo, request.region)  # it must be inside

        def picture(digest: str) -> LabelMap:
            plane = self._planes.of_photo(digest, request.photo)
            ids: LabelMap = plane[place.rows, place.columns].numpy()
            return ids

        changed, ids = refine(
            self._refiner, self.scene(request.photo),
            self._planes.picture(request.photo).numpy(), picture(request.labels),
            picture(request.strokes) if request.strokes else None,
            request.region.clip(place).seen_from(place), request.class_id, request.everywhere,
        )  # fmt: skip
        return changed._replace(x=changed.x + place.x, y=changed.y + place.y), ids

    def warm_up(self, is_wanted: Callable[[], bool]) -> None:
        """Meet pictures of the usual shapes, until somebody wants something."""
        warm_up(self._networks, is_wanted)
        if not is_wanted():
            memory.give_back(self.device)

    def forget(self) -> None:
        """Drop all results; photos and label maps stay."""
        self._cache.clear()
        self._planes.forget_details()
        self._networks.forget_graphs()
        memory.give_back(self.device)

    def _plan(self, request: AtDetail) -> Plan:
        shape, detail = self._planes.picture(request.photo).shape, self.policy.detail(request)
        return Plan(self._networks.size(request, shape, detail), self.policy.is_low(request))

    @torch.inference_mode()
    def _within_memory(self, request: R, job: Callable[[R, Plan], T]) -> T:
        """Do a job; when memory runs out, once more without caches, then as the policy says."""
        self._cache.trim()
        self._networks.return_home()
        self.policy.renew(request)
        dropped = False
        while True:
            if self.lacking(self.needed(request)):
                raise PlanesMissingError  # results that are no longer here stood in for them
            self._cache.move_to(self.device)
            try:
                return job(request, self._plan(request))
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            # From here on the failed job's tensors are free.
            self.forget()
            if dropped:
                self.policy.retreat(request)
            dropped = True


def _predicted(photo: str) -> str:
    """What the plane of predicted labels is called."""
    return f"{PREDICTED} for {photo}"
