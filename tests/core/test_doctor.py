"""`semcolor doctor`: each thing that can be wrong is found, and told with what to do."""

import json
import socket
import sys
from pathlib import Path

import pytest

from semcolor import __version__, doctor
from semcolor.cli.main import main
from semcolor.client import keys, local_worker, settings
from semcolor.doctor import Finding, Level, gimp, system, without_private
from semcolor.doctor import worker as worker_checks
from semcolor.protocol.results import EngineStatus, Failure, StatusResult
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.gimps import Gimp, GimpKind
from semcolor.shared.states import WorkerState
from semcolor_installer import plugin

pytestmark = pytest.mark.posix


@pytest.fixture
def installed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gimp:
    """A GIMP with the plug-in, whose interpreter says that it can run it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    python = tmp_path / "bin/python3"
    script(python, "exit 0")
    monkeypatch.setattr(plugin, "_interpreters", lambda: iter([str(python)]))
    found = Gimp(GimpKind.SYSTEM, home / "XDG_CONFIG_HOME/GIMP/3.0")
    found.profile.mkdir(parents=True)
    plugin.install_plugin(found, [sys.executable, "-I", "-m", "semcolor.bridge"])
    return found


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def problem(check) -> Finding:
    """The only one."""
    (finding,) = (one for one in check() if one.level is not Level.OK)
    return finding


def test_all_is_well(installed, worker_home, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", worker_home["XDG_STATE_HOME"])
    assert [one.level for one in gimp.plugins()] == [Level.OK]
    for check in (system.machine, system.folders, worker_checks.answers, worker_checks.colors):
        assert {one.level for one in check()} == {Level.OK}, list(check())
    colored = next(worker_checks.colors()).text
    assert colored.startswith("a small picture was coloured in")


def test_the_command_prints_lines_or_json_and_fails_where_something_is_wrong(
    installed, worker_home, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_STATE_HOME", worker_home["XDG_STATE_HOME"])
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"ok      system: semcolor {__version__}" in shown
    assert "computes on cpu" in shown
    (installed.plugin / "semcolor.py").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    assert ended.value.code == 1
    findings = json.loads(capsys.readouterr().out)
    assert [one["level"] for one in findings if one["topic"] == "GIMP"] == ["problem"]


def test_a_gimp_without_the_plug_in(installed):
    (installed.plugin / "semcolor.py").unlink()
    found = problem(gimp.plugins)
    assert "has no plug-in" in found.text
    assert "set-up again" in found.advice


def test_a_plug_in_that_may_not_be_executed(installed):
    (installed.plugin / "semcolor.py").chmod(0o644)
    assert "may not be executed" in problem(gimp.plugins).text


def test_an_interpreter_that_lost_gimps_library(installed, tmp_path):
    script(tmp_path / "bin/python3", "exit 1")
    assert f"{tmp_path}/bin/python3 can't run GIMP's plug-ins any more" in (
        problem(gimp.plugins).text
    )
    (tmp_path / "bin/python3").unlink()
    assert "any more" in problem(gimp.plugins).text


@pytest.mark.parametrize("bridge", [["/gone/python"], ["/bin/false"], ["/bin/true"]])
def test_a_bridge_that_does_not_answer(installed, bridge):
    (installed.plugin / "install.json").write_text(json.dumps({"bridge": bridge}))
    assert "its bridge does not answer" in problem(gimp.plugins).text


def test_a_bridge_of_another_version(installed, monkeypatch):
    monkeypatch.setattr(gimp, "__version__", "9.9")
    assert problem(gimp.plugins).text.endswith(f"its bridge is of semcolor {__version__}")


def test_no_gimp_and_one_that_was_never_started(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert problem(gimp.plugins).text == "there is no GIMP 3 here"
    script(tmp_path / "bin/gimp-3.2", "")
    assert problem(gimp.plugins).text.endswith("bin/gimp-3.2 was never started")
    (tmp_path / "snap/gimp/current/.config/GIMP/3.0").mkdir(parents=True)
    assert any("GIMP from Snap" in one.text for one in gimp.plugins())


def test_keys_that_others_may_read(home):
    keys.server_keys()
    path = settings.config_folder() / "worker_key.json"
    path.chmod(0o644)
    assert str(path) in problem(system.folders).text
    path.chmod(0o600)
    assert {one.level for one in system.folders()} == {Level.OK}


def test_a_folder_that_cannot_be_written(home, monkeypatch):
    monkeypatch.setattr(system.os, "access", lambda *_: False)
    assert {one.level for one in system.folders()} == {Level.PROBLEM}


def test_a_worker_that_cannot_be_reached(home):
    pair = keys.KeyPair.generate()
    local_worker.set_remote(keys.Connection("tcp://nowhere.invalid:7", pair.public, pair))
    found = [one for one in doctor.examine() if one.topic in ("worker", "colour")]
    assert [one.level for one in found] == [Level.PROBLEM] * 2
    assert "No machine is found" in found[0].text


def test_what_troubles_a_worker():
    fault = Failure.of(SemcolorError(Code.DEVICE_UNUSABLE, device="cuda:0", reason="old driver"))
    status = StatusResult(
        version="0.0.9", state=WorkerState.READY, device="cpu", models=[], sessions=1, waiting=0,
        engines=[EngineStatus("cpu", WorkerState.READY, fault)], planes_bytes=0, restarts=5,
        listening="",
    )  # fmt: skip
    told = [one.text for one in worker_checks._troubles(status)]
    assert "another version" in told[0]
    assert "cuda:0 can't be used (old driver)" in told[1]
    assert "5 times" in told[2]


def test_a_report_for_strangers_names_nobody(home, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/greta")
    monkeypatch.setenv("LOGNAME", "greta")
    pair = keys.KeyPair.generate()
    line = keys.encode_invitation(keys.Connection("tcp://10.0.0.7:7", pair.public, pair))
    text = "\n".join([
        "/home/greta/.config/semcolor", "/home/other/x", r"C:\Users\Greta Gross\AppData is there",
        f"on {socket.gethostname()}", "tcp://192.168.1.5:7791", "[fe80::1]:7791",
        f"key {pair.secret}", f"“{line}”", "greta's photos",
    ])  # fmt: skip
    shown = without_private([Finding("worker", Level.WARNING, text, f"Ask greta: {pair.public}")])
    for private in ("greta", "Gross", "other", socket.gethostname(), "192.168", "fe80", pair.secret,
                    pair.public, line, "10.0.0.7"):  # fmt: skip
        assert private not in shown, shown
    assert "~/.config/semcolor" in shown
