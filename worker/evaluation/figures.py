"""From what was measured on each photo to figures about all of them.

Figures are plain dictionaries, lists and numbers, as ``metrics.json`` holds them; None stands for
what is undefined, such as the bleeding of gray pictures.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from semcolor.shared.classes import all_classes

from . import metrics
from .metrics import EditResponse, interval

NO_COLOUR = "no colour"
CLASS_MEAN = "class-mean chroma"
GRAY_ONLY = "gray only (empty map)"
PREDICTED = "predicted labels"
TRUE = "true labels"
ORIGINAL = "original"

ERRORS = ("ciede2000", "ab_mae")
LIKE = 10.0  # a*, b* units: from there on a suggestion is another colour

Values = dict[str, float]
Columns = dict[str, Tensor]  # of N photos each
Figures = dict[str, Any]


@dataclass(frozen=True)
class Suggested:
    """Distances in a*b* of an object's suggestions: the first's and the nearest's to its own mean
    colour, and between the two that are nearest to each other.
    """

    first: float
    nearest: float
    apart: float

    @classmethod
    def of(cls, colors: Tensor, own: Tensor) -> "Suggested":
        """From N×2 suggestions and the object's mean, 2."""
        distances = (colors - own).norm(dim=1)
        between = torch.pdist(colors)
        apart = float(between.min()) if len(between) else math.inf
        return cls(float(distances[0]), float(distances.min()), apart)


@dataclass(frozen=True)
class Measured:
    """What was measured on one photo."""

    photo: str
    rows: dict[str, Values]  # by way of colouring
    curve: dict[float, Values]  # by saturation
    edits: list[tuple[int, EditResponse]]  # with the new class
    confusions: dict[str, Tensor]  # 60×60, by kind of labels
    suggested: list[Suggested]


def summarise(measured: list[Measured]) -> Figures:
    """Figures over all photos."""
    rows = {row: _columns([m.rows[row] for m in measured]) for row in measured[0].rows}
    curve = {s: _columns([m.curve[s] for m in measured]) for s in measured[0].curve}
    return {
        "photos": len(measured),
        "rows": {
            row: _row(values, rows[NO_COLOUR], rows[ORIGINAL]) for row, values in rows.items()
        },
        "by_source": _by_source(measured),
        "predicted_labels_over_gray_only": {
            name: _quotient(rows[PREDICTED][name], rows[GRAY_ONLY][name]) for name in ERRORS
        },
        "curve": [
            {"saturation": s} | _point(values, rows[NO_COLOUR], rows[ORIGINAL])
            for s, values in curve.items()
        ],
        "edits": _edits([edit for m in measured for edit in m.edits]),
        "suggestions": _suggestions([one for m in measured for one in m.suggested]),
        "segmentation": {
            kind: segmentation(confusions)
            for kind in ("labels by hand", "fullest labels")
            if (confusions := [m.confusions[kind] for m in measured if kind in m.confusions])
        },
        "by_photo": [
            {
                "photo": m.photo,
                **{row: {k: values[k] for k in ERRORS} for row, values in m.rows.items()},
            }
            for m in measured
        ],
    }


def robustness(photos: list[dict[str, dict[str, float]]]) -> Figures:
    """Over photos, from what :func:`robustness.changes` found on each: the mean, and the worst."""
    return {
        "photos": len(photos),
        "changes": {
            variant: {
                kind: {
                    "mean": sum(photo[variant][kind] for photo in photos) / len(photos),
                    "worst": max(photo[variant][kind] for photo in photos),
                }
                for kind in kinds
            }
            for variant, kinds in photos[0].items()
        },
    }


def _suggestions(suggested: list[Suggested]) -> Figures:
    count = len(suggested)
    if not count:
        return {"objects": 0}
    return {
        "objects": count,
        "first": sum(one.first <= LIKE for one in suggested) / count,
        "one_of_six": sum(one.nearest <= LIKE for one in suggested) / count,
        "apart": number(min(one.apart for one in suggested)),
    }


def _by_source(measured: list[Measured]) -> list[Figures]:
    """Colour by the folder that photos are from; the worst source first."""
    sources: dict[str, list[Measured]] = {}
    for m in measured:
        sources.setdefault(m.photo.partition("/")[0], []).append(m)
    found = []
    for name, photos in sources.items():
        rows = {
            row: _columns([m.rows[row] for m in photos]) for row in (NO_COLOUR, PREDICTED, TRUE)
        }
        gray = rows[NO_COLOUR]["ciede2000"]
        found.append({
            "source": name,
            "photos": len(photos),
            **{row: _ratio(rows[row]["ciede2000"], gray) for row in (PREDICTED, TRUE)},
            "worse_than_gray": _worse(rows[TRUE], rows[NO_COLOUR]),
        })  # fmt: skip
    return sorted(found, key=lambda entry: -(entry[TRUE] or 0))


def _worse(values: Columns, gray: Columns) -> float:
    """The share of photos further from the original than the gray one."""
    return float((values["ciede2000"] > gray["ciede2000"]).float().mean())


def segmentation(confusions: list[Tensor]) -> Figures:
    """Pixel accuracy, mean IoU and a table by class, from a 60×60 confusion matrix of each photo.

    Each photo must have labelled pixels.
    """
    total = torch.stack(confusions).sum(0)
    right = torch.tensor([int(c.diagonal().sum()) for c in confusions])
    labelled = torch.tensor([int(c.sum()) for c in confusions])
    pixels, by_class = total.sum(1).tolist(), metrics.iou(total).tolist()
    return {
        "photos": len(confusions),
        "pixel_accuracy": _quotient(right, labelled),
        "mean_iou": number(metrics.mean_iou(total)),
        "classes": [
            {"class": c.name, "iou": by_class[c.id], "pixels": pixels[c.id]}
            for c in all_classes()
            if pixels[c.id]
        ],
    }


def line(photos: list[dict[str, Values]]) -> str:
    """The main colour figures in one line, of the rows NO_COLOUR, TRUE and ORIGINAL by photo."""
    gray, ours, original = (
        _columns([photo[row] for photo in photos]) for row in (NO_COLOUR, TRUE, ORIGINAL)
    )
    point = _point(ours, gray, original)
    return (
        f"ab-MAE {ours['ab_mae'].mean():.2f} ({point['ab_mae_over_no_colour']:.3f} × no colour), "
        f"CIEDE2000 {ours['ciede2000'].mean():.2f} ({point['ciede2000_over_no_colour']:.3f} ×), "
        f"colourfulness {point['colourfulness_ratio']:.2f} × the originals', "
        f"{_worse(ours, gray):.0%} of the photos worse than gray"
    )


def number(value: float | Tensor) -> float | None:
    """A number for JSON, which has no nan."""
    return float(value) if math.isfinite(value) else None


def _columns(photos: list[Values]) -> Columns:
    return {name: torch.tensor([photo[name] for photo in photos]) for name in photos[0]}


def _row(values: Columns, gray: Columns, original: Columns) -> Figures:
    return {
        **{name: _error(values[name], gray[name]) for name in ERRORS},
        "worse_than_gray": _worse(values, gray),
        "colourfulness_ratio": _ratio(values["colourfulness"], original["colourfulness"]),
        "chroma_ratio": _ratio(values["chroma"], original["chroma"]),
        "auc_ab": number(values["auc_ab"].mean()),
        "plausibility": number(values["plausibility"].nanmean()),
        "bleeding": _ratio(values["bled"], values["band"]),
        "bleeding_of_originals": _ratio(values["bled_in_original"], values["band"]),
        "lightness_mean": number(values["lightness_mean"].mean()),
        "lightness_max": number(values["lightness_max"].max()),
    }


def _point(values: Columns, gray: Columns, original: Columns) -> Figures:
    """Of the curve."""
    return {
        "colourfulness_ratio": _ratio(values["colourfulness"], original["colourfulness"]),
        **{f"{name}_over_no_colour": _ratio(values[name], gray[name]) for name in ERRORS},
    }


def _edits(edits: list[tuple[int, EditResponse]]) -> Figures:
    if not edits:
        return {"edits": 0}
    toward = torch.tensor([float(edit.toward) for _, edit in edits])
    classes = torch.tensor([new for new, _ in edits])
    return {
        "edits": len(edits),
        "toward": {"value": float(toward.mean()), "interval": interval(toward)},
        "nearer": sum(edit.nearer for _, edit in edits) / len(edits),
        "change_inside": sum(edit.inside for _, edit in edits) / len(edits),
        "change_outside": sum(edit.outside for _, edit in edits) / len(edits),
        "by_class": [
            {
                "class": all_classes()[new].name,
                "edits": int((classes == new).sum()),
                "toward": float(toward[classes == new].mean()),
            }
            for new in classes.unique().tolist()
        ],
    }


def _error(values: Tensor, gray: Tensor) -> Figures:
    return {
        "value": float(values.mean()),
        "interval": interval(values),
        "over_no_colour": _quotient(values, gray),
    }


def _quotient(values: Tensor, over: Tensor) -> Figures:
    return {"value": _ratio(values, over), "interval": [number(x) for x in interval(values, over)]}


def _ratio(values: Tensor, over: Tensor) -> float | None:
    return number(values.sum() / over.sum())
