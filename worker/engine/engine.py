"""The engine: photo + label map → label map or colour, one rectangle at a time.

    photo ──▶ gray at detail ──▶ instance-normalised features (cached per photo) ─┐
    label map ──▶ labels at detail (majority) ────────────────────────────────────┴▶ chroma
    chroma ──▶ upsampled along the photo's edges ──▶ gamut ──▶ the rectangle asked for

*Detail* is the longest side of the network's input. What was computed at detail is cached, so
that pulling a large photo strip by strip runs the network once.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_pre_hook

from semcolor.photos.pixels import LabelMap
from semcolor.protocol.results import Suggestion
from semcolor.protocol.schema import (
    PIECE_LIMIT,
    PREDICTED,
    Colorize,
    PhotoRequest,
    Recolor,
    Segment,
    Snap,
    Suggest,
    Tint,
    named,
)
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker import color
from semcolor_worker.coloring import strips, suggestions
from semcolor_worker.coloring.canvas import Canvas
from semcolor_worker.coloring.detail import detail_size, lightness_at, majority, mended, shrunk
from semcolor_worker.coloring.graphs import Graphs
from semcolor_worker.coloring.memory_errors import ran_out
from semcolor_worker.coloring.painting import Everything, at_once
from semcolor_worker.coloring.upsampling import GuidedChroma, Size, bilinear_rows, visible_changes
from semcolor_worker.coloring.windows import Window
from semcolor_worker.lru import LruCache
from semcolor_worker.models import weights
from semcolor_worker.models.folding import prepare
from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.gridnet import GridNet
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet
from semcolor_worker.models.weights import Model
from semcolor_worker.resources import PLANES_AT_MOST

from . import memory

_LOGITS_SHARE = 0.25  # of the memory for results: segmentations, which are made once
_IDS_BUDGET = 1 << 26  # bytes of label maps at detail
_SMALLEST_DETAIL = 128  # pixels: what a lack of memory may lead to
_TILE_PIXELS = 1 << 18  # full-resolution work goes by tiles that stay in the processor's cache
_RETRY_SECONDS = 60.0  # after so long without a request a lowered detail is raised again
_GRAPHED_PIXELS = 1 << 18  # at detail: a GPU runs all of that sooner than what a stroke reaches
_USUAL_SIDES = (960, 900, 800)  # of photos whose other side has 1200; what is met last stays
_REHEARSED = ("rehearsed photo", "rehearsed labels", "rehearsed edit")

_CPU = torch.device("cpu")

T = TypeVar("T")
AtDetail = Segment | Colorize | Recolor | Suggest
Checkpoint = Callable[[], None]
_Winners = tuple[Tensor, Tensor]  # classes that win anywhere at detail, and their h×w×C logits

_Asked = tuple[str, int, bool]  # photo, detail, whether for a segmentation


def _go_on() -> None:
    pass


class PlanesMissingError(Exception):
    """A job needs planes that it did not need when it began: see :meth:`Engine.needed`."""


class _WantedError(Exception):
    """Somebody waits for what is more important."""


@dataclass
class _Means:
    """What memory did suffice for, and when it was last used (monotonic seconds).

    ``detail``: 0 where it is the one asked for. Nothing is kept that only edits need.
    """

    detail: int
    used: float


class Engine:
    """Both networks on one device, with caches. Not thread-safe.

    ``checkpoint`` is called between tiles and before each convolution: what it raises ends the
    job there, and the caches stay sound. ``plane_budget``: bytes of photos and label maps.
    """

    def __init__(
        self, color_model: Model, segmentation_model: Model, device: torch.device,
        checkpoint: Checkpoint = _go_on, plane_budget: int = PLANES_AT_MOST,
    ) -> None:  # fmt: skip
        self.device = self._home = device
        self._looked = 0.0  # monotonic seconds: when it was last seen whether the home has room
        self._checkpoint = checkpoint
        self.color = color_model
        self.segmentation = segmentation_model
        self._unet = cast(TwoStreamUNet, color_model.network)
        self._planes: LruCache[Tensor] = LruCache(plane_budget, lambda plane: plane.nbytes)
        self._given: set[str] = set()  # planes that were given, and not yet said to be gone
        self._ids: LruCache[dict[Size, Tensor]] = LruCache(_IDS_BUDGET, _bytes)
        self._reserve()
        self._means: LruCache[_Means] = LruCache(1024)  # of what memory did not suffice for
        self._shown: LruCache[Size] = LruCache(1024)  # at detail, of the last colour

    @classmethod
    def load(
        cls, folder: Path | None, device: torch.device | None = None,
        checkpoint: Checkpoint = _go_on, plane_budget: int = PLANES_AT_MOST,
        precision: torch.dtype | None = None,
    ) -> "Engine":  # fmt: skip
        """A folder's models (None: the bundled ones), on a device (None: the GPU if there is one).

        ``precision``: what colour is computed in; None: what the device is fastest in. Bundled
        models stand in for what the folder lacks. Raises WeightsError.
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

    def _reserve(self) -> None:
        """Make the caches of results, by the memory that the device has left.

        Graphs hold where the weights are, so a move needs new ones.
        """
        budget = memory.feature_budget(self.device)
        for_logits = int(_LOGITS_SHARE * budget)
        self._canvases: LruCache[Canvas] = LruCache(
            budget - for_logits, lambda canvas: canvas.nbytes
        )
        self._logits: LruCache[_Winners] = LruCache(for_logits, lambda winners: winners[1].nbytes)
        self._graphs = Graphs(lambda ids, *gray: at_once(self._unet, list(gray), ids))

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
        self._given.add(digest)

    def dropped(self) -> list[str]:
        """The planes that were given and are no longer here; each is told once."""
        gone = sorted(digest for digest in self._given if digest not in self._planes)
        self._given.difference_update(gone)
        return gone

    def edit_plane(
        self, digest: str, base: str, region: Rectangle, pixels: Tensor, keep_base: bool = False
    ) -> None:
        """Turn a label map into another one, by a rectangle of it: ``pixels``, uint8.

        The base is no longer here, unless it is to be kept: copying all of it would cost more than
        all else in an edit.
        """
        plane = self._planes[base]
        known = self._ids.get(base) or {}
        if keep_base:
            plane = plane.clone()
        else:
            self._planes.pop(base)
            self._ids.pop(base)
        plane[region.rows, region.columns] = pixels.view(region.height, region.width)
        self.put_plane(digest, plane)
        self._ids.put(digest, {size: mended(ids, plane, region) for size, ids in known.items()})

    def lacking(self, digests: Iterable[str]) -> list[str]:
        """Those of the planes that are not here."""
        return [digest for digest in digests if self._planes.get(digest) is None]

    def needed(self, request: PhotoRequest) -> list[str]:
        """The planes without which a request can't be answered; results may be there already."""
        photo = self._planes.get(request.photo)
        everything = named(*request.planes, *request.planes_before)
        if photo is None or not isinstance(request, Colorize | Recolor):
            return everything
        canvas = self._canvases.get((request.photo, self._size(request)))
        if canvas is None or request.labels == PREDICTED:
            return everything
        if isinstance(request, Recolor) and not canvas.guiding.remembers(
            (request.before, request.tints_before)
        ):
            return everything
        return named(request.photo, *canvas.lacks(request.labels, request.tints))

    def segment(self, request: Segment) -> Tensor:
        """Class ids of the rectangle, height×width uint8 on the CPU; never *unlabelled*.

        Raises ValueError for a rectangle outside the photo.
        """
        return self._within_memory(request, lambda: self._segment(request))

    def _segment(self, request: Segment) -> Tensor:
        photo = self._plane(request.photo, request.region)
        size = self._size(request)
        winners = self._logits.get((request.photo, size))
        if winners is None:
            winners = self._logits.put((request.photo, size), self._predict(photo, size))
        size = (photo.shape[0], photo.shape[1])
        return _classes(winners, size, request.region, self._checkpoint)

    def colorize(self, request: Colorize) -> Tensor:
        """Colour of the rectangle, height×width×3 of the photo's dtype, on the CPU.

        Raises ValueError for a rectangle outside the photo, labels or masks of another size.
        """
        if request.labels == PREDICTED:
            request = replace(request, labels=self._predicted(request.photo))
        return self._within_memory(request, lambda: self._colorize(request))

    def _predicted(self, photo: str) -> str:
        """The name of the plane of predicted labels, which is made if it is not here."""
        name = f"{PREDICTED} for {photo}"
        if self._planes.get(name) is None:
            height, width = self._planes[photo].shape
            self._planes.put(name, self.segment(Segment(photo, Rectangle(0, 0, width, height))))
        return name

    def _colorize(self, request: Colorize) -> Tensor:
        photo = self._plane(request.photo, request.region)
        canvas = self._canvas(request)
        self._shown.put(_asked(request), canvas.size)
        self._colour(canvas, request.photo, request.labels, request.tints)
        return self._full_resolution(photo, canvas.guiding.current, request.region)

    def recolor(self, request: Recolor) -> tuple[Rectangle, Tensor]:
        """Where colour by the labels visibly differs from colour by those before; may be empty.

        With it the colour of its first rows, as from :meth:`colorize`: all that go into one piece.
        Raises ValueError for labels or masks of another size.
        """
        return self._within_memory(request, lambda: self._recolor(request))

    def _recolor(self, request: Recolor) -> tuple[Rectangle, Tensor]:
        photo, region = self._planes[request.photo], self._changes(request)
        canvas = self._canvas(request)
        self._colour(canvas, request.photo, request.labels, request.tints)
        bytes_per_row = max(1, region.width) * 3 * photo.itemsize
        rows = min(region.height, max(1, PIECE_LIMIT // bytes_per_row))
        piece = Rectangle(region.x, region.y, region.width, rows)
        pixels = self._full_resolution(photo, canvas.guiding.current, piece)
        self._shown.put(_asked(request), canvas.size)
        return region, pixels

    def changes(self, request: Recolor) -> Rectangle:
        """The rectangle of :meth:`recolor` alone."""
        return self._within_memory(request, lambda: self._changes(request))

    def _changes(self, request: Recolor) -> Rectangle:
        photo, canvas = self._planes[request.photo], self._canvas(request)
        if self._shown.get(_asked(request)) not in (None, canvas.size):
            return Rectangle(0, 0, photo.shape[1], photo.shape[0])  # lowered, or raised again
        before = request.before, request.tints_before
        if not canvas.guiding.remembers(before):
            self._colour(canvas, request.photo, *before)
        self._colour(canvas, request.photo, request.labels, request.tints)
        change = canvas.guiding.since(before)
        if change is None:
            return NOWHERE
        window, one, other = change
        grays, size = canvas.gray_range(photo), (photo.shape[0], photo.shape[1])
        return visible_changes(one, other, grays, size, window)

    def snap(self, request: Snap) -> tuple[Rectangle, LabelMap]:
        """Where one class changes when it is fitted to the photo's edges, and the new class ids.

        Raises ValueError for labels of another size or a rectangle outside.
        """
        from semcolor_worker.coloring.snapping import (
            snap,  # OpenCV takes a while to load, and few need it
        )

        photo = self._planes[request.photo]
        labels = self._like(photo, request.labels)
        return snap(photo.numpy(), labels.numpy(), request.region, request.class_id)

    def suggest(self, request: Suggest) -> list[Suggestion]:
        """Plausible colours of a part of the photo, at its lightness; most likely first.

        Raises SemcolorError (NO_SUGGESTIONS) for a model without a distribution; ValueError for
        an empty mask, labels or a mask of another size.
        """
        return self._within_memory(request, lambda: self._suggest(request))

    def _suggest(self, request: Suggest) -> list[Suggestion]:
        if self._unet.bins_head is None:
            raise SemcolorError(
                Code.NO_SUGGESTIONS,
                "the colour model in use suggests no colours: `semcolor weights use`, where the "
                "worker runs, chooses one that does",
            )
        canvas = self._canvas(request)
        canvas.paint(request.labels, self._ids_for(canvas, request.photo, request.labels))
        logits = canvas.painting.bin_logits
        mask = self._mask_at(request.mask, request.photo, canvas.size)
        coarse = F.interpolate(mask[None, None], logits.shape[2:], mode="area")[0, 0]
        probabilities = suggestions.average_distribution(logits[0], coarse)
        found = suggestions.distinct_colours(probabilities.cpu(), color.chroma_bins())
        lightness = suggestions.median(canvas.lightness[0, 0], mask)
        return [Suggestion(*entry, swatch(lightness, entry.a, entry.b)) for entry in found]

    def be_sparing(self, request: AtDetail) -> None:
        """Begin with little memory: the process that had this job before had not enough for it."""
        asked = _asked(request)
        if self._means.get(asked) is None:
            detail = max(self._detail(request) // 4, _SMALLEST_DETAIL)
            self._means.put(asked, _Means(detail, time.monotonic()))

    def lowered(self, request: Segment | Colorize | Recolor) -> int:
        """The detail of an answer, where memory did not suffice for the one asked for; else 0."""
        means = self._means.get(_asked(request))
        return means.detail if means else 0

    def warm_up(self, is_wanted: Callable[[], bool]) -> None:
        """Meet pictures of the usual shapes, until somebody wants something.

        Libraries prepare themselves for each size when they first see it, which takes as long as
        the work itself. Nothing is left of it but that.
        """

        def stop() -> None:
            if is_wanted():
                raise _WantedError

        regular, self._checkpoint = self._checkpoint, stop
        try:
            for side in _USUAL_SIDES:
                self._rehearse(side, 1200)
                self._rehearse(1200, side)
        except _WantedError:
            pass
        except SemcolorError as error:  # no memory
            logging.warning("warming up ended: %s", error)
        finally:
            self._checkpoint = regular
            for name in _REHEARSED:
                self._planes.pop(name)
            self._forget_photos()
            self.dropped()  # nobody else knows of these
        if not is_wanted():
            memory.give_back(self.device)

    def _rehearse(self, height: int, width: int) -> None:
        photo, labels, edited = _REHEARSED
        whole, middle = Rectangle(0, 0, width, height), Rectangle(width // 2, height // 2, 32, 32)
        self.put_plane(photo, torch.randint(256, (height, width), dtype=torch.uint8))
        self.put_plane(labels, torch.zeros((height, width), dtype=torch.uint8))
        self.segment(Segment(photo, whole))
        self.colorize(Colorize(photo, labels, whole))
        pixels = torch.full((middle.pixels,), NUM_LABELS - 1, dtype=torch.uint8)
        self.edit_plane(edited, labels, middle, pixels)
        self.recolor(Recolor(photo, edited, labels))

    def forget(self) -> None:
        """Drop all results; photos and label maps stay."""
        self._forget_photos()
        self._graphs.clear()
        memory.give_back(self.device)

    def _forget_photos(self) -> None:
        for cache in (self._canvases, self._ids, self._logits):
            cache.clear()

    def _plane(self, digest: str, region: Rectangle) -> Tensor:
        plane = self._planes[digest]
        height, width = plane.shape
        if not region.fits(width, height):
            raise ValueError(f"the rectangle is not inside the photo of {width} × {height} pixels")
        return plane

    def _predict(self, photo: Tensor, size: Size) -> _Winners:
        lightness = lightness_at(photo, size, self.device)
        network = cast(EfficientNetFPN | GridNet, self.segmentation.network)
        return strips.winning_logits(network, self.segmentation.normalise(lightness))

    @torch.inference_mode()
    def _within_memory(self, request: AtDetail, do: Callable[[], T]) -> T:
        """Do a job. When memory does not suffice, without caches; then in strips, keeping nothing
        for edits; then at a smaller and smaller detail; then on the CPU.

        Raises SemcolorError (NO_MEMORY) when nothing helps.
        """
        self._canvases.trim()
        self._return()
        self._raise_again(request)
        dropped = False
        while True:
            if self.lacking(self.needed(request)):
                raise PlanesMissingError  # results that are no longer here stood in for them
            try:
                with register_module_forward_pre_hook(self._before_layer):
                    return do()
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            # From here on the failed job's tensors are free.
            self.forget()
            if dropped:
                self._retreat(request)
            dropped = True

    def _before_layer(self, module: nn.Module, _: object) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            self._checkpoint()

    def _return(self) -> None:
        """Leave the CPU for the device that had no memory, once it has."""
        now = time.monotonic()
        if self.device == self._home or now < self._looked + _RETRY_SECONDS:
            return
        self._looked = now
        if memory.has_room(self._home):
            logging.info("going back to %s", self._home)
            try:
                self._move(self._home)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                self._move(_CPU)

    def _raise_again(self, request: AtDetail) -> None:
        """The pieces of one picture, which follow each other closely, stay at one detail."""
        asked, now = _asked(request), time.monotonic()
        means = self._means.get(asked)
        if means and now > means.used + _RETRY_SECONDS:
            self._canvases.pop((request.photo, self._size(request)))  # it is thrifty
            self._means.pop(asked)
        elif means:
            means.used = now

    def _retreat(self, request: AtDetail) -> None:
        asked = _asked(request)
        means, detail = self._means.get(asked), self._detail(request)
        if means is None and not isinstance(request, Segment):
            logging.warning("memory ran out: going on in strips, keeping nothing for edits")
            self._means.put(asked, _Means(0, time.monotonic()))
        elif detail // 2 >= _SMALLEST_DETAIL:
            logging.warning("memory ran out: detail %d instead of %d", detail // 2, detail)
            self._means.put(asked, _Means(detail // 2, time.monotonic()))
        elif self.device != _CPU:
            logging.warning("memory ran out on %s: going on with the CPU", self.device)
            self._move(_CPU)
            self._means.clear()
            self._looked = time.monotonic()
        else:
            raise SemcolorError(
                Code.NO_MEMORY,
                "the worker's memory does not suffice for this photo, even at the smallest detail: "
                "close other programs there, or scale the photo down",
            )

    def _move(self, device: torch.device) -> None:
        """To another device; results stay behind."""
        self.device = device
        for model in self.models:
            model.network.to(device)
        self._unet.compute_in(weights.precision_for(device))
        self._reserve()

    def _model(self, request: AtDetail) -> Model:
        return self.segmentation if isinstance(request, Segment) else self.color

    def _detail(self, request: AtDetail) -> int:
        """What memory suffices for, or else what is asked for."""
        means = self._means.get(_asked(request))
        return (means.detail if means else 0) or request.detail or self._model(request).spec.detail

    def _size(self, request: AtDetail) -> Size:
        shape = self._planes[request.photo].shape
        return detail_size(shape, self._detail(request), self._model(request))

    def _canvas(self, request: Colorize | Recolor | Suggest) -> Canvas:
        size = self._size(request)
        canvas = self._canvases.get((request.photo, size))
        if canvas is None:
            lightness = lightness_at(self._planes[request.photo], size, self.device)
            thrifty = self._means.get(_asked(request)) is not None
            canvas = Canvas(self.color, lightness, self._everything(size, thrifty))
            self._canvases.put((request.photo, size), canvas)
        return canvas

    def _everything(self, size: Size, thrifty: bool) -> Everything | None:
        """How the network runs on all of a picture after each edit, where that is better."""
        if thrifty:
            return partial(strips.chroma, self._unet)
        graphed = self.device.type == "cuda" and size[0] * size[1] <= _GRAPHED_PIXELS
        return self._graphed if graphed else None

    def _graphed(self, gray: list[Tensor], ids: Tensor) -> tuple[Tensor, Tensor]:
        output, level = self._graphs(ids, *gray)
        return output, level

    def _colour(self, canvas: Canvas, photo: str, labels: str, tints: tuple[Tint, ...]) -> None:
        def tint(chroma: Tensor) -> Tensor:
            for tint in tints:
                mask = self._mask_at(tint.mask, photo, canvas.size)
                chroma = suggestions.tinted(chroma, mask, tint.a, tint.b)
            return chroma

        canvas.colour(labels, tints, self._ids_for(canvas, photo, labels), tint)
        self._canvases.trim()

    def _ids_for(self, canvas: Canvas, photo: str, labels: str) -> Callable[[], Tensor]:
        return lambda: self._ids_at(labels, self._planes[photo], canvas.size)

    def _mask_at(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w, 0..1."""
        mask = self._like(self._planes[photo], digest)
        return shrunk(mask, size)[0, 0].to(self.device).float() / 255

    def _like(self, photo: Tensor, digest: str) -> Tensor:
        """A label map or a mask of a photo."""
        plane = self._planes[digest]
        if plane.shape != photo.shape:
            raise ValueError("the label map and the photo do not have the same size")
        return plane

    def _ids_at(self, digest: str, photo: Tensor, size: Size) -> Tensor:
        """h×w uint8 class ids."""
        if not digest:
            return torch.zeros(size, dtype=torch.uint8, device=self.device)
        plane = self._like(photo, digest)
        known = self._ids.get(digest) or self._ids.put(digest, {})
        if size not in known:
            known[size] = majority(plane, Window.whole(*size), size)
        if int(known[size].max()) >= NUM_LABELS:
            raise ValueError(f"a label map's class ids end at {NUM_LABELS - 1}")
        return known[size].to(self.device)

    def _full_resolution(self, photo: Tensor, chroma: GuidedChroma, region: Rectangle) -> Tensor:
        rgb = torch.empty((region.height, region.width, 3), dtype=photo.dtype)
        pixels = rgb.numpy()
        size = (photo.shape[0], photo.shape[1])
        for top, rows in tiles(region):
            self._checkpoint()
            part = photo[top : top + rows, region.x : region.x + region.width].to(self.device)
            tile = Rectangle(region.x, top, region.width, rows)
            fx_fz = chroma.at(color.gray_lightness(part), size, tile)
            target = pixels[top - region.y : top - region.y + rows]
            for channel, plane in enumerate(color.rgb_from_chroma(part, fx_fz).cpu().numpy()):
                target[..., channel] = plane  # interleaving is much faster in numpy
        return rgb


def _bytes(by_size: dict[Size, Tensor]) -> int:
    return sum(ids.nbytes for ids in by_size.values())


def _asked(request: AtDetail) -> _Asked:
    return request.photo, request.detail, isinstance(request, Segment)


def swatch(lightness: float, a: float, b: float) -> str:
    """“#rrggbb” of a colour as a photo shows it: in gamut, at its lightness (0..100)."""
    gray = color.gray_from_lightness(torch.tensor(lightness)).clamp(0, 1) * 255
    pixel = gray.round().to(torch.uint8).view(1, 1)
    rgb = color.rgb_from_ab(pixel, torch.tensor([a, b]).view(2, 1, 1))
    return "#" + bytes(rgb.flatten().tolist()).hex()


def tiles(region: Rectangle) -> list[tuple[int, int]]:
    """(first row, rows) of the pieces that full-resolution work goes by."""
    step = max(1, _TILE_PIXELS // max(1, region.width))
    bottom = region.y + region.height
    return [(top, min(step, bottom - top)) for top in range(region.y, bottom, step)]


def _classes(winners: _Winners, size: Size, region: Rectangle, checkpoint: Checkpoint) -> Tensor:
    """The winning class at full resolution, of those that win anywhere at detail."""
    present, logits = winners
    ids = torch.empty((region.height, region.width), dtype=torch.uint8)
    for top, rows in tiles(region):
        checkpoint()
        tile = Rectangle(region.x, top, region.width, rows)
        winner = bilinear_rows(logits, size, tile).argmax(dim=2)
        y = top - region.y
        ids[y : y + rows] = present[winner].to(torch.uint8).cpu()
    return ids
