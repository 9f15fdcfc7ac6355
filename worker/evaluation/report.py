"""The evaluation's report: figures as tables and a curve, and a contact sheet of pictures."""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import Template

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semcolor.photos.label_colors import palette
from semcolor.shared.classes import all_classes
from semcolor.shared.errors import cannot_write

from .figures import GRAY_ONLY, NO_COLOUR, PREDICTED, TRUE, Figures, Measured

PANELS = ("gray", "predicted labels", "colour from predicted", "colour from true", "original")
_PICTURES = "pictures"
_CELL = 288  # pixels: a picture's sides at most, and the columns' width
_GAP = 6  # pixels between columns
_LABEL_STRENGTH = 0.6  # of label colours over gray
_INKS = ("#b3401f", "#1f5fb3")  # of the chart's lines
_MIDDLE = 'text-anchor="middle"'
_NAMED_SHARE = 0.03  # of the picture, from which a predicted class is named

WHAT_IT_IS = {
    "CIEDE2000": "perceptual colour difference to the original, mean over pixels; 1 is just "
    "noticeable (Sharma et al. 2005). Smaller is better.",
    "ab-MAE": "mean absolute error of a* and b*. Smaller is better.",
    "× no colour": "the error divided by that of the gray picture; below 1 colouring has helped.",
    "worse": "share of photos further from the original (CIEDE2000) than the gray picture is.",
    "colourfulness": "σ + 0.3 μ of the signed opponent axes (Hasler & Süsstrunk 2003, M³), "
    "mean over photos divided by the originals'. 1 is as colourful as life.",
    "chroma": "mean √(a*² + b*²), divided by the originals'.",
    "AuC": "share of pixels within a distance t in a*b*, averaged over t = 0…150 (Zhang et al. "
    "2016). Larger is better; gray is already near 0.9.",
    "plausibility": "mean log probability of the colour's 10 × 10 bin of a*b* given the true "
    "class, in other photos. The originals' own value is the mark; gray is common, hence likely.",
    "bleeding": "pixels beside label edges that have the colour of the other side; after the "
    "slash, in the originals at the same edges.",
    "ΔL*": "difference of lightness between result and gray photo, mean / largest, after gamut "
    "mapping and rounding to 8 bits.",
}


@dataclass(frozen=True)
class Entry:
    """One row of the contact sheet."""

    group: str  # heading that it stands under
    measured: Measured
    strip: str  # the picture's path within the report
    predicted: Tensor  # H×W class ids


def make_folder(out: Path) -> None:
    """Make the report's folders. Raises SemcolorError (CANNOT_WRITE)."""
    try:
        (out / _PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error


def painted(gray: Tensor, labels: Tensor) -> Tensor:
    """3×H×W uint8: palette colours of a label map over its gray photo (both H×W uint8)."""
    colours = torch.from_numpy(palette().copy())[labels.long()].permute(2, 0, 1).float()
    return torch.lerp(gray.float(), colours, _LABEL_STRENGTH).round().to(torch.uint8)


def write_strip(out: Path, number: int, panels: Sequence[Tensor]) -> str:
    """Write 3×H×W uint8 pictures side by side as one JPEG; returns its path within ``out``."""
    images = [Image.fromarray(panel.permute(1, 2, 0).numpy()) for panel in panels]
    for image in images:
        image.thumbnail((_CELL, _CELL))
    width, height = images[0].size
    strip = Image.new("RGB", (len(images) * (_CELL + _GAP) - _GAP, height), "white")
    for index, image in enumerate(images):
        strip.paste(image, (index * (_CELL + _GAP) + (_CELL - width) // 2, 0))
    name = f"{_PICTURES}/{number:05}.jpg"
    strip.save(out / name, quality=90, subsampling=0)  # chroma at full resolution
    return name


def write(out: Path, figures: Figures, entries: Iterable[Entry]) -> None:
    """Write ``metrics.json`` and ``report.html``."""
    (out / "metrics.json").write_text(json.dumps(figures, indent=1, allow_nan=False), "utf-8")
    sheet = "".join(
        f"<h3>{html.escape(group)}</h3>" + "".join(map(_row_of_pictures, rows))
        for group, rows in groupby(entries, lambda entry: entry.group)
    )
    page = _PAGE.substitute(
        photos=figures["photos"],
        data=html.escape(figures["data"]),
        models=_models(figures),
        colour=_colour_table(figures),
        explained="".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in WHAT_IT_IS.items()),
        verdicts=_verdicts(figures),
        chart=_chart(figures["curve"]),
        curve=_curve_table(figures["curve"]),
        sources=_source_table(figures["by_source"]),
        scanned=figures["robustness"]["photos"],
        robustness=_robustness_table(figures["robustness"]),
        segmentation="".join(
            _segmentation(kind, found) for kind, found in figures["segmentation"].items()
        ),
        edited=_edited_table(figures["edits"]),
        panels="".join(f"<span>{name}</span>" for name in PANELS),
        sheet=sheet,
    )
    (out / "report.html").write_text(page, "utf-8")


def table(figures: Figures) -> str:
    """The main figures as a few lines of text."""
    lines = [f"{figures['photos']} photos{'CIEDE2000':>24}{'ab-MAE':>18}{'colourfulness':>15}"]
    for name, row in figures["rows"].items():
        errors = "".join(
            f"{row[e]['value']:10.2f} ({_two(row[e]['over_no_colour']['value'])}×)"
            for e in ("ciede2000", "ab_mae")
        )
        lines.append(f"{name:20}{errors}{_two(row['colourfulness_ratio']):>11} ×")
    return "\n".join([*lines, *_sentences(figures)])


def _sentences(figures: Figures) -> list[str]:
    edits, row = figures["edits"], figures["rows"][TRUE]
    over = figures["predicted_labels_over_gray_only"]["ciede2000"]
    worse = [f"{figures['rows'][r]['worse_than_gray']:.0%}" for r in (TRUE, PREDICTED)]
    sentences = [
        f"Further from the original than the gray photo: {worse[0]} of the photos with true "
        f"labels, {worse[1]} with predicted ones.",
        f"Colour from predicted labels has {_with_interval(over)} × the CIEDE2000 of colour from "
        "an empty map.",
    ]
    if edits["edits"]:
        sentences.append(
            f"Of {edits['edits']} repainted regions {_percent(edits['toward'])} moved toward the "
            f"new class's colour, {edits['nearer']:.0%} ended nearer to it; mean change "
            f"{edits['change_inside']:.1f} inside, {edits['change_outside']:.1f} outside."
        )
    if row["bleeding"] is not None:
        sentences.append(
            f"Bleeding, true labels: {row['bleeding']:.1%}, originals "
            f"{row['bleeding_of_originals']:.1%} at the same edges."
        )
    sentences += [
        f"{variant}: colour changes by {change['predicted labels']['mean']:.0%} "
        f"(true labels: {change['true labels']['mean']:.0%})."
        for variant, change in figures["robustness"]["changes"].items()
    ]
    suggested = figures["suggestions"]
    if suggested["objects"]:
        sentences.append(
            f"Of {suggested['objects']} objects the mean colour is within 10 (a*b*) of the first "
            f"suggestion in {suggested['first']:.0%}, of one of six in "
            f"{suggested['one_of_six']:.0%}."
        )
    for kind, found in figures["segmentation"].items():
        sentences.append(
            f"Predicted against {kind} ({found['photos']} photos): pixel accuracy "
            f"{_percent(found['pixel_accuracy'])}, mIoU {_two(found['mean_iou'])} over "
            f"{len(found['classes'])} classes."
        )
    return sentences


def _verdicts(figures: Figures) -> str:
    return "".join(f"<li>{html.escape(sentence)}</li>" for sentence in _sentences(figures))


def _models(figures: Figures) -> str:
    return "".join(
        f"<li>{task}: {html.escape(spec['network'])}, recipe {html.escape(spec['recipe'] or '–')}, "
        f"{spec['steps']} steps on {html.escape(spec['corpus'] or '–')}, "
        f"detail {spec['detail']}</li>"
        for task, spec in figures["models"].items()
    )


def _colour_table(figures: Figures) -> str:
    head = ["", "CIEDE2000", "× no colour", "ab-MAE", "× no colour", "worse",
            "colourfulness", "chroma", "AuC", "plausibility", "bleeding", "ΔL*"]  # fmt: skip
    rows = []
    for name, row in figures["rows"].items():
        cells = [f"<b>{name}</b>"]
        for error in ("ciede2000", "ab_mae"):
            cells += [_with_interval(row[error]), _with_interval(row[error]["over_no_colour"])]
        cells.append(f"{row['worse_than_gray']:.0%}")
        cells += [_two(row["colourfulness_ratio"]), _two(row["chroma_ratio"])]
        cells += [f"{row['auc_ab']:.3f}", _two(row["plausibility"])]
        own, originals = row["bleeding"], row["bleeding_of_originals"]
        cells.append("–" if own is None else f"{own:.1%} / {originals:.1%}")
        cells.append(f"{row['lightness_mean']:.2f} / {row['lightness_max']:.1f}")
        rows.append(cells)
    return _table(head, rows)


def _curve_table(curve: list[Figures]) -> str:
    head = ["saturation", "colourfulness", "CIEDE2000 × no colour", "ab-MAE × no colour"]
    keys = ("colourfulness_ratio", "ciede2000_over_no_colour", "ab_mae_over_no_colour")
    return _table(head, [[f"{p['saturation']:.1f}", *(_two(p[k]) for k in keys)] for p in curve])


def _source_table(sources: list[Figures]) -> str:
    head = ["source", "photos", "true labels", "predicted labels", "worse"]
    return _table(head, [
        [html.escape(s["source"]), str(s["photos"]), _two(s[TRUE]), _two(s[PREDICTED]),
         f"{s['worse_than_gray']:.0%}"]
        for s in sources
    ])  # fmt: skip


def _robustness_table(found: Figures) -> str:
    kinds = ("predicted labels", "true labels")
    head = ["", *(f"{kind}: {which}" for kind in kinds for which in ("mean", "worst"))]
    return _table(head, [
        [variant, *(f"{change[k][which]:.0%}" for k in kinds for which in ("mean", "worst"))]
        for variant, change in found["changes"].items()
    ])  # fmt: skip


def _segmentation(kind: str, found: Figures) -> str:
    rows = sorted(found["classes"], key=lambda row: -row["pixels"])
    cells = [[row["class"], f"{row['iou']:.2f}", f"{row['pixels']:,}"] for row in rows]
    return (
        f"<section><h3>Predicted against {kind}</h3><p>{found['photos']} photos. Pixel accuracy "
        f"{_percent(found['pixel_accuracy'])}, mIoU {_two(found['mean_iou'])} over "
        f"{len(rows)} classes.</p>{_table(['class', 'IoU', 'pixels'], cells)}</section>"
    )


def _edited_table(edits: Figures) -> str:
    if not edits["edits"]:
        return ""  # no class is known from enough photos
    cells = [[r["class"], str(r["edits"]), f"{r['toward']:.0%}"] for r in edits["by_class"]]
    return (
        "<section><h3>Edits</h3><p>Regions repainted to a class of another mean colour.</p>"
        f"{_table(['new class', 'edits', 'toward it'], cells)}</section>"
    )


def _row_of_pictures(entry: Entry) -> str:
    errors = {row: values["ciede2000"] for row, values in entry.measured.rows.items()}
    caption = ", ".join(
        f"{row} {errors[row]:.1f}" for row in (NO_COLOUR, GRAY_ONLY, PREDICTED, TRUE)
    )
    return (
        f'<figure><img loading="lazy" src="{entry.strip}" alt=""><figcaption>'
        f"<b>{html.escape(entry.measured.photo)}</b> CIEDE2000: {caption} "
        f"{_legend(entry.predicted)}</figcaption></figure>"
    )


def _legend(labels: Tensor) -> str:
    ids, counts = labels.unique(return_counts=True)
    order = counts.argsort(descending=True)
    named = ids[order][counts[order] >= _NAMED_SHARE * labels.numel()]
    classes = (all_classes()[i] for i in named.tolist())
    return "".join(
        f'<span class="class"><i style="background:rgb{c.rgb}"></i>{c.name}</span>' for c in classes
    )


def _chart(curve: list[Figures]) -> str:
    """Both errors over colourfulness, as SVG."""
    if any(value is None for point in curve for value in point.values()):
        return ""  # all photos are gray
    lines = {"CIEDE2000": "ciede2000_over_no_colour", "ab-MAE": "ab_mae_over_no_colour"}
    x = np.array([point["colourfulness_ratio"] for point in curve])
    y = np.array([[point[key] for point in curve] for key in lines.values()])
    left, right = np.floor(x.min() * 10) / 10, np.ceil(x.max() * 10) / 10
    low, high = np.floor(y.min() * 20) / 20, np.ceil(y.max() * 20) / 20

    def across(value: float) -> float:
        return float(50 + 420 * (value - left) / max(right - left, 0.1))

    def down(value: float) -> float:
        return float(230 - 210 * (value - low) / max(high - low, 0.05))

    parts = []
    for tick in np.arange(left, right + 0.01, 0.1):
        parts.append(f'<text x="{across(tick):.0f}" y="248" {_MIDDLE}>{tick:.1f}</text>')
    for tick in np.arange(low, high + 0.01, 0.05):
        at = f"{down(tick):.0f}"
        parts.append(f'<path d="M50 {at}H470" stroke="#ddd"/>')
        parts.append(f'<text x="44" y="{at}" text-anchor="end" dy="4">{tick:.2f}</text>')
    for number, (name, ys) in enumerate(zip(lines, y, strict=True)):
        points = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in zip(x, ys, strict=True))
        ink = _INKS[number]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="2"/>')
        parts.append(f'<text x="60" y="{34 + 16 * number}" fill="{ink}">{name} × no colour</text>')
    parts.append(f'<text x="260" y="266" {_MIDDLE}>colourfulness × the originals’</text>')
    return f'<svg viewBox="0 0 480 272" font-size="12" role="img">{"".join(parts)}</svg>'


def _table(head: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _with_interval(figure: Figures) -> str:
    low, high = figure["interval"]
    return f"{_two(figure['value'])} [{_two(low)}, {_two(high)}]"


def _percent(figure: Figures) -> str:
    low, high = figure["interval"]
    return f"{figure['value']:.1%} [{low:.1%}, {high:.1%}]"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>semcolor: evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1640px; padding: 0 1rem;
  color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: #555; }
dd { margin: 0; }
.side { display: flex; flex-wrap: wrap; gap: 3rem; align-items: flex-start; }
svg { width: 480px; max-width: 100%; }
.panels { display: grid; grid-template-columns: repeat(5, 1fr); position: sticky; top: 0;
  background: #fff; padding: .3rem 0; font-weight: bold; }
figure { margin: 0 0 1.2rem; } img { width: 100%; display: block; }
figcaption { color: #555; font-size: 13px; }
.class { margin-left: .8rem; white-space: nowrap; }
.class i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
</style>
<h1>Evaluation on $photos photos</h1>
<p>$data. Values in brackets are 95% bootstrap intervals over photos.</p>
<ul>$models</ul>
<h2>Colour</h2>
$colour
<ul>$verdicts</ul>
<dl>$explained</dl>
<h2>Saturation</h2>
<p>Colour from true labels, its a* and b* multiplied.</p>
<div class="side">$chart $curve</div>
<h2>Sources</h2>
<p>CIEDE2000 × no colour by the folder that photos are from, the worst first; <i>worse</i> by true
labels.</p>
$sources
<h2>The same photo, the same colours</h2>
<p>$scanned photos, scanned otherwise: mean change of a*b*, as a share of the photo's mean
chroma.</p>
$robustness
<h2>Classes</h2>
<div class="side">$segmentation $edited</div>
<h2>Pictures</h2>
<p>Best and worst are by CIEDE2000 of colour from true labels.</p>
<div class="panels">$panels</div>
$sheet
</html>
""")
