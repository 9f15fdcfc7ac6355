"""The engine: photo + label map → label map or colour, one rectangle at a time.

    photo ──▶ gray at detail ──▶ instance-normalised features (cached per photo) ─┐
    label map ──▶ labels at detail (majority) ────────────────────────────────────┴▶ chroma
    chroma ──▶ upsampled along the photo's edges ──▶ gamut ──▶ the rectangle asked for

*Detail* is the longest side of the network's input. What was computed at detail is cached, so
that pulling a large photo strip by strip runs the network once.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from semcolor import settings
from semcolor.messages import Colorize, Rectangle, Segment

from . import color, weights
from .networks.two_stream_unet import TwoStreamUNet
from .upsampling import GuidedChroma, bilinear_rows, guide_chroma
from .weights import Model

Size = tuple[int, int]  # height, width

PLANE_BUDGET = 1 << 30  # bytes of photos and label maps kept in host memory
_FEATURES_KEPT = 4
_RESULTS_KEPT = 16
_TILE_PIXELS = 1 << 18  # full-resolution work goes by tiles that stay in the processor's cache
_VOTES = 3  # per axis: how many label pixels vote for one pixel at detail

V = TypeVar("V")


class LruCache(Generic[V]):
    """Values by key; beyond ``budget`` the least recently used go. ``cost``: of one value."""

    def __init__(self, budget: int, cost: Callable[[V], int] = lambda _: 1) -> None:
        self._budget, self._cost = budget, cost
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """The value, now the most recently used."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: V) -> V:
        """Keep a value, and return it; the newest is kept whatever it costs."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > 1 and sum(map(self._cost, self._values.values())) > self._budget:
            self._values.popitem(last=False)
        return value


@dataclass(frozen=True)
class Photo:
    """A photo at detail: what does not depend on labels."""

    lightness: Tensor  # 1×1×h×w, L* 0..100
    features: list[Tensor]  # instance-normalised, finest first


class Engine:
    """Both networks on one device, with caches. Not thread-safe."""

    def __init__(self, color_model: Model, segmentation_model: Model, device: torch.device) -> None:
        self.device = device
        self.color = color_model
        self.segmentation = segmentation_model
        self._unet = cast(TwoStreamUNet, color_model.network)
        self._planes: LruCache[Tensor] = LruCache(PLANE_BUDGET, lambda plane: plane.nbytes)
        self._photos: LruCache[Photo] = LruCache(_FEATURES_KEPT)
        self._chroma: LruCache[GuidedChroma] = LruCache(_RESULTS_KEPT)
        self._logits: LruCache[Tensor] = LruCache(_RESULTS_KEPT)

    @classmethod
    def load(cls) -> "Engine":
        """The models that the settings choose, on the GPU if there is one. Raises WeightsError."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        folder = settings.weights_folder()
        return cls(
            weights.load_for("color", folder, device),
            weights.load_for("segmentation", folder, device),
            device,
        )

    @property
    def models(self) -> list[Model]:
        """Both models."""
        return [self.color, self.segmentation]

    def put_plane(self, digest: str, plane: Tensor) -> None:
        """Keep a photo (H×W uint8 or uint16) or a label map (H×W uint8)."""
        self._planes.put(digest, plane)

    def missing(self, request: Segment | Colorize) -> list[str]:
        """The planes that a request needs and that are not here."""
        needed = [request.photo]
        if isinstance(request, Colorize) and request.labels:
            needed.append(request.labels)
        return [digest for digest in needed if self._planes.get(digest) is None]

    @torch.inference_mode()
    def segment(self, request: Segment) -> Tensor:
        """Class ids of the rectangle, height×width uint8 on the CPU; never *unlabelled*.

        Raises ValueError for a rectangle outside the photo.
        """
        photo = self._plane(request.photo, request.region)
        size = detail_size(photo.shape, request.detail, self.segmentation)
        logits = self._logits.get((request.photo, size))
        if logits is None:
            logits = self._logits.put((request.photo, size), self._predict(photo, size))
        return _classes(logits, (photo.shape[0], photo.shape[1]), request.region)

    @torch.inference_mode()
    def colorize(self, request: Colorize) -> Tensor:
        """Colour of the rectangle, height×width×3 of the photo's dtype, on the CPU.

        Raises ValueError for a rectangle outside the photo or labels of another size.
        """
        photo = self._plane(request.photo, request.region)
        size = detail_size(photo.shape, request.detail, self.color)
        key = (request.photo, request.labels, size)
        chroma = self._chroma.get(key)
        if chroma is None:
            chroma = self._chroma.put(key, self._paint(photo, request, size))
        return self._full_resolution(photo, chroma, request.region)

    def _plane(self, digest: str, region: Rectangle) -> Tensor:
        plane = self._planes.get(digest)
        assert plane is not None, "missing() tells what to put first"
        height, width = plane.shape
        if region.x + region.width > width or region.y + region.height > height:
            raise ValueError(f"the rectangle is not inside the photo of {width} × {height} pixels")
        return plane

    def _predict(self, photo: Tensor, size: Size) -> Tensor:
        """60×h×w logits at detail."""
        lightness = lightness_at(photo, size, self.device)
        logits: Tensor = self.segmentation.network(self.segmentation.normalise(lightness))[0]
        logits[0] = -torch.inf  # *unlabelled* is for the restorer to say, not for the network
        return logits

    def _paint(self, photo: Tensor, request: Colorize, size: Size) -> GuidedChroma:
        cached = self._photos.get((request.photo, size))
        if cached is None:
            lightness = lightness_at(photo, size, self.device)
            features = self._unet.encode_gray(self.color.normalise(lightness))
            cached = self._photos.put((request.photo, size), Photo(lightness, features))
        labels = self._labels_at(request.labels, photo, size)
        output = self._unet.decode(cached.features, self._unet.encode_labels(labels[None]))
        return guide_chroma(cached.lightness, self.color.chroma(output))

    def _labels_at(self, digest: str, photo: Tensor, size: Size) -> Tensor:
        if not digest:
            return torch.zeros(size, dtype=torch.int64, device=self.device)
        labels = self._planes.get(digest)
        assert labels is not None, "missing() tells what to put first"
        if labels.shape != photo.shape:
            raise ValueError("the label map and the photo do not have the same size")
        return majority(labels, size).to(self.device)

    def _full_resolution(self, photo: Tensor, chroma: GuidedChroma, region: Rectangle) -> Tensor:
        rgb = torch.empty((region.height, region.width, 3), dtype=photo.dtype)
        pixels = rgb.numpy()
        size = (photo.shape[0], photo.shape[1])
        for top, rows in tiles(region):
            part = photo[top : top + rows, region.x : region.x + region.width].to(self.device)
            tile = Rectangle(region.x, top, region.width, rows)
            fx_fz = chroma.at(color.gray_lightness(part), size, tile)
            target = pixels[top - region.y : top - region.y + rows]
            for channel, plane in enumerate(color.rgb_from_chroma(part, fx_fz).cpu().numpy()):
                target[..., channel] = plane  # interleaving is much faster in numpy
        return rgb


def detail_size(shape: torch.Size, detail: int, model: Model) -> Size:
    """Height and width of a network's input for a photo: multiples of its stride, at least two."""
    scale = (detail or model.spec.detail) / max(shape)
    height, width = (
        max(2, round(side * scale / model.stride)) * model.stride for side in tuple(shape)
    )
    return height, width


def lightness_at(photo: Tensor, size: Size, device: torch.device) -> Tensor:
    """1×1×h×w L* (0..100) of a photo, averaged down to ``size``."""
    top = 255 if photo.dtype == torch.uint8 else 65535
    pixels = photo if photo.dtype == torch.uint8 else photo.float()
    gray = F.interpolate(  # on the host: CUDA has no kernel for bytes
        pixels[None, None], size, mode="bilinear", antialias=True, align_corners=False
    ).to(device)
    luminance = color.linear_from_srgb((gray.float() / top).clamp(0, 1))
    return color.lightness_from_luminance(luminance)


def majority(labels: Tensor, size: Size) -> Tensor:
    """h×w int64: the class that most of the label pixels under each pixel at detail have."""
    (height, width), (h, w) = labels.shape, size
    rows = ((torch.arange(h * _VOTES) + 0.5) * (height / (h * _VOTES))).long()
    columns = ((torch.arange(w * _VOTES) + 0.5) * (width / (w * _VOTES))).long()
    votes = labels[rows][:, columns].view(h, _VOTES, w, _VOTES)
    votes = votes.transpose(1, 2).reshape(h, w, _VOTES * _VOTES)
    winner = votes[..., 0].clone()
    mixed = (votes != votes[..., :1]).any(dim=2)  # few pixels, and only there counting is needed
    winner[mixed] = votes[mixed].mode(dim=1).values
    return winner.long()


def tiles(region: Rectangle) -> list[tuple[int, int]]:
    """(first row, rows) of the pieces that full-resolution work goes by."""
    step = max(1, _TILE_PIXELS // region.width)
    bottom = region.y + region.height
    return [(top, min(step, bottom - top)) for top in range(region.y, bottom, step)]


def _classes(logits: Tensor, size: Size, region: Rectangle) -> Tensor:
    """The winning class at full resolution, of those that win anywhere at detail."""
    present = logits.argmax(dim=0).unique()
    logits = logits[present].permute(1, 2, 0).contiguous()
    ids = torch.empty((region.height, region.width), dtype=torch.uint8)
    for top, rows in tiles(region):
        tile = Rectangle(region.x, top, region.width, rows)
        winner = bilinear_rows(logits, size, tile).argmax(dim=2)
        y = top - region.y
        ids[y : y + rows] = present[winner].to(torch.uint8).cpu()
    return ids
