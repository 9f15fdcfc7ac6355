"""What requests ask for, from planes and networks; what was made at detail is cached."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor.protocol.results import ObjectColors, Suggestion
from semcolor.protocol.schema import (
    PIECE_LIMIT,
    PREDICTED,
    Colorize,
    Recolor,
    Segment,
    Suggest,
    SuggestAll,
    Tint,
    named,
)
from semcolor.shared.classes import UNLABELLED
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import NOWHERE, Rectangle
from semcolor_worker import color
from semcolor_worker.coloring import strips, suggestions
from semcolor_worker.coloring.canvas import Canvas
from semcolor_worker.coloring.checkpoints import Checkpoint
from semcolor_worker.coloring.detail import lightness_at
from semcolor_worker.coloring.full_resolution import classes_inside, rgb_inside
from semcolor_worker.coloring.scenes import Scene
from semcolor_worker.coloring.upsampling import Size, visible_changes
from semcolor_worker.lru import LruCache

from .inference_cache import InferenceCache
from .memory_policy import asked
from .networks import Networks
from .planes import PlaneCache


class Plan(NamedTuple):
    """How a request is answered: the size of the network's input, and in low-memory mode or not."""

    size: Size
    low_memory: bool


class Inference:
    """Answers requests whose planes are there, as planned.

    ``checkpoint`` ends a job by what it raises; the caches stay sound. For what does not fit the
    photo all methods raise SemcolorError (LABELS_MISMATCH).
    """

    def __init__(
        self, networks: Networks, planes: PlaneCache, cache: InferenceCache, checkpoint: Checkpoint
    ) -> None:
        self._networks, self._planes, self._cache = networks, planes, cache
        self._checkpoint = checkpoint
        self._shown: LruCache[Size] = LruCache(1024)  # at detail, of the last colour

    def needed(self, request: Colorize | Recolor, plan: Plan) -> list[str]:
        """The planes without which it can't be answered; cached results stand in for others."""
        canvas = self._cache.canvases.get((request.photo, *plan))
        everything = named(*request.planes, *request.planes_before)
        if canvas is None or request.labels == PREDICTED:
            return everything
        if isinstance(request, Recolor) and not canvas.guiding.remembers(
            (request.before, request.tints_before)
        ):
            return everything
        return named(request.photo, *canvas.lacks(request.labels, request.tints))

    def segment(self, request: Segment, plan: Plan) -> Tensor:
        """Class ids of the rectangle, height×width uint8 on the CPU.

        Only a border is *unlabelled*.
        """
        photo, networks = self._planes.photo(request.photo, request.region), self._networks
        winners = self._cache.winners.get((request.photo, plan.size))
        if winners is None:
            features = self._look_at(request.photo, plan)
            winners = strips.winning_logits(networks.segmenter, features, self._checkpoint)
            self._cache.winners.put((request.photo, plan.size), winners)
        place, region = self._planes.place(request.photo), request.region
        ids = torch.full((region.height, region.width), UNLABELLED, dtype=torch.uint8)
        part = region.clip(place)
        if part:
            inside = part.seen_from(region)
            ids[inside.rows, inside.columns] = classes_inside(
                photo[place.rows, place.columns], winners, part.seen_from(place), self._checkpoint
            )
        return ids

    def scene(self, photo: str, plan: Plan) -> Scene:
        """What strokes are looked at with."""
        if self._cache.scenes.get(photo) is None:
            self._look_at(photo, plan)
        return self._cache.scenes[photo]

    def _look_at(self, photo: str, plan: Plan) -> Tensor:
        """The segmentation network's features, of which the scene is kept."""
        model, network = self._networks.segmentation, self._networks.segmenter
        lightness, mirrored = self._lightness(photo, plan), model.spec.mirrored
        gray = model.network_input(lightness)
        features = strips.pyramid(network, gray, self._checkpoint, mirrored)
        self._cache.scenes.put(photo, Scene.of(network, features, lightness))
        return features

    def _lightness(self, photo: str, plan: Plan) -> Tensor:
        """1×1×h×w L* of the picture at detail."""
        return lightness_at(self._planes.picture(photo), plan.size, self._networks.device)

    def colorize(self, request: Colorize, plan: Plan) -> Tensor:
        """Colour of the rectangle, height×width×3 of the photo's dtype, on the CPU."""
        self._planes.photo(request.photo, request.region)
        canvas = self._canvas(request.photo, plan)
        self._shown.put(asked(request), canvas.size)
        self._colour(canvas, request.photo, request.labels, request.tints)
        return self._rgb(request.photo, canvas, request.region)

    def _rgb(self, name: str, canvas: Canvas, region: Rectangle) -> Tensor:
        """Colour of a rectangle of a photo; a border stays gray."""
        photo, place = self._planes[name], self._planes.place(name)
        part = region.clip(place)
        picture = photo[place.rows, place.columns]
        if part == region:
            inside = region.seen_from(place)
            return rgb_inside(picture, canvas.guiding.current, inside, self._checkpoint)
        gray = photo[region.rows, region.columns].numpy()
        rgb = torch.from_numpy(gray[..., None].repeat(3, axis=2))
        if part:
            inside = part.seen_from(region)
            rgb[inside.rows, inside.columns] = rgb_inside(
                picture, canvas.guiding.current, part.seen_from(place), self._checkpoint
            )
        return rgb

    def recolor(self, request: Recolor, plan: Plan) -> tuple[Rectangle, Tensor]:
        """Where colour by the labels visibly differs from colour by those before; may be empty.

        With it the colour of its first rows, as from :meth:`colorize`: all that go into one piece.
        """
        photo, canvas = self._planes[request.photo], self._canvas(request.photo, plan)
        region = self._changed(request, canvas)
        self._colour(canvas, request.photo, request.labels, request.tints)
        bytes_per_row = max(1, region.width) * 3 * photo.itemsize
        rows = min(region.height, max(1, PIECE_LIMIT // bytes_per_row))
        piece = region._replace(height=rows)
        pixels = self._rgb(request.photo, canvas, piece)
        self._shown.put(asked(request), canvas.size)
        return region, pixels

    def _changed(self, request: Recolor, canvas: Canvas) -> Rectangle:
        place = self._planes.place(request.photo)
        if self._shown.get(asked(request)) not in (None, canvas.size):
            return place  # lowered, or raised again
        before = request.before, request.tints_before
        if not canvas.guiding.remembers(before):
            self._colour(canvas, request.photo, *before)
        self._colour(canvas, request.photo, request.labels, request.tints)
        change = canvas.guiding.since(before)
        if change is None:
            return NOWHERE
        window, one, other = change
        grays = canvas.gray_range(self._planes.picture(request.photo))
        region = visible_changes(one, other, grays, (place.height, place.width), window)
        return region._replace(x=region.x + place.x, y=region.y + place.y) if region else NOWHERE

    def suggest(self, request: Suggest, plan: Plan) -> list[Suggestion]:
        """Plausible colours of a part of the photo, at its lightness; most likely first.

        Raises SemcolorError: NO_SUGGESTIONS for a model without a distribution, EMPTY_SELECTION.
        """
        canvas = self._painted(request, plan)
        if request.mask:
            mask = self._mask(request.mask, request.photo, canvas.size)
        else:
            mask = self._object(None, request.x, request.y, request.photo, canvas.ids)
        return _colors(canvas, canvas.painting.bin_logits[0].softmax(0), mask)

    def suggest_all(self, request: SuggestAll, plan: Plan) -> list[ObjectColors]:
        """The objects of the label map with plausible colours. Raises as :meth:`suggest` does."""
        from semcolor_worker.coloring.objects import objects  # OpenCV takes a while to load

        canvas, place = self._painted(request, plan), self._planes.place(request.photo)
        likely = canvas.painting.bin_logits[0].softmax(0)
        ids = self._planes.ids_at(request.labels, request.photo, canvas.size).numpy()
        height, width = self._planes[request.photo].shape
        across, down = place.width / canvas.size[1], place.height / canvas.size[0]
        found = []
        for entry in objects(ids):
            self._checkpoint()
            mask = torch.from_numpy(entry.mask).to(self._networks.device).float()
            (x, y), box = entry.inside, entry.region
            left, top = int(box.x * across), int(box.y * down)
            right = math.ceil((box.x + box.width) * across)
            bottom = math.ceil((box.y + box.height) * down)
            region = Rectangle(place.x + left, place.y + top, right - left, bottom - top)
            found.append(
                ObjectColors(
                    entry.class_id, region,
                    place.x + int((x + 0.5) * across), place.y + int((y + 0.5) * down),
                    float(mask.mean()) * place.pixels / (height * width),
                    tuple(_colors(canvas, likely, mask)),
                )
            )  # fmt: skip
        return found

    def _painted(self, request: Suggest | SuggestAll, plan: Plan) -> Canvas:
        """A canvas with the network's chroma and its distribution."""
        if self._networks.unet.bins_head is None:
            raise SemcolorError(Code.NO_SUGGESTIONS)
        canvas = self._canvas(request.photo, plan)
        canvas.paint(request.labels, self._read_ids(canvas, request.photo, request.labels))
        return canvas

    def _canvas(self, photo: str, plan: Plan) -> Canvas:
        canvas = self._cache.canvases.get((photo, *plan))
        if canvas is None:
            networks, checkpoint = self._networks, self._checkpoint
            lightness = self._lightness(photo, plan)
            full_pass = networks.full_pass(*plan, checkpoint)
            canvas = Canvas(networks.color, lightness, full_pass, checkpoint)
            self._cache.canvases.put((photo, *plan), canvas)
        return canvas

    def _colour(self, canvas: Canvas, photo: str, labels: str, tints: tuple[Tint, ...]) -> None:
        def tinted(chroma: Tensor, ids: Tensor) -> Tensor:
            for tint in tints:
                mask = self._object(tint.class_id, tint.x, tint.y, photo, ids)
                chroma = suggestions.tinted(chroma, mask, *color.chroma_of(tint.color))
            return chroma

        canvas.colour(labels, tints, self._read_ids(canvas, photo, labels), tinted)
        self._cache.trim()

    def _object(
        self, class_id: int | None, x: int | None, y: int | None, photo: str, ids: Tensor
    ) -> Tensor:
        """h×w, 1 where it is by class ids at detail; without a pixel, all of a class."""
        if x is None or y is None:
            return torch.eq(ids, class_id or 0).float()
        from semcolor_worker.coloring.objects import object_at  # OpenCV takes a while to load

        place, (height, width) = self._planes.place(photo), ids.shape
        at = (x - place.x) * width // place.width, (y - place.y) * height // place.height
        return torch.from_numpy(object_at(ids.cpu().numpy(), class_id, *at)).to(ids.device).float()

    def _read_ids(self, canvas: Canvas, photo: str, labels: str) -> Callable[[], Tensor]:
        device = self._networks.device
        return lambda: self._planes.ids_at(labels, photo, canvas.size).to(device)

    def _mask(self, digest: str, photo: str, size: Size) -> Tensor:
        """h×w, 0..1."""
        return self._planes.mask_at(digest, photo, size).to(self._networks.device).float() / 255


def _colors(canvas: Canvas, likely: Tensor, mask: Tensor) -> list[Suggestion]:
    """Colours of a part (mask: h×w, 0..1), by the probabilities of chroma's bins, bins×h/4×w/4."""
    coarse = F.interpolate(mask[None, None], likely.shape[1:], mode="area")[0, 0]
    probabilities = suggestions.average_distribution(likely, coarse)
    mean = (canvas.painting.chroma[0] * mask).sum((1, 2)) / mask.sum()
    lightness = suggestions.median(canvas.lightness[0, 0], mask)
    return [
        Suggestion(*entry, suggestions.swatch(lightness, entry.a, entry.b))
        for entry in suggestions.distinct_colours(
            probabilities.cpu(), color.chroma_bins(), mean.cpu()
        )
    ]
