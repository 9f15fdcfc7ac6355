"""How commands on photos end, as a user sees it: nothing of his lost, no traceback, no remnant."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import pyvips
from PIL import Image

from semcolor.client.local_worker import read_connection

pytestmark = pytest.mark.posix
COMMAND = [sys.executable, "-m", "semcolor.cli"]


def semcolor(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, timeout=120, env=os.environ | environment
    )


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_what_is_there_is_replaced_only_with_force(worker, photo, tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(b"mine")
    for command in ("colorize", "segment"):
        done = semcolor(command, photo, "-o", out)
        assert (done.returncode, out.read_bytes()) == (8, b"mine")
        assert "--force" in done.stderr.decode()
    assert semcolor("colorize", photo, "-o", out, "--force").returncode == 0
    assert Image.open(out).size == (80, 60)


@pytest.mark.parametrize("name", ["photo.png", "link.png", "hard.png"])
def test_no_input_is_ever_the_output(worker, photo, tmp_path, name):
    """Not by another name either."""
    before = photo.read_bytes()
    if name == "link.png":
        (tmp_path / name).symlink_to(photo)
    elif name == "hard.png":
        (tmp_path / name).hardlink_to(photo)
    done = semcolor("colorize", photo, "-o", tmp_path / name, "--force")
    assert done.returncode == 8
    assert "is what is read" in done.stderr.decode()
    done = semcolor("colorize", photo, "--labels", photo, "-o", tmp_path / name, "--force")
    assert (done.returncode, photo.read_bytes()) == (8, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)])
def test_signals_end_a_command_in_the_middle_of_writing(worker, tmp_path, number):
    """Not when it has written all; and nothing half done stays."""
    noise = np.random.default_rng(0).integers(0, 65535, (3000, 4000)).astype(np.uint16)
    large = pyvips.Image.new_from_array(noise).copy(interpretation="grey16")
    large.write_to_file(str(tmp_path / "large.tif"), compression="deflate")
    command = [*COMMAND, "colorize", tmp_path / "large.tif", "-o", tmp_path / "out.tif"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while len(os.listdir(tmp_path)) == 1:
        assert running.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number, errors
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == ["large.tif"]
    assert read_connection()  # the worker goes on


@pytest.mark.parametrize(
    "name", [b"p\xff\xe9.png", b"n" * 250 + b".png", b"photo[page=1].png", "ä ü.png".encode()]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_name_is_a_name(worker, photo, tmp_path, name, encoding):
    source, target = os.fsencode(tmp_path / "x")[:-1] + name, os.fsencode(tmp_path / "out")
    os.rename(photo, source)
    os.mkdir(target)
    environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    for command in ("colorize", "segment"):
        out = os.path.join(target, command[:1].encode() + name[1:])
        done = semcolor(command, source, "-o", out, **environment)
        assert done.returncode == 0, done.stderr
        assert os.path.exists(out)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_photo_of_one_pixel(worker, tmp_path, dtype):
    Image.fromarray(np.array([[77]], dtype)).save(tmp_path / "one.png")
    for command in ("colorize", "segment"):
        done = semcolor(command, tmp_path / "one.png", "-o", tmp_path / f"{command}.png")
        assert done.returncode == 0, done.stderr
        assert Image.open(tmp_path / f"{command}.png").size == (1, 1)


def test_a_home_that_is_none_is_told_in_a_sentence(photo, tmp_path):
    home = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), "/proc/none")
    done = semcolor("colorize", photo, "-o", tmp_path / "out.png", **home)
    errors = done.stderr.decode()
    assert done.returncode == 1, errors
    assert errors.startswith("semcolor: /proc/none")
    assert "Traceback" not in errors


def test_ctrl_c_ends_a_command_that_has_only_begun_to_load():
    script = """
import runpy, sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "numpy":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
runpy.run_module("semcolor.cli", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, b"semcolor: stopped\n")
