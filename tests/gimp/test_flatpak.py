"""The plug-in in a sandbox like that of GIMP's Flatpak, set up from outside."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from semcolor_installer import setup, source

from . import roots
from .harness import CHECKOUT
from .panel_script import LIVE, WIDTH, run_live
from .sandbox import VERSION, FlatpakGimp


@pytest.fixture(scope="module")
def flatpak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlatpakGimp]:
    """Set up as a user's; its worker runs outside."""
    if not roots.is_built(VERSION):
        reason = roots.why_impossible()
        if reason:
            pytest.skip(reason)
        roots.build(VERSION)
    home = tmp_path_factory.mktemp("flatpak-")
    gimp = FlatpakGimp(home)
    # systemd is not here; what it would start is started below (`test_service` has a real one).
    service = gimp.programs / "systemctl"
    service.write_text("#!/bin/sh\nexit 0\n")
    service.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            patch.delenv(name, raising=False)
        for name, value in gimp.environment.items():
            patch.setenv(name, value)
        for name, value in os.environ.items():
            if value.endswith((".crt", ".pem")) and Path(value).is_file():
                patch.setenv(name, shutil.copy(value, home))  # the sandbox has others
        patch.setattr(source, "CHECKOUT", CHECKOUT)
        setup.folders.data_dir().mkdir(parents=True)
        python = Path(sys.executable)
        setup.install_plugins(setup.Home(python, python.with_name("semcolor")), home / "setup.log")
    gimp.worker("start")
    yield gimp
    gimp.stop_worker()


def test_the_bridge_is_the_sandboxs_own(flatpak: FlatpakGimp):
    installed = flatpak.profile / "plug-ins/semcolor"
    commands = json.loads((installed / "install.json").read_text())
    assert commands["flatpak"][0] == "env"
    assert commands["flatpak"][3].endswith("/semcolor/flatpak-venv/bin/python")
    assert (installed / "semcolor.py").read_text().startswith("#!/usr/bin/env python3\n")


def test_colour_comes_also_after_the_worker_was_killed(flatpak: FlatpakGimp, photo_file: Path):
    photo = shutil.copy(photo_file, flatpak.folder / "photo.jpg")
    script = f"""
        image = load_gray({str(photo)!r}, 8)
        ours("colorize", image)
        result["layers"] = [layer.get_name() for layer in image.get_layers()]
        result["state"] = call_for_all("plug-in-semcolor-worker-status")[0]
        result["has the menu"] = Gimp.get_pdb().procedure_exists("plug-in-semcolor-panel")
    """
    pid_file = flatpak.folder / ".local/state/semcolor/worker.pid"
    first = flatpak.run(script)
    assert first["has the menu"]
    assert len(first["layers"]) == 3
    assert first["state"] == "ready"
    before = int(pid_file.read_text())
    # A service's worker is started again by systemd.
    os.kill(before, signal.SIGKILL)
    while Path(f"/proc/{before}").exists():
        time.sleep(0.1)
    flatpak.worker("start")
    assert int(pid_file.read_text()) != before
    assert flatpak.run(script)["layers"] == first["layers"]


def test_live_colour_follows_a_stroke(flatpak: FlatpakGimp, photo_file: Path):
    photo = shutil.copy(photo_file, flatpak.folder / "photo.jpg")
    script = """
    activate_image()
    stroke()
    wait(lambda: content(labels) != labels_before)
    wait(lambda: content(colors) != colors_before)
    result["followed"] = True
    """
    result = run_live(flatpak, LIVE.format(photo=str(photo), width=WIDTH), script)
    assert result["followed"]
