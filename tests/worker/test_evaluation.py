import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from semcolor.cli.main import main
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.color import rgb_from_ab
from semcolor_worker.corpus.datasets import find_pairs
from semcolor_worker.corpus.series import split
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation import evaluation, figures
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec

SKY, GRASS = 50, 36


@pytest.fixture
def corpus(tmp_path):
    """Blue sky above green grass, each of one colour in all photos; six have labels by hand."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    told = "".join(f"{number:02}\t{number}\n" for number in range(45))
    (folder / "series.tsv").write_text(told)  # they are alike, but meant as different photos
    for name in ("images", "labels", "labels_filled"):
        (folder / name).mkdir(parents=True)
    for number in range(12):
        labels = np.full((64, 80), GRASS, np.uint8)
        labels[: rng.integers(24, 40)] = SKY
        rgb = np.where(labels[..., None] == SKY, (90, 130, 220), (70, 150, 50)).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(labels).save(folder / "labels_filled" / f"{number:02}.png")
        if number % 2:
            labels[:, 40:] = 0
            Image.fromarray(labels).save(folder / "labels" / f"{number:02}.png")
    return folder


@pytest.fixture
def models(tmp_path):
    """Tiny models with random weights."""
    torch.manual_seed(0)
    folder = tmp_path / "models"
    folder.mkdir()
    for spec in (
        ModelSpec("color", "two_stream_unet", {"widths": [4, 6], "slope": 0.1}, detail=64),
        ModelSpec("segmentation", "gridnet", {"widths": [2, 4, 4, 4, 4]}, detail=64),
    ):
        weights.save(folder / f"{spec.task}.safetensors", weights.build(spec))
    return folder


def test_the_command_writes_a_report(corpus, models, tmp_path, capsys):
    out = tmp_path / "report"
    arguments = ["--data", str(corpus), "--weights", str(models), "--report", str(out)]
    assert main(["evaluate", *arguments]) == 0
    assert "12 photos" in capsys.readouterr().out

    found = json.loads((out / "metrics.json").read_text())
    assert found["photos"] == 12
    assert found["data"] == "corpus, all photos"
    assert found["models"]["color"]["detail"] == 64
    rows = found["rows"]
    assert rows[figures.NO_COLOUR]["colourfulness_ratio"] == 0
    assert rows[figures.NO_COLOUR]["ciede2000"]["over_no_colour"]["value"] == 1
    # A class has one colour here, so its mean in the other photos is right, but for rounding and
    # the room that is left at the gamut's edge.
    assert rows[figures.CLASS_MEAN]["ab_mae"]["over_no_colour"]["value"] < 0.1
    assert rows[figures.CLASS_MEAN]["plausibility"] > -0.2
    assert rows[figures.ORIGINAL]["ciede2000"]["value"] == 0
    assert rows[figures.ORIGINAL]["colourfulness_ratio"] == 1
    assert rows[figures.ORIGINAL]["bleeding"] == 0
    assert rows[figures.TRUE]["lightness_max"] < 2
    assert [point["saturation"] for point in found["curve"]] == list(evaluation.SATURATIONS)
    assert found["edits"]["edits"] == 24
    assert {entry["class"] for entry in found["edits"]["by_class"]} <= {"sky", "grass"}
    by_hand = found["segmentation"]["labels by hand"]
    fullest = found["segmentation"]["fullest labels"]
    assert (by_hand["photos"], fullest["photos"]) == (6, 12)
    assert sum(row["pixels"] for row in by_hand["classes"]) == 6 * 64 * 40
    assert sum(row["pixels"] for row in fullest["classes"]) == 12 * 64 * 80

    page = (out / "report.html").read_text()
    strips = re.findall(r'src="([^"]+)"', page)
    assert len(strips) == 12 + 6 + 6  # spread evenly, best, worst
    for strip in strips:
        with Image.open(out / strip) as image:
            assert image.height == 64
    assert "http" not in page  # nothing is fetched from elsewhere


def test_held_out_photos_are_those_that_training_leaves_out(corpus, models, tmp_path):
    evaluation.evaluate_folders([corpus], models, True, tmp_path / "report")
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())
    held_out = split(find_pairs([corpus])).held_out
    names = [f"corpus/{pair.photo.name}" for pair in held_out]
    assert [photo["photo"] for photo in found["by_photo"]] == names


def test_a_photo_is_left_out_of_its_own_reference(corpus, models, tmp_path):
    """The only photo of a class must not be told that class's colour."""
    pairs = find_pairs([corpus])[:3]
    with Image.open(pairs[0].labels) as image:
        labels = np.asarray(image).copy()
    labels[labels == SKY] = 57
    Image.fromarray(labels).save(pairs[0].labels)
    engine = Engine.load(models)
    found = evaluation.evaluate(engine, pairs, pairs, tmp_path / "report", "")
    errors = [photo[figures.CLASS_MEAN]["ab_mae"] for photo in found["by_photo"]]
    assert errors[0] > 10 * max(errors[1:])


def test_rows_are_what_they_are_called(corpus, models):
    engine = Engine.load(models)
    original = evaluation.read(find_pairs([corpus])[0])
    found = evaluation.measure(engine, original, original.colours(), np.random.default_rng(0))
    predicted = evaluation.segment(engine, original.gray)
    rows = {
        figures.GRAY_ONLY: None,
        figures.PREDICTED: predicted,
        figures.TRUE: original.labels,
    }
    for row, labels in rows.items():
        rgb = evaluation.colorize(engine, original.gray, labels)
        assert found.rows[row].items() >= evaluation.compare(rgb, original).items()
    assert len({found.rows[row]["ab_mae"] for row in rows}) == 3


def test_the_engine_is_measured_as_users_get_it(corpus, models):
    """Colour that the engine would give is rendered as the engine does: lightness stays."""
    original = evaluation.read(find_pairs([corpus])[0])
    rendered = rgb_from_ab(original.gray, original.chroma)
    values = evaluation.compare(rendered, original)
    assert values["ciede2000"] < 1
    assert values["lightness_max"] < 1
    gray = evaluation.compare(
        rgb_from_ab(original.gray, torch.zeros_like(original.chroma)), original
    )
    assert gray["ab_mae"] == pytest.approx(float(original.chroma.abs().mean()), rel=1e-3)


@pytest.mark.parametrize("task", ["color", "segmentation"])
def test_summary_is_one_line_about_one_model(corpus, models, task):
    pairs = find_pairs([corpus])[:3]
    line = evaluation.summary(weights.load(models / f"{task}.safetensors"), pairs)
    numbers = [float(number) for number in re.findall(r"\d+\.\d+", line)]
    assert "\n" not in line
    if task == "segmentation":
        engine = Engine.load(models)
        originals = [evaluation.read(pair) for pair in pairs]
        right = [evaluation.segment(engine, o.gray) == o.labels for o in originals]
        assert numbers[0] == pytest.approx(float(torch.stack(right).float().mean()), abs=1e-3)
    else:
        value, over_gray = numbers[:2]
        gray = np.mean([float(evaluation.read(pair).chroma.abs().mean()) for pair in pairs])
        assert value / over_gray == pytest.approx(gray, rel=0.01)


def test_bundled_models_stand_in_for_what_a_folder_lacks(models):
    (models / "segmentation.safetensors").unlink()
    engine = Engine.load(models)
    assert engine.color.spec.detail == 64
    assert engine.segmentation.spec == weights.load(weights.bundled("segmentation")).spec


def code_of(*arguments):
    with pytest.raises(SemcolorError) as caught:
        evaluation.evaluate_folders(*arguments)
    return caught.value.code


def test_what_is_wrong_is_said(corpus, models, tmp_path):
    out = tmp_path / "report"
    assert code_of([tmp_path / "nothing"], models, False, out) == Code.NO_DATA_FOLDER
    assert code_of([corpus], tmp_path / "nothing", False, out) == Code.BAD_WEIGHTS
    (tmp_path / "file").write_text("")
    assert code_of([corpus], models, False, tmp_path / "file" / "out") == Code.CANNOT_WRITE
    (corpus / "labels_filled" / "00.png").write_bytes(b"no picture")
    assert code_of([corpus], models, False, out) == Code.NOT_A_PICTURE


def test_figures_of_photos_without_labels_are_none(corpus, models, tmp_path):
    for path in [*corpus.glob("labels*/*.png")]:
        Image.fromarray(np.zeros((64, 80), np.uint8)).save(path)
    evaluation.evaluate_folders([corpus], models, True, tmp_path / "report")
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert found["rows"][figures.TRUE]["plausibility"] is None
    assert found["edits"] == {"edits": 0}
    assert found["segmentation"] == {}


def test_gray_photos_have_no_colour_to_compare_with(corpus, models, tmp_path):
    for path in corpus.glob("images/*.png"):
        Image.fromarray(np.full((64, 80, 3), 90, np.uint8)).save(path)
    evaluation.evaluate_folders([corpus], models, True, tmp_path / "report")
    found = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert found["rows"][figures.TRUE]["colourfulness_ratio"] is None


def test_every_row_is_measured_alike():
    """Figures are means over photos, ratios are of sums."""
    values = {
        "ciede2000": 4.0, "ab_mae": 2.0, "colourfulness": 10.0, "chroma": 5.0, "auc_ab": 0.9,
        "lightness_mean": 0.1, "lightness_max": 0.5, "plausibility": -3.0,
        "bled": 1.0, "bled_in_original": 2.0, "band": 10.0,
    }  # fmt: skip
    rows = (figures.NO_COLOUR, figures.GRAY_ONLY, figures.PREDICTED, figures.TRUE, figures.ORIGINAL)
    one = figures.Measured("one", dict.fromkeys(rows, values), {1.0: values}, [], {}, [])
    half = {name: value / 2 for name, value in values.items()}
    other = dataclasses.replace(one, rows=one.rows | {figures.TRUE: half})
    row = figures.summarise([one, other])["rows"][figures.TRUE]
    assert row["ciede2000"]["value"] == 3
    assert row["ciede2000"]["over_no_colour"]["value"] == pytest.approx(0.75)
    assert row["colourfulness_ratio"] == pytest.approx(0.75)
    assert row["bleeding"] == pytest.approx(1.5 / 15)
    assert row["lightness_max"] == 0.5
