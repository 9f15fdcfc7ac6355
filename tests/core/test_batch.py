"""Photographs by the thousand, in small: what is done, done again, left, and told."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from semcolor.cli.manifest import NAME, Line, Manifest, State, last_lines
from semcolor.photos.label_files import read_label_map, write_label_map
from semcolor.shared.errors import Code, SemcolorError

from .noise import make

COMMAND = [sys.executable, "-m", "semcolor.cli", "batch"]


def batch(*arguments):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def scans(tmp_path):
    """Three scans, of which two have one stem and one lies in a folder below."""
    folder = tmp_path / "scans"
    make(folder / "a.tif", 1)
    make(folder / "a.png", 2)
    make(folder / "box" / "b.jpg", 3)
    return folder


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def lines(folder):
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def test_what_is_done_is_not_done_again(worker, scans, tmp_path):
    out = tmp_path / "out"
    (scans / "broken.png").write_bytes(b"no photo")
    done = batch(scans, "-o", out, "--recursive")
    assert done.returncode == 1
    assert "broken.png" in done.stderr
    assert "1 of 4 photos failed" in done.stderr
    results = {"a.tif", "a.png", "box/b.jpg"}
    maps = {f"{name}.labels.png" for name in results}
    assert set(contents(out)) == {*results, *maps, ".semcolor-batch.lock"}
    assert {Path(line).name for line in done.stdout.split()} == {"a.tif", "a.png", "b.jpg"}
    before, written = contents(out), len(lines(out))
    again = batch(scans, "-o", out, "--recursive")
    assert "3 of 4 were done before" in again.stderr
    assert contents(out) == before
    new = lines(out)[written:]
    assert [(line["output"], line["state"]) for line in new] == [
        ("broken.png", "begun"), ("broken.png", "failed"),
    ]  # fmt: skip
    shares = last_lines(out / NAME)["a.tif"].shares
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    alone = tmp_path / "alone.tif"
    maps = out / "a.tif.labels.png"
    command = [sys.executable, "-m", "semcolor.cli", "colorize", scans / "a.tif", "-o", alone]
    subprocess.run([*command, "--labels", maps], check=True, timeout=300)
    assert alone.read_bytes() == (out / "a.tif").read_bytes()


def test_what_was_corrected_is_done_again_and_nothing_else(worker, scans, tmp_path):
    out = tmp_path / "out"
    assert batch(scans, "-o", out).returncode == 0
    before = contents(out)
    corrected = np.full((60, 80), 36, np.uint8)
    write_label_map(out / "a.png.labels.png", corrected)
    assert batch(scans, "-o", out).returncode == 0
    now = contents(out)
    changed = {name for name in now if now[name] != before[name]}
    assert changed == {"a.png", "a.png.labels.png"}
    assert (read_label_map(out / "a.png.labels.png") == corrected).all()
    assert last_lines(out / NAME)["a.png"].shares == {"grass": 1.0}
    make(scans / "a.tif", 9)  # a better scan
    (out / "a.png").unlink()
    assert batch(scans, "-o", out).returncode == 0
    assert (out / "a.png").read_bytes() == now["a.png"]
    assert (out / "a.tif").read_bytes() != now["a.tif"]


def test_what_is_not_of_the_batch_stays(worker, scans, tmp_path):
    """A file that was there, a result that was retouched, and a label map of the restorer's."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    own = np.full((60, 80), 50, np.uint8)
    write_label_map(scans / "a.tif.labels.png", own)
    done = batch(scans, "-o", out)
    assert (done.returncode, (out / "a.png").read_bytes()) == (1, b"mine")
    assert "--force" in done.stderr
    assert not (out / "a.tif.labels.png").exists()
    assert last_lines(out / NAME)["a.tif"].shares == {"sky": 1.0}
    (out / "a.tif").write_bytes(b"retouched")
    assert batch(scans / "a.tif", "-o", out, "--detail", "64").returncode == 1
    assert (out / "a.tif").read_bytes() == b"retouched"
    assert batch(scans, "-o", out, "--force", "--labels", "none").returncode == 0
    assert Image.open(out / "a.png").size == Image.open(out / "a.tif").size == (80, 60)
    assert last_lines(out / NAME)["a.tif"].shares != {"sky": 1.0}
    assert (read_label_map(scans / "a.tif.labels.png") == own).all()


def test_notes_hold_for_all(worker, scans, tmp_path):
    notes, maps = tmp_path / "notes.txt", ("a.tif.labels.png", "a.png.labels.png")
    notes.write_text("grass: #a02020\n")
    for name in maps:
        write_label_map(scans / name, np.full((60, 80), 36, np.uint8))
    assert batch(scans, "-o", tmp_path / "out", "--notes", notes).returncode == 0
    for name in ("a.tif", "a.png"):
        red, green, _ = np.asarray(Image.open(tmp_path / "out" / name)).mean((0, 1))
        assert red > green + 20
    assert batch(scans, "-o", tmp_path / "out", "--notes", tmp_path / "none.txt").returncode == 3


@pytest.mark.parametrize(
    ("kind", "name"),
    [("webp", "b.webp"), ("jpeg", "b.jpg"), ("png", "b.png"), ("tiff", "b.tif")],
)
def test_formats(worker, scans, tmp_path, kind, name):
    out = tmp_path / "out"
    assert batch(scans / "box", "-o", out, "--format", kind).returncode == 0
    with Image.open(out / name) as image:
        assert (image.size, image.mode) == ((80, 60), "RGB")
    xmp = pyvips.Image.new_from_file(str(out / name)).get("xmp-data")
    assert b"compositeWithTrainedAlgorithmicMedia" in xmp


def test_openraster_has_photo_colours_and_labels(worker, scans, tmp_path):
    deep = np.random.default_rng(4).integers(0, 65535, (60, 80)).astype(np.uint16)
    pyvips.Image.new_from_array(deep).write_to_file(str(scans / "deep.tif"))
    out = tmp_path / "out"
    assert batch(scans, "-o", out, "--format", "ora", "--match", "deep*").returncode == 0
    with zipfile.ZipFile(out / "deep.ora") as file:
        first = file.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert file.read("mimetype") == b"image/openraster"
        pixels = {
            name: pyvips.Image.new_from_buffer(file.read(name), "").numpy()
            for name in file.namelist() if name.endswith(".png")
        }  # fmt: skip
        stack = file.read("stack.xml").decode()
    names = [part.split('"')[0] for part in stack.split('name="')[1:]]
    assert names == ["Labels", "Colorized", "Photo"]
    assert (pixels["data/layer2.png"] == deep).all()
    assert pixels["data/layer1.png"].dtype == np.uint16
    assert (pixels["data/layer1.png"] == pixels["mergedimage.png"]).all()
    assert max(pixels["Thumbnails/thumbnail.png"].shape) == 80


def test_a_photo_that_is_too_wide_for_webp_is_refused_before_any_work(tmp_path, worker):
    Image.fromarray(np.zeros((1, 16384), np.uint8)).save(tmp_path / "wide.png")
    done = batch(tmp_path / "wide.png", "-o", tmp_path / "out", "--format", "webp")
    assert done.returncode == 1
    assert "16383" in done.stderr
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_list_of_photos(worker, scans, tmp_path):
    series = scans / "series.txt"
    series.write_text("a.tif\n\nbox/b.jpg\n")
    done = batch(series, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(line["output"], line["state"]) for line in told} == {
        ("a.tif", "done"), ("b.jpg", "done"),
    }  # fmt: skip
    assert batch(scans / "none.txt", "-o", tmp_path / "out").returncode == 3


@pytest.mark.posix
def test_a_batch_that_is_stopped_finishes_what_is_begun(worker, tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    for number in range(40):
        make(scans / f"{number}.png", number)
    command = [*COMMAND, scans, "-o", out]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told.endswith("semcolor: stopped\n")
    ended = {name for name, line in last_lines(out / NAME).items() if line.state == State.DONE}
    assert 0 < len(ended) < 40
    maps = {f"{name}.labels.png" for name in ended}
    assert set(contents(out)) == {*ended, *maps, ".semcolor-batch.lock"}
    done = batch(scans, "-o", out, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(last_lines(out / NAME)) == 40


def test_two_batches_at_once_are_refused(tmp_path):
    with Manifest(tmp_path):
        done = batch(make(tmp_path / "a.png"), "-o", tmp_path)
    assert done.returncode == 8
    assert "Another batch" in done.stderr


def test_what_a_sudden_end_has_cut_off_is_no_line(tmp_path):
    path, line = tmp_path / NAME, Line("a.png", "scans/ä.png", State.DONE, told=("so",))
    with Manifest(tmp_path) as manifest:
        manifest.add(line)
    with path.open("a") as file:
        file.write('{"output": "b.png", "pho')
    assert last_lines(path) == {"a.png": line}
    with Manifest(tmp_path) as manifest:
        manifest.add(Line("b.png", "b.png", State.BEGUN))
    assert set(last_lines(path)) == {"a.png", "b.png"}
    path.write_text('{"output": 1}\n')
    with pytest.raises(SemcolorError) as caught, Manifest(tmp_path):
        pass
    assert caught.value.code == Code.NOT_A_MANIFEST


def test_what_a_kill_has_left_half_written_goes_away(worker, scans, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    half, another = out / ".0123456789abcdef.tif", out / ".0123456789abcdef.ora"
    half.write_bytes(b"half")
    another.write_bytes(b"somebody's")
    with Manifest(out) as manifest:
        manifest.add(Line("a.tif", str(scans / "a.tif"), State.BEGUN))
    assert batch(scans, "-o", out).returncode == 0
    assert not half.exists()
    assert another.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_folder_that_cannot_be_written(worker, scans, tmp_path):
    done = batch(scans, "-o", "/proc/none")
    assert done.returncode == 8
    assert "Traceback" not in done.stderr
