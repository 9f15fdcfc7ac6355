"""The command line as a user runs it, on a real worker."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import pyvips
from PIL import Image

from semcolor import __version__
from semcolor.cli import main as cli


def semcolor(*arguments):
    command = [sys.executable, "-m", "semcolor.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_colours_of_no_class_in_a_label_picture_are_told(worker, sample, tmp_path):
    with Image.open(sample) as photo:
        labels = Image.new("RGB", photo.size, (0, 192, 64))
    labels.paste((0, 0, 192), (0, 400, *labels.size))
    labels.paste((0, 96, 128), (0, 390, labels.width, 400))
    labels.save(tmp_path / "labels.png")
    done = semcolor(
        "colorize", sample, "--labels", tmp_path / "labels.png", "-o", tmp_path / "o.png"
    )
    assert done.returncode == 0, done.stderr
    assert "1.27% of" in done.stderr


def test_segment_then_colorize(worker, sample, tmp_path):
    done = semcolor("segment", sample, "-o", tmp_path / "labels.png")
    assert (done.returncode, done.stderr) == (0, "")  # bars are for a terminal
    with Image.open(tmp_path / "labels.png") as labels:
        assert labels.mode == "P"
        assert labels.size == (1024, 788)
    done = semcolor(
        "colorize", sample, "--labels", tmp_path / "labels.png", "-o", tmp_path / "out.png"
    )
    assert done.returncode == 0, done.stderr
    out = pyvips.Image.new_from_file(str(tmp_path / "out.png")).numpy()
    assert out.shape == (788, 1024, 3)
    assert out.std(axis=2).mean() > 2  # it is coloured
    said = pyvips.Image.new_from_file(str(tmp_path / "out.png")).get("xmp-data").decode()
    assert "compositeWithTrainedAlgorithmicMedia" in said
    assert re.search("model fast.*; labels sha256:[0-9a-f]{64}; detail 0<", said)
    options = "--no-provenance", "-o", tmp_path / "predicted.png"
    done = semcolor("colorize", sample, *options)
    assert done.returncode == 0, done.stderr
    assert (
        "xmp-data" not in pyvips.Image.new_from_file(str(tmp_path / "predicted.png")).get_fields()
    )
    assert (pyvips.Image.new_from_file(str(tmp_path / "predicted.png")).numpy() == out).all()


def test_colour_notes(worker, sample, tmp_path):
    (tmp_path / "notes.txt").write_text("# as the family tells\nground: #3a6a3a\n")
    plain, noted = tmp_path / "plain.png", tmp_path / "noted.png"
    assert semcolor("colorize", sample, "-o", plain).returncode == 0
    done = semcolor("colorize", sample, "-o", noted, "--notes", tmp_path / "notes.txt")
    assert done.returncode == 0, done.stderr
    plain, noted = (pyvips.Image.new_from_file(str(path)).numpy() for path in (plain, noted))
    ground, sky = (slice(600, 780), slice(50, 950)), (slice(20, 200), slice(50, 950))
    red, green, _ = noted[ground].reshape(-1, 3).mean(axis=0)
    assert green > red + 20
    assert np.abs(noted[sky].astype(int) - plain[sky]).mean() < 2


@pytest.mark.parametrize(
    ("text", "code", "message"), [(None, 3, "no file"), ("ground: green", 4, "Line 1 of")]
)
def test_wrong_colour_notes(worker, sample, tmp_path, text, code, message):
    notes = tmp_path / "notes.txt"
    if text:
        notes.write_text(text)
    done = semcolor("colorize", sample, "-o", tmp_path / "out.png", "--notes", notes)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_sixteen_bits_and_automatic_labels(worker, sample_gray, tmp_path):
    deep = sample_gray.astype(np.uint16) * 257
    image = pyvips.Image.new_from_array(deep).copy(interpretation="grey16")
    image.write_to_file(str(tmp_path / "deep.tif"))
    done = semcolor("colorize", tmp_path / "deep.tif", "-o", tmp_path / "out.tif")
    assert done.returncode == 0, done.stderr
    out = pyvips.Image.new_from_file(str(tmp_path / "out.tif")).numpy()
    assert out.dtype == np.uint16
    assert len(np.unique(out)) > 300  # more than 8 bits can say


@pytest.mark.parametrize(
    ("labels", "code", "message"),
    [
        (np.zeros((5, 5), np.uint8), 5, "5 × 5 pixels, the photo 1024 × 788"),
        (np.full((788, 1024), 99, np.uint8), 6, "value 99"),
    ],
)
def test_wrong_label_maps(worker, sample, tmp_path, labels, code, message):
    Image.fromarray(labels).save(tmp_path / "labels.png")
    done = semcolor(
        "colorize", sample, "--labels", tmp_path / "labels.png", "-o", tmp_path / "out.png"
    )
    assert done.returncode == code
    assert message in done.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["colorize", "missing.png", "-o", "out.png"], 3, "no file missing.png"),
        (["colorize", __file__, "-o", "out.png"], 4, "cannot be read as a photo"),
        (["segment", "{sample}", "-o", "out.jpg"], 8, "written as PNG"),
        (["colorize", "{sample}", "-o", "/no/folder/out.png"], 8, "no folder"),
        (["colorize", "{sample}", "-o", "out.xyz"], 8, "names no format"),
        (["colorize", "{sample}", "-o", "out.png", "--detail", "4097"], 2, "at most 4096"),
        (["segment", "{sample}", "-o", "out.png", "--detail", "-32"], 2, "at most 4096"),
        (["colorize", "{sample}", "--labels", "no.png", "-o", "out.png"], 3, "no file no.png"),
        (["colorize", "{sample}", "--labels", __file__, "-o", "out.png"], 4, "as a picture"),
        (["connect", "nonsense"], 1, "whole invitation"),
        (["worker", "status"], 7, "semcolor worker start"),
        (["worker", "invite", "anna"], 7, "serve --listen"),
        (["train", "color", "--data", "{empty}", "-o", "run"], 3, "no labelled photos"),
        (["train", "color", "--recipe", "x", "--data", "{empty}", "-o", "run"], 3, "no recipe"),
    ],
)
def test_failures_are_one_sentence_with_a_code(
    sample, tmp_path, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    arguments = [a.format(sample=sample, empty=tmp_path) for a in arguments]
    assert cli.main(arguments) == code
    printed = capsys.readouterr().err
    assert message in printed
    assert re.fullmatch(r"semcolor: [^\n]+\n", printed)
    assert "Traceback" not in printed


def test_unreachable_worker(sample, tmp_path, capsys):
    from semcolor.client import keys, local_worker

    pair = keys.KeyPair.generate()
    local_worker.set_remote(keys.Connection("tcp://127.0.0.1:1", pair.public, pair))
    assert cli.main(["colorize", str(sample), "-o", str(tmp_path / "out.png")]) == 7
    assert "does not answer" in capsys.readouterr().err


def test_start_status_stop(capsys):
    assert cli.main(["worker", "start"]) == 0
    assert cli.main(["worker", "start"]) == 0  # finds the first
    assert cli.main(["worker", "status"]) == 0
    assert cli.main(["worker", "stop"]) == 0
    assert cli.main(["worker", "stop"]) == 0
    printed = capsys.readouterr().out
    first, second = re.findall(r"pid (\d+)", printed)
    assert first == second
    assert "has stopped" in printed
    assert "no worker was running" in printed


def test_status_as_json(worker, capsys):
    assert cli.main(["worker", "status", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["address"] == worker.connection.address
    assert said["version"] == __version__
    assert said["state"] in ("starting", "loading", "ready", "busy")
    assert [engine["fault"] for engine in said["engines"]] == [None]
    assert (said["restarts"], said["listening"]) == (0, "")


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e9", "soon"])
def test_an_invitation_lasts_for_some_days(days, capsys):
    with pytest.raises(SystemExit):
        cli.main(["worker", "invite", "anna", "--days", days])
    assert "--days" in capsys.readouterr().err
