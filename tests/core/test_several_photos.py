"""Several photos, and folders of them, on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from semcolor.cli.targets import Target, targets
from semcolor.shared.errors import Code, SemcolorError

from .noise import make


def semcolor(*arguments):
    command = [sys.executable, "-m", "semcolor.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def scans(tmp_path):
    """Two scans, one in a folder below, a hidden one, and what is no photo."""
    folder = tmp_path / "scans"
    make(folder / "a.tif", 1)
    make(folder / "b.png", 2)
    make(folder / "box 2" / "a.tif", 3)
    make(folder / ".thumbnails" / "a.png")
    (folder / "notes.txt").write_text("no photo")
    return folder


def names(found, output):
    return {target.output.relative_to(output).as_posix(): target.photo.name for target in found}


def test_one_photo_becomes_the_output(tmp_path):
    assert targets([Path("a.tif")], tmp_path / "o.png", "{stem}.png") == [
        Target(Path("a.tif"), tmp_path / "o.png")
    ]


def test_photos_of_folders(scans, tmp_path):
    out = tmp_path / "out"
    flat = targets([scans], out, "{stem}{suffix}")
    assert names(flat, out) == {"a.tif": "a.tif", "b.png": "b.png"}
    deep = targets([scans], out, "{stem}-c{suffix}", recursive=True)
    assert names(deep, out) == {
        "a-c.tif": "a.tif", "b-c.png": "b.png", "box 2/a-c.tif": "a.tif",
    }  # fmt: skip
    matched = targets([scans], out, "{stem}.png", match="*.tif", recursive=True)
    assert sorted(names(matched, out)) == ["a.png", "box 2/a.png"]


def test_results_in_a_folder_below_are_not_coloured_again(scans):
    out = scans / "coloured"
    make(out / "a.tif")
    found = targets([scans], out, "{stem}{suffix}", recursive=True)
    assert not any(target.photo.is_relative_to(out) for target in found)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("{stem}.png", Code.SAME_OUTPUT),
        ("{stem}", Code.SAME_OUTPUT),
        ("x.png", Code.SAME_OUTPUT),
        ("../{stem}{suffix}", Code.NAME_TEMPLATE),
        ("{folder}.png", Code.NAME_TEMPLATE),
        ("{", Code.NAME_TEMPLATE),
        ("{0}", Code.NAME_TEMPLATE),
        ("", Code.NAME_TEMPLATE),
        ("{stem.x}", Code.NAME_TEMPLATE),
    ],
)
def test_names_that_would_lose_something(tmp_path, name, code):
    photos = [make(tmp_path / "a.tif"), make(tmp_path / "A.png")]
    with pytest.raises(SemcolorError) as caught:
        targets(photos, tmp_path / "out", name)
    assert caught.value.code == code


def test_a_folder_without_photos(tmp_path):
    done = semcolor("colorize", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert "no such photos" in done.stderr
    assert not (tmp_path / "out").exists()


def test_all_that_can_be_done_is_done(worker, scans, tmp_path):
    """A damaged photo, and a result that is there, are told, and the others are coloured."""
    out = tmp_path / "out"
    (scans / "broken.jpg").write_bytes(b"no photo")
    out.mkdir()
    (out / "b.png").write_bytes(b"mine")
    done = semcolor("colorize", scans, "--recursive", "-o", out)
    assert done.returncode == 1
    assert f"{scans / 'broken.jpg'}: " in done.stderr
    assert "--force" in done.stderr
    assert "2 of 4 photos failed" in done.stderr
    assert (out / "b.png").read_bytes() == b"mine"
    for name in ("a.tif", "box 2/a.tif"):
        with Image.open(out / name) as coloured:
            assert (coloured.size, coloured.mode) == ((80, 60), "RGB")
    assert sorted(done.stdout.split("\n")) == ["", str(out / "a.tif"), str(out / "box 2/a.tif")]
    alone = semcolor("colorize", scans / "a.tif", "-o", tmp_path / "alone.tif")
    assert alone.returncode == 0, alone.stderr
    assert (tmp_path / "alone.tif").read_bytes() == (out / "a.tif").read_bytes()


def test_label_maps_of_a_folder(worker, scans, tmp_path):
    maps, out = tmp_path / "maps", tmp_path / "out"
    done = semcolor("segment", scans, "-o", maps)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(maps)) == ["a.png", "b.png"]
    (maps / "b.png").unlink()
    done = semcolor("colorize", scans, "--labels", maps, "-o", out, "--name", "{stem}.png")
    assert done.returncode == 0, done.stderr
    assert "b.png: the labels of" in done.stderr
    assert sorted(os.listdir(out)) == ["a.png", "b.png"]
    with Image.open(out / "a.png") as coloured:
        assert "labels sha256:" in coloured.text["XML:com.adobe.xmp"]


def test_a_run_that_was_killed_is_resumed(worker, scans, tmp_path):
    """What is there is whole and stays, byte for byte; what lacks is done; the end is the same."""
    for number in range(12):
        make(scans / f"c{number}.png", 10 + number)
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert semcolor("colorize", scans, "-o", whole).returncode == 0
    command = [sys.executable, "-m", "semcolor.cli", "colorize", scans, "-o", out, "--resume"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as run:
        for _ in range(4):
            run.stdout.readline()
        run.kill()
    done = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name[0] != "."}
    assert 4 <= len(done) < 14
    last = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert len(last.stdout.splitlines()) == 14 - len(done)
    for name in os.listdir(whole):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert all((out / name).stat().st_mtime_ns == when for name, when in done.items())
