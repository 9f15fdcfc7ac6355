"""Workers that announce themselves in the local network, with real multicast on this machine."""

import socket

import pytest

from semcolor.cli import main as cli
from semcolor.client import discovery, local_worker, settings
from semcolor.client.discovery import Found
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.worker_client import ZmqWorkerClient


def has_multicast() -> bool:
    """Whether this machine hears what it tells everybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hearing:
        hearing.settimeout(2)
        hearing.bind(("", 0))
        try:
            group = socket.inet_aton("224.0.0.251") + socket.inet_aton("0.0.0.0")
            hearing.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            hearing.sendto(b"?", ("224.0.0.251", hearing.getsockname()[1]))
            return hearing.recv(1) == b"?"
        except OSError:
            return False


def test_a_worker_that_is_announced_is_found_until_it_ends() -> None:
    if not has_multicast():
        pytest.skip("this machine has no network with multicast")
    before = discovery.find(0.5)
    with discovery.announced("127.0.0.1:7793"):
        (found,) = set(discovery.find(2)) - set(before)
    assert found.address == "tcp://127.0.0.1:7793"
    assert found not in discovery.find(1)


def test_those_that_are_known_and_found_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = KeyPair.generate()
    box = Connection("tcp://gpu-box:7777", pair.public, pair)
    settings.remember_worker("k" * 40, box.to_dict())
    local_worker.set_remote(box)
    others = [Found("gpu-box", box.address), Found("other", "tcp://10.0.0.9:7777")]
    monkeypatch.setattr(discovery, "find", lambda _: others)
    assert cli.main(["workers"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "gpu-box:7777  in use",
        "10.0.0.9:7777  other, found in the network: ask for an invitation",
    ]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost:{port}"])
def test_a_worker_that_was_used_is_chosen_by_its_address(
    worker: ZmqWorkerClient, name: str
) -> None:
    own = worker.connection
    host, port = "localhost" if "localhost" in name else "127.0.0.1", own.address.rpartition(":")[2]
    known = Connection(f"tcp://{host}:{port}", own.server_key, own.client)
    settings.remember_worker("k" * 40, known.to_dict())
    try:
        assert local_worker.choose(name.format(port=port)).address == known.address
    finally:
        local_worker.set_remote(None)


def test_a_worker_that_cannot_be_announced_works_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_network() -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("zeroconf.Zeroconf", no_network)
    with discovery.announced("127.0.0.1:7793"):
        assert "can't be announced: Network is unreachable" in caplog.text
    assert discovery.find(0.1) == []
