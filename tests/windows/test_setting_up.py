"""A Windows user's way: `semcolor setup`, GIMP, a killed worker, another machine, and out again."""

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semcolor.cli.main import main
from semcolor.client import keys, local_worker
from semcolor.client.keys import Connection
from semcolor.client.worker_client import ZmqWorkerClient

from .conftest import Windows
from .wine import windows_path


def same_pixels(one: Path, other: Path) -> bool:
    """Processors, and the builds of PyTorch for each system, round in their own way."""
    with Image.open(one) as first, Image.open(other) as second:
        difference = np.abs(np.asarray(first, int) - np.asarray(second, int))
    return bool(np.percentile(difference, 99.9) <= 1 and difference.max() <= 4)


@pytest.fixture(scope="module")
def set_up(windows: Windows) -> str:
    """What the set-up said."""
    return windows.semcolor("setup")


@pytest.fixture
def colored_here(sample: Path, tmp_path: Path, worker: ZmqWorkerClient) -> Path:
    """The sample as Linux colours it."""
    assert main(["colorize", str(sample), "-o", str(tmp_path / "here.png")]) == 0
    return tmp_path / "here.png"


def test_the_set_up_serves_every_gimp_and_colours_a_photo(
    windows: Windows, set_up: str, colored_here: Path
):
    assert "semcolor is ready" in set_up
    for version in ("3.0", "3.2"):
        plugin = windows.wine.app_data / "GIMP" / version / "plug-ins/semcolor"
        bridge = json.loads((plugin / "install.json").read_text("utf-8"))["bridge"]
        assert bridge[0].endswith("Grün er\\semcolor\\Scripts\\python.exe"), bridge
        assert bridge[1:] == ["-I", "-m", "semcolor.bridge"]
        assert (plugin / "shared/errors.py").exists()
        palette = plugin.parents[1] / "palettes/semcolor.gpl"
        assert palette.read_text("utf-8").startswith("GIMP Palette\n")
    assert same_pixels(windows.wine.folder / "semcolor-sample.png", colored_here)


@pytest.mark.usefixtures("set_up")
def test_the_doctor_finds_all_in_order(windows: Windows):
    findings = json.loads(windows.semcolor("doctor", "--json"))
    assert [one for one in findings if one["level"] != "ok"] == []
    assert sum("has the plug-in, and its bridge answers" in one["text"] for one in findings) == 2
    assert findings[-1]["text"].startswith("a small picture was coloured")


@pytest.mark.usefixtures("set_up")
def test_keys_are_the_users_own(windows: Windows):
    (folder,) = {path.parent for path in windows.wine.local_app_data.rglob("worker_key.json")}
    assert folder == windows.wine.local_app_data / "semcolor"
    # Wine shows a folder's list of rights as Linux' bits.
    assert folder.stat().st_mode & 0o007 == 0


@pytest.mark.usefixtures("set_up")
def test_names_may_be_long_and_have_any_letter(windows: Windows, sample: Path, colored_here: Path):
    folder = (
        windows.wine.user_folder / "Bilder äöü ß" / " ".join(["Schachtel"] * 12) / ("tief" * 30)
    )
    folder.mkdir(parents=True)
    photo, out = folder / "Großmutter „1912“ žluť.jpg", folder / "heraus ✓.png"
    assert len(windows_path(photo)) > 260
    photo.write_bytes(sample.read_bytes())
    windows.semcolor("colorize", windows_path(photo), "-o", windows_path(out))
    assert same_pixels(out, colored_here)


@pytest.mark.usefixtures("set_up")
def test_the_plug_ins_end_of_the_bridge_and_a_worker_that_is_killed(
    windows: Windows, tmp_path_factory: pytest.TempPathFactory
):
    result = tmp_path_factory.mktemp("bridge") / "facts.json"
    plugin = windows.wine.app_data / "GIMP/3.0/plug-ins/semcolor"
    state = windows.wine.local_app_data / "semcolor/state"
    script = Path(__file__).with_name("plugin_side.py")
    windows.python(*map(windows_path, (script, plugin, result, state)))
    facts = json.loads(result.read_text("utf-8"))
    assert facts["bytes"] == 256 * 256 * 3
    assert facts["status"]["state"] == "ready"
    assert facts["stroke"][0] > 0
    assert (facts["snapped"], facts["refined"]) == ("result", "result")
    assert facts["labels of a file"] == {"type": "result", "ambiguous": 0}
    assert facts["children"] == 1
    assert facts["same after the engine was killed"]
    assert not facts["engine outlived its supervisor"]
    assert facts["another supervisor"]
    assert facts["same with another worker"]


@pytest.mark.usefixtures("set_up")
def test_a_linux_worker_serves_windows(
    windows: Windows, sample: Path, colored_here: Path, worker: ZmqWorkerClient,
    invite: Callable[..., Connection],
):  # fmt: skip
    line = keys.encode_invitation(invite(worker.connection, "wine"))
    assert "127.0.0.1" in windows.semcolor("connect", line)
    try:
        shown = json.loads(windows.semcolor("worker", "status", "--json"))
        assert shown["address"] == worker.connection.address
        out = windows.wine.user_folder / "from-linux.png"
        windows.semcolor("colorize", windows_path(sample), "-o", windows_path(out))
        assert same_pixels(out, colored_here)
    finally:
        windows.semcolor("connect", "local")


@pytest.mark.usefixtures("set_up")
def test_a_windows_worker_serves_linux(
    windows: Windows, sample: Path, colored_here: Path, home: Path, tmp_path: Path, move_to
):
    windows.semcolor("worker", "stop")
    address = f"127.0.0.1:{free_port()}"
    serving = windows.wine.start(
        windows_path(windows.scripts / "semcolor.exe"), "worker", "serve", "--listen", address
    )
    try:
        windows.wine.wait_for(lambda: "serving on" in windows.wine.said(serving))
        invitation = windows.semcolor("worker", "invite", "linux").splitlines()
        line = next(line for line in invitation if line.startswith("semcolor-2-"))
        move_to(tmp_path / "another home")
        local_worker.choose(line)
        assert main(["colorize", str(sample), "-o", str(tmp_path / "there.png")]) == 0
        assert same_pixels(tmp_path / "there.png", colored_here)
    finally:
        windows.semcolor("worker", "stop")
        serving.wait(60)


@pytest.mark.usefixtures("set_up")
def test_uninstalling_leaves_what_is_the_users_own(windows: Windows):
    weights = windows.wine.local_app_data / "semcolor/mine.safetensors"
    weights.touch()
    said = windows.semcolor("setup", "--uninstall")
    assert "are kept" in said
    assert weights.exists()
    assert not (windows.wine.local_app_data / "semcolor/state").exists()
    for version in ("3.0", "3.2"):
        assert not any((windows.wine.app_data / "GIMP" / version).rglob("*.*"))


def free_port() -> int:
    with contextlib.closing(socket.socket()) as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port
