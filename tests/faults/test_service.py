"""The worker as a service of a real systemd."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import urllib.request

import pytest

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import service

from .helpers import semcolor, wait_until
from .machine import MachineError, switched_on

UNIT = "semcolor-worker.service"
CLIENT = "/tmp/client"


@pytest.fixture
def machine():
    try:
        with switched_on() as running:
            yield running
    except MachineError as error:
        pytest.skip(str(error))


def test_a_service_serves_comes_back_and_goes(machine, sample):
    def is_served(out):
        machine.semcolor("colorize", "/tmp/photo.jpg", "-o", out, home=CLIENT, check=False)
        return machine.run("ls", out, check=False) == out

    def main_pid():
        return machine.run("systemctl", "show", "-P", "MainPID", UNIT)

    def has_come_back():
        return main_pid() not in ("0", before) and is_active()

    def is_active():
        return machine.run("systemctl", "is-active", UNIT, check=False) == "active"

    machine.run("tee", "/tmp/photo.jpg", stdin=sample.read_bytes())
    machine.semcolor("worker", "install-service", "--system", "--listen", "127.0.0.1:7791")
    assert is_active()
    assert "127.0.0.1:7791" in machine.semcolor("worker", "status", "--system")
    line = machine.semcolor("worker", "invite", "anna", "--system")
    machine.semcolor("connect", line, home=CLIENT)
    assert is_served("/tmp/1.png")
    assert "seen 20" in machine.semcolor("worker", "clients", "--system")
    uid = machine.run("ps", "-o", "user=", "-p", main_pid())
    assert uid != "root"

    before = main_pid()
    machine.run("kill", "-9", before)
    wait_until(has_come_back, seconds=60)
    assert is_served("/tmp/2.png")

    folder = f"/run/systemd/system/{UNIT}.d"
    machine.run("mkdir", "-p", folder)
    machine.run("tee", f"{folder}/watchdog.conf", stdin=b"[Service]\nWatchdogSec=3\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    before = main_pid()
    machine.run("kill", "-STOP", before)
    wait_until(has_come_back, seconds=60)
    assert is_served("/tmp/3.png")

    exposure = machine.run("systemd-analyze", "security", UNIT, "--no-pager", check=False)
    assert float(re.search(r"exposure level for .*: ([\d.]+)", exposure)[1]) < 2.5

    machine.semcolor("worker", "uninstall-service", "--system")
    assert not is_active()
    assert not is_served("/tmp/4.png")
    assert "0 unit files" in machine.run("systemctl", "list-unit-files", UNIT, check=False)
    said = machine.semcolor("worker", "uninstall-service", "--system")
    assert said == "there was no such service"
    machine.semcolor("worker", "install-service", "--system", "--listen", "127.0.0.1:7791")
    assert is_served("/tmp/5.png")  # with the keys of before


@pytest.mark.parametrize("system", [False, True])
def test_systemd_finds_nothing_wrong_with_the_unit(system, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("this needs systemd: apt-get install systemd")
    file = tmp_path / UNIT
    file.write_text(service.unit(service.Serving("[::1]:7791", 9100, True), system))
    command = ["systemd-analyze", "--man=no", "--system" if system else "--user", "verify"]
    done = subprocess.run(
        [*command, file], capture_output=True, text=True, check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, [one for one in done.stderr.splitlines() if UNIT in one]) == (0, [])


def test_a_python_in_a_folder_of_any_name_is_quoted(monkeypatch):
    monkeypatch.setattr(service.sys, "executable", '/opt/my "50%" $tools/python')
    (line,) = (
        one
        for one in service.unit(service.Serving(), True).splitlines()
        if one.startswith("ExecStart")
    )
    assert line == r'ExecStart="/opt/my \"50%%\" $$tools/python" -m semcolor_worker'


def test_without_systemd_a_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SemcolorError, match="worker serve") as caught:
        service.install(service.Serving(), False)
    assert caught.value.code == Code.NO_SYSTEMD


def test_prometheus_reads_what_is_going_on(home, sample_gray):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(semcolor("worker", "serve", "--metrics", port))

    def figures():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        pairs = (line.split() for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    try:
        wait_until(lambda: local_worker.read_connection() is not None)
        own = local_worker.read_connection()
        stranger = Connection(own.address, own.server_key, KeyPair.generate())
        with pytest.raises(SemcolorError):
            ZmqWorkerClient(stranger, timeout=20).hello()
        with contextlib.closing(local_worker.running()) as client:
            session = Session(client, sample_gray)
            session.colorize(session.whole, 0, lambda *_: None)
            wait_until(lambda: figures()["semcolor_jobs_total"] > 0)
            now = figures()
        assert now["semcolor_planes_bytes"] == sample_gray.nbytes
        assert now["semcolor_refused_keys_total"] >= 1
        assert now["semcolor_resident_memory_bytes"] > 100e6
        assert now["semcolor_waited_seconds_total"] > 0
        assert now["semcolor_sessions"] == 1
        assert now["semcolor_jobs_waiting"] == now["semcolor_engine_restarts_total"] == 0
    finally:
        process.terminate()
        assert process.wait(20) == 0
