"""The plug-in without the worker, or with another one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair, encode_invitation

from .harness import Gimp


def test_worker_that_is_not_there_is_named_in_a_sentence(
    gimp: Gimp, photo_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, gimp.environment[name])
    keys = KeyPair.generate()
    # Nobody listens at this port, which is reserved for a protocol that throws all away.
    local_worker.set_remote(Connection("tcp://127.0.0.1:9", keys.public, KeyPair.generate()))
    try:
        result = gimp.run(f"""
            image = load_gray({gimp.path(photo_file)!r}, 8)
            result["before"] = structure(image)
            result["labels"] = failure(add_labels, image)
            result["colors"] = failure(colorize, image)
            result["after"] = structure(image)
        """)
    finally:
        local_worker.set_remote(None)
    assert "The worker on 127.0.0.1 does not answer" in result["labels"]
    assert "Traceback" not in result["labels"]
    assert result["colors"] == result["labels"]
    assert result["after"] == result["before"]


def test_connect_takes_an_invitation(
    gimp: Gimp, monkeypatch: pytest.MonkeyPatch, invite: Callable[..., Connection]
) -> None:
    """A wrong line, a stranger's line, and the line of the worker that runs."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, gimp.environment[name])
    local_worker.start().close()
    own = local_worker.read_connection()
    invited = invite(own)
    stranger = Connection(own.address, own.server_key, KeyPair.generate())
    try:
        result = gimp.run(f"""
            def connect(line):
                mode = Gimp.RunMode.NONINTERACTIVE
                return call("plug-in-semcolor-connect", run_mode=mode, invitation=line)

            result["wrong"] = failure(connect, "nonsense")
            result["stranger"] = failure(connect, {encode_invitation(stranger)!r})
            result["right"] = failure(connect, {encode_invitation(invited)!r})
        """)
        assert "whole invitation" in result["wrong"]
        assert "does not let this GIMP in" in result["stranger"]
        assert "tcp://" not in result["stranger"]
        assert result["right"] is None
        chosen = local_worker.remote_connection()
        assert chosen
        assert chosen.address == own.address
        assert chosen.client != invited.client  # a key of its own, made here
        files = [path for path in gimp.profile.rglob("*") if path.is_file()]
        secrets = chosen.client.secret.encode(), encode_invitation(invited).encode()
        contents = [path.read_bytes() for path in files]
        assert not [one for one in contents if any(secret in one for secret in secrets)]
    finally:
        local_worker.set_remote(None)


def test_set_up_that_is_gone_is_named_in_a_sentence(gimp: Gimp, photo_file: Path) -> None:
    install = gimp.profile / "plug-ins/semcolor/install.json"
    hidden = install.rename(install.with_suffix(".hidden"))
    try:
        result = gimp.run(f"""
            image = load_gray({gimp.path(photo_file)!r}, 8)
            result["message"] = failure(colorize, image)
        """)
    finally:
        hidden.rename(install)
    assert "not set up" in result["message"]


def test_bridge_that_hangs_does_not_keep_the_plug_in(gimp: Gimp) -> None:
    result = gimp.run("""
        import signal
        from bridge.process import BridgeProcess
        with BridgeProcess(print) as bridge:
            os.kill(bridge.pid, signal.SIGSTOP)
        result["ended"] = ended(bridge.pid)
    """)
    assert result["ended"]
