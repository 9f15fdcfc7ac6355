"""Client and worker on two hosts, with IPv6 only between them: two network namespaces."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.shared.errors import Code, SemcolorError

from .helpers import semcolor, wait_until

FAR = "fd00:5e:c0::2"
NEAR, MOVED = "fd00:5e:c0::1/64", "fd00:5e:c0::9/64"
PORT = 7797


class Hosts:
    """This host, and one at the other end of a wire."""

    def __init__(self):
        self.far = f"semcolor-{os.getpid()}"
        self.near = f"sc{os.getpid()}"

    def ip(self, *words, far=False):
        where = ["ip", "netns", "exec", self.far] if far else []
        done = subprocess.run([*where, "ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(done.stderr)

    def build(self):
        self.ip("netns", "add", self.far)
        self.ip("link", "add", self.near, "type", "veth", "peer", "name", "wire", "netns", self.far)
        self.ip("-6", "addr", "add", NEAR, "dev", self.near, "nodad")
        self.ip("-6", "addr", "add", f"{FAR}/64", "dev", "wire", "nodad", far=True)
        for name in ("lo", "wire"):
            self.ip("link", "set", name, "up", far=True)
        self.ip("link", "set", self.near, "up")

    def cut(self, seconds):
        """The wire is pulled out, and put back later."""
        self.ip("link", "set", self.near, "down")
        time.sleep(seconds)
        self.ip("link", "set", self.near, "up")
        self.ip("-6", "addr", "replace", NEAR, "dev", self.near, "nodad")  # which that took away

    def move(self):
        """This host gets another address."""
        self.ip("-6", "addr", "add", MOVED, "dev", self.near, "nodad")
        self.ip("-6", "addr", "del", NEAR, "dev", self.near)

    def remove(self):
        with contextlib.suppress(OSError):
            self.ip("link", "del", self.near)
        with contextlib.suppress(OSError):
            self.ip("netns", "del", self.far)


@pytest.fixture
def hosts():
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("this needs root and iproute2: apt-get install iproute2")
    hosts = Hosts()
    try:
        hosts.build()
    except OSError as error:
        hosts.remove()
        pytest.skip(f"network namespaces cannot be had here: {error}")
    yield hosts
    hosts.remove()


@pytest.fixture
def far_client(hosts, home, move_to):
    """A client of a worker on the other host, come in by an invitation."""
    in_far = ["ip", "netns", "exec", hosts.far]
    serve = [*in_far, *semcolor("worker", "serve", "--listen", f"[{FAR}]:{PORT}")]
    process = subprocess.Popen(serve)
    try:
        wait_until(lambda: local_worker.read_connection() is not None)
        invite = [*in_far, *semcolor("worker", "invite", "anna")]
        line = subprocess.run(invite, check=True, capture_output=True, text=True).stdout
        move_to(home / "near")
        assert local_worker.choose(line).address == f"tcp://[{FAR}]:{PORT}"
        with contextlib.closing(local_worker.connect()) as client:
            wait_until(lambda: client.status().state == "ready", seconds=60)
            yield client
    finally:
        process.terminate()
        assert process.wait(30) == 0


def colorized(client: ZmqWorkerClient, gray):
    session = Session(client, gray)
    return session.colorize(session.whole, 0, lambda *_: None).rgb


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_cuts_and_another_address_cost_only_time(far_client, hosts, sample_gray):
    right = colorized(far_client, sample_gray)

    cut = threading.Thread(target=hosts.cut, args=(6,))
    cut.start()
    assert (colorized(far_client, sample_gray) == right).all()  # repeated, once it is back
    cut.join()

    cut = threading.Thread(target=hosts.cut, args=(30,))
    cut.start()
    time.sleep(1)
    begin = time.monotonic()
    with pytest.raises(SemcolorError) as caught:
        colorized(far_client, sample_gray)
    assert caught.value.code == Code.UNREACHABLE
    assert time.monotonic() - begin < 25
    cut.join()
    assert (colorized(far_client, sample_gray) == right).all()

    hosts.move()
    assert (colorized(far_client, sample_gray) == right).all()
