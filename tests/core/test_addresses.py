"""HOST:PORT, as people write it."""

import socket

import pytest

from semcolor.client.addresses import Address, is_known, parse, to_listen_on
from semcolor.shared.errors import Code, SemcolorError


@pytest.mark.parametrize(
    ("text", "host", "port", "endpoint"),
    [
        ("0.0.0.0:7777", "0.0.0.0", 7777, "tcp://0.0.0.0:7777"),
        ("*:1", "*", 1, "tcp://*:1"),
        ("box.lan:65535", "box.lan", 65535, "tcp://box.lan:65535"),
        ("[fd00::7]:7777", "fd00::7", 7777, "tcp://[fd00::7]:7777"),
        ("[::]:7777", "::", 7777, "tcp://[::]:7777"),
    ],
)
def test_addresses(text, host, port, endpoint):
    assert parse(text) == Address(host, port)
    assert parse(text).endpoint == endpoint


@pytest.mark.parametrize("text", ["box", "fd00::7", "[fd00::7]"])
def test_a_port_may_be_left_out_where_there_is_a_default(text):
    assert parse(text, 7777) == Address(text.strip("[]"), 7777)
    assert parse("box:1", 7777) == Address("box", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":7777",
        "box",
        "box:",
        "box:0",
        "box:65536",
        "box:80000",
        "box:-1",
        "box:٣",
        "a:b:7",
        "fd00::7",
    ],
)
def test_what_is_none_is_refused(text):
    """Ports over 65535 would wrap around."""
    with pytest.raises(SemcolorError) as caught:
        to_listen_on(text)
    assert caught.value.code == Code.LISTEN_ADDRESS


def resolver(monkeypatch, **names):
    def look_up(name, *_, **__):
        if name not in names:
            raise socket.gaierror(-2, "Name or service not known")
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in host], 1, 6, "", (host, 0)) for host in names[name]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_name_that_only_this_machine_has_is_refused(monkeypatch):
    resolver(
        monkeypatch, debian=["127.0.1.1"], box=["fd00::7", "192.168.1.5"], localhost=["127.0.0.1"]
    )
    assert to_listen_on("box:7777") == Address("192.168.1.5", 7777)
    assert to_listen_on("localhost:7777") == Address("127.0.0.1", 7777)
    with pytest.raises(SemcolorError, match=r"127\.0\.1\.1"):
        to_listen_on("debian:7777")
    with pytest.raises(SemcolorError) as caught:
        to_listen_on("nowhere:7777")
    assert caught.value.code == Code.LISTEN_HOST


def test_which_machines_are_known(monkeypatch):
    resolver(monkeypatch, box=["192.168.1.5"])
    assert is_known("tcp://box:7777")
    assert is_known("tcp://10.0.0.1:7777")
    assert is_known("tcp://[fd00::7]:7777")
    assert not is_known("tcp://nowhere:7777")
