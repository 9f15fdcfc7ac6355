"""Evaluation: what users get from two models, measured on labelled colour photos.

A photo goes through the engine as a user's would: 8-bit gray in, full-resolution 8-bit sRGB out.
Every colour metric compares CIE Lab of that picture with Lab of the original.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from semcolor.photos.pixels import gray_from_rgb
from semcolor.protocol.planes import plane_digest
from semcolor.protocol.schema import Colorize, Segment, SuggestAll
from semcolor.shared.classes import NUM_LABELS, all_classes
from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.coloring.objects import objects
from semcolor_worker.coloring.scenes import Scene
from semcolor_worker.corpus.datasets import OURS, Pair, find_pairs, read_pair
from semcolor_worker.corpus.series import split
from semcolor_worker.engine.engine import Engine
from semcolor_worker.models.weights import Model

from . import figures, metrics, report, robustness
from .figures import (
    CLASS_MEAN,
    GRAY_ONLY,
    NO_COLOUR,
    ORIGINAL,
    PREDICTED,
    TRUE,
    Figures,
    Measured,
    Suggested,
    Values,
)
from .metrics import ClassColours, EditResponse

SATURATIONS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
EDITS = 2  # per photo
REFERENCE = 2000  # photos that class colours are learnt from, at most
_SCANNED = 40  # photos that are scanned otherwise, at most
_EDITED_SHARE = 0.02  # of the picture, at least
_EDIT_CONTRAST = 10.0  # a*, b* units between the mean colours of the old class and the new one
_OBJECT_SHARE = 0.01  # of the picture, from which an object's suggestions are measured
_KNOWN = 10  # photos that show a class, before its mean colour is somewhere to move to
_BAND = 96  # the band along label edges is so many times narrower than the photo is long
_SHEET = 60  # photos spread over the contact sheet
_EXTREMES = 6  # best and worst photos above them

_PERSON = next(entry.id for entry in all_classes() if entry.name == "person")

T = TypeVar("T")


@dataclass(frozen=True)
class Original:
    """A colour photo with labels, and the gray photo that is made of it."""

    name: str
    rgb: Tensor  # 3×H×W uint8 sRGB
    lab: Tensor  # 3×H×W
    gray: Tensor  # H×W uint8
    labels: Tensor  # H×W uint8, the fullest there are
    by_hand: Tensor | None  # H×W uint8

    @property
    def chroma(self) -> Tensor:
        """2×H×W a*, b*."""
        return self.lab[1:]

    def colours(self) -> ClassColours:
        """What colours classes have in it."""
        return ClassColours.of(self.chroma, self.labels)


def evaluate_folders(folders: list[Path], models: Path | None, held_out: bool, out: Path) -> str:
    """Evaluate on all labelled photos below ``folders``, write a report, return a short table.

    ``models``: a folder with ``color.safetensors`` and ``segmentation.safetensors``; bundled ones
    stand in for what it lacks. ``held_out``: only photos that `semcolor train` with the same
    folders keeps away from training. Raises SemcolorError.
    """
    pairs = find_pairs(folders)
    engine = Engine.load(models, precision=torch.float32)  # figures depend on no processor
    photos = split(pairs)
    chosen, reference = (photos.held_out, photos.training) if held_out else (pairs, pairs)
    names = ", ".join(folder.resolve().name for folder in folders)
    data = f"{names}, photos held out from training" if held_out else f"{names}, all photos"
    return report.table(evaluate(engine, chosen, reference, out, data))


def evaluate(
    engine: Engine, pairs: list[Pair], reference: list[Pair], out: Path, data: str
) -> Figures:
    """Measure on ``pairs``, one by one; write metrics.json, report.html and pictures/ in ``out``.

    The colours of classes are learnt from ``reference``, thinned evenly to REFERENCE photos; of
    these, a photo that is itself measured is left out meanwhile. ``data`` says what the photos are.
    Returns what metrics.json holds. Raises SemcolorError for a photo that cannot be read or a
    folder that cannot be written.
    """
    report.make_folder(out)
    reference = reference[:: math.ceil(len(reference) / REFERENCE)]
    colours = ClassColours.none()
    for pair in _bar(reference, "class colours"):
        colours += read(pair).colours()
    measured, in_reference = [], set(reference)
    for number, pair in enumerate(_bar(pairs, "measuring")):
        original = read(pair)
        others = colours - original.colours() if pair in in_reference else colours
        measured.append(measure(engine, original, others, np.random.default_rng(number)))
    found = {
        "data": data,
        "models": {model.spec.task: dataclasses.asdict(model.spec) for model in engine.models},
        **figures.summarise(measured),
        "robustness": figures.robustness(_robustness(engine, pairs)),
    }
    entries = []
    for group, number in _bar(_sheet(measured), "contact sheet"):
        predicted, panels = _panels(engine, read(pairs[number]))
        strip = report.write_strip(out, number, panels)
        entries.append(report.Entry(group, measured[number], strip, predicted))
    report.write(out, found, entries)
    return found


def summary(model: Model, pairs: list[Pair]) -> str:
    """One line about one model, true labels given. Its network must be in evaluation mode."""
    engine = Engine(model, model, next(model.network.parameters()).device)  # asked for one task
    originals = map(read, pairs)
    if model.spec.task == "segmentation":
        total = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.int64)
        for o in originals:
            total += metrics.confusion(segment(engine, o.gray), o.labels)
        accuracy, mean_iou = metrics.pixel_accuracy(total), metrics.mean_iou(total)
        return f"pixel accuracy {accuracy:.3f}, mIoU {mean_iou:.3f} on labelled pixels"
    return figures.line([
        {
            NO_COLOUR: compare(color.rgb_from_ab(o.gray, torch.zeros_like(o.chroma)), o),
            TRUE: compare(colorize(engine, o.gray, o.labels), o),
            ORIGINAL: compare(o.rgb, o),
        }
        for o in originals
    ])  # fmt: skip


def read(pair: Pair) -> Original:
    """A photo and its labels. Raises SemcolorError as :func:`read_pair` does."""
    rgb, labels = read_pair(pair)
    hand = by_hand(pair)
    hand_labels = read_pair(pair._replace(labels=hand))[1] if hand else None
    if hand_labels is not None:  # whole persons may have been split since
        hand_labels = torch.where(hand_labels == _PERSON, labels, hand_labels)
    gray = torch.from_numpy(gray_from_rgb(rgb.permute(1, 2, 0).numpy()))
    name = f"{pair.photo.parent.parent.name}/{pair.photo.name}"
    return Original(name, rgb, _lab(rgb), gray, labels, hand_labels)


def by_hand(pair: Pair) -> Path | None:
    """The label map of a photo that was made by hand, if there is one."""
    if pair.labelling != OURS:
        return pair.labels  # public datasets have no others
    path = pair.photo.parent.parent / "labels" / f"{pair.photo.stem}.png"
    return path if path.exists() else None


def segment(engine: Engine, gray: Tensor) -> Tensor:
    """H×W uint8 class ids that the engine predicts for a gray photo (H×W uint8)."""
    return engine.segment(Segment(_put(engine, gray), _whole(gray)))


def scene_of(engine: Engine, gray: Tensor) -> Scene:
    """What strokes on a gray photo are looked at with."""
    return engine.scene(_put(engine, gray))


def colorize(engine: Engine, gray: Tensor, labels: Tensor | None) -> Tensor:
    """3×H×W uint8 sRGB: the engine's colour of a gray photo; None is the empty label map."""
    digest = "" if labels is None else _put(engine, labels)
    rgb = engine.colorize(Colorize(_put(engine, gray), digest, _whole(gray)))
    return rgb.permute(2, 0, 1).contiguous()


def compare(rgb: Tensor, original: Original) -> Values:
    """Metrics of one coloured picture (3×H×W uint8 sRGB) that need no labels."""
    lab = _lab(rgb)
    drift = (lab[0] - color.gray_lightness(original.gray)).abs()
    return {
        "ab_mae": metrics.ab_mae(lab[1:], original.chroma),
        "ciede2000": float(metrics.ciede2000(lab, original.lab).mean()),
        "colourfulness": metrics.colourfulness(rgb),
        "chroma": metrics.mean_chroma(lab[1:]),
        "auc_ab": metrics.auc_ab(lab[1:], original.chroma),
        "lightness_mean": float(drift.mean()),
        "lightness_max": float(drift.max()),
    }


def measure(
    engine: Engine, original: Original, colours: ClassColours, rng: np.random.Generator
) -> Measured:
    """Everything about one photo. ``colours``: of other photos; ``rng`` chooses the edits."""
    gray, labels = original.gray, original.labels
    predicted = segment(engine, gray)
    pictures = {
        NO_COLOUR: color.rgb_from_ab(gray, torch.zeros_like(original.chroma)),
        CLASS_MEAN: color.rgb_from_ab(gray, colours.means()[labels.long()].permute(2, 0, 1)),
        GRAY_ONLY: colorize(engine, gray, None),
        PREDICTED: colorize(engine, gray, predicted),
        TRUE: colorize(engine, gray, labels),
        ORIGINAL: original.rgb,
    }
    likely = colours.log_probability()
    chroma = _lab(pictures[TRUE])[1:]
    label_maps = {"labels by hand": original.by_hand, "fullest labels": labels}
    confusions = {
        kind: metrics.confusion(predicted, given)
        for kind, given in label_maps.items()
        if given is not None and given.any()
    }
    return Measured(
        original.name,
        {row: compare(p, original) | _by_label(p, original, likely) for row, p in pictures.items()},
        {s: compare(color.rgb_from_ab(gray, s * chroma), original) for s in SATURATIONS},
        _edits(engine, original, chroma, colours, rng),
        confusions,
        _suggested(engine, original),
    )


def _by_label(rgb: Tensor, original: Original, likely: Tensor) -> Values:
    """Metrics of one coloured picture against the true labels."""
    chroma = _lab(rgb)[1:]
    band = max(2, round(max(original.gray.shape) / _BAND))
    bled, own, pixels = metrics.bleeding(chroma, original.chroma, original.labels, band)
    return {
        "plausibility": metrics.plausibility(chroma, original.labels, likely),
        "bled": bled,
        "bled_in_original": own,
        "band": pixels,
    }


def _edits(
    engine: Engine,
    original: Original,
    before: Tensor,
    colours: ClassColours,
    rng: np.random.Generator,
) -> list[tuple[int, EditResponse]]:
    """Repaint what has one class to another class, whose colour is clearly different."""
    labels, means = original.labels, colours.means()
    shares = labels.flatten().bincount(minlength=NUM_LABELS) / labels.numel()
    candidates = (shares[1:] >= _EDITED_SHARE).nonzero().flatten() + 1
    edits = []
    for _ in range(EDITS if len(candidates) else 0):
        old = int(rng.choice(candidates.numpy()))
        known = (colours.photos >= _KNOWN) & ((means - means[old]).norm(dim=1) >= _EDIT_CONTRAST)
        if known[1:].any():
            new = int(rng.choice(known[1:].nonzero().flatten().numpy())) + 1
            region = labels == old
            edited = torch.where(region, new, labels).to(labels.dtype)
            after = _lab(colorize(engine, original.gray, edited))[1:]
            edits.append((new, metrics.edit_response(before, after, region, means[new])))
    return edits


def _robustness(engine: Engine, pairs: list[Pair]) -> list[dict[str, dict[str, float]]]:
    """Of some photos, spread evenly."""

    def paint(gray: Tensor, labels: Tensor | None) -> Tensor:
        given = segment(engine, gray) if labels is None else labels
        return _lab(colorize(engine, gray, given))[1:]

    chosen = pairs[:: math.ceil(len(pairs) / _SCANNED)]
    originals = map(read, _bar(chosen, "scanned otherwise"))
    return [robustness.changes(paint, o.gray, o.labels) for o in originals]


def _suggested(engine: Engine, original: Original) -> list[Suggested]:
    """Of each object of the true labels: how near its suggestions are to its own mean colour."""
    request = SuggestAll(_put(engine, original.gray), _put(engine, original.labels))
    if not original.labels.any() or engine.color.network.bins_head is None:
        return []
    places = objects(original.labels.numpy())
    found = []
    for entry in engine.suggest_all(request):
        mask = next((o.mask for o in places if o.mask[entry.y, entry.x]), None)
        if mask is not None and mask.mean() >= _OBJECT_SHARE:
            own = original.chroma[:, torch.from_numpy(mask)].mean(1)
            colors = torch.tensor([(one.a, one.b) for one in entry.colors])
            found.append(Suggested.of(colors, own))
    return found


def _sheet(measured: list[Measured]) -> list[tuple[str, int]]:
    """Which photos the contact sheet shows: the group's heading, and the photo's number."""
    order = sorted(range(len(measured)), key=lambda n: measured[n].rows[TRUE]["ciede2000"])
    spread = range(0, len(measured), math.ceil(len(measured) / _SHEET))
    groups = {
        "Best": order[:_EXTREMES],
        "Worst": order[: -_EXTREMES - 1 : -1],
        "Spread evenly": spread,
    }
    return [(group, number) for group, numbers in groups.items() for number in numbers]


def _panels(engine: Engine, original: Original) -> tuple[Tensor, list[Tensor]]:
    """The predicted labels, and the five pictures of one row of the contact sheet."""
    gray = original.gray
    predicted = segment(engine, gray)
    return predicted, [
        gray.expand(3, -1, -1),
        report.painted(gray, predicted),
        colorize(engine, gray, predicted),
        colorize(engine, gray, original.labels),
        original.rgb,
    ]


def _put(engine: Engine, plane: Tensor) -> str:
    height, width = plane.shape
    digest = plane_digest(width, height, 8, plane.numpy().tobytes())
    engine.put_plane(digest, plane)
    return digest


def _whole(plane: Tensor) -> Rectangle:
    return Rectangle(0, 0, plane.shape[1], plane.shape[0])


def _lab(rgb: Tensor) -> Tensor:
    return color.lab_from_rgb(rgb.float() / 255)


def _bar(items: Sequence[T], text: str) -> Iterable[T]:
    return tqdm(items, desc=text, unit="photo")
