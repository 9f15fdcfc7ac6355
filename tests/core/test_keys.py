import json
import stat

import pytest

from semcolor.client import keys, local_worker, settings
from semcolor.shared.errors import Code, SemcolorError


def test_invitation_is_one_safe_line_and_comes_back():
    pair = keys.KeyPair.generate()
    connection = keys.Connection("tcp://gpu-box:7777", keys.KeyPair.generate().public, pair)
    line = keys.encode_invitation(connection)
    assert line.replace("-", "").replace("_", "").isalnum()
    assert keys.decode_invitation(f"  {line}\n") == connection


@pytest.mark.parametrize("damage", [lambda s: s[:-9], lambda s: s[9:], lambda s: "", lambda s: "x"])
def test_damaged_invitation_is_refused(damage):
    pair = keys.KeyPair.generate()
    line = keys.encode_invitation(keys.Connection("tcp://h:1", pair.public, pair))
    with pytest.raises(SemcolorError, match="whole invitation"):
        keys.decode_invitation(damage(line))


@pytest.mark.posix
def test_secrets_are_private_files():
    keys.server_keys()
    pair = keys.KeyPair.generate()
    local_worker.set_remote(keys.Connection("tcp://h:1", pair.public, pair))
    files = [path for path in settings.config_folder().rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_worker_key_stays_the_same():
    assert keys.server_keys() == keys.server_keys()


def test_unreadable_settings_are_set_aside_not_lost(tmp_path):
    settings.set_devices(["cpu"])
    path = settings.config_folder() / "settings.json"
    path.write_text("{broken")
    assert settings.devices() == []
    assert path.with_name("settings.json.unreadable").read_text() == "{broken"
    settings.set_weights_folder(tmp_path)
    assert json.loads(path.read_text()) == {"version": 1, "weights": str(tmp_path)}


def test_a_choice_of_a_worker_that_cannot_be_reached_changes_nothing():
    """...not for a moment either: others may look while it is tried."""
    pair = keys.KeyPair.generate()
    before = keys.Connection("tcp://gpu-box:7777", pair.public, pair)
    local_worker.set_remote(before)
    stored = (settings.config_folder() / "settings.json").stat()
    away = keys.Connection("tcp://127.0.0.1:9", pair.public, pair)
    with pytest.raises(SemcolorError) as caught:
        local_worker.choose(keys.encode_invitation(away))
    assert caught.value.code == Code.UNREACHABLE
    assert local_worker.remote_connection() == before
    after = (settings.config_folder() / "settings.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (stored.st_ino, stored.st_mtime_ns)


def test_a_choice_of_this_machines_worker_takes_the_other_back():
    pair = keys.KeyPair.generate()
    local_worker.set_remote(keys.Connection("tcp://gpu-box:7777", pair.public, pair))
    assert local_worker.choose(" local\n") == local_worker.Choice()
    assert local_worker.remote_connection() is None


def test_what_cannot_be_stored_is_a_sentence():
    settings.config_folder().parent.mkdir(parents=True)
    settings.config_folder().touch()  # a file where a folder must be
    with pytest.raises(SemcolorError) as caught:
        settings.set_devices(["cpu"])
    assert caught.value.code == Code.CANNOT_WRITE


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"public": "x"}', '{"a": 1}', "other"])
def test_a_damaged_worker_key_is_told_and_left(content):
    keys.server_keys()
    path = settings.config_folder() / "worker_key.json"
    if content == "other":  # of another pair
        content = json.dumps({**json.loads(path.read_text()), "public": "x" * 40})
    path.write_text(content)
    with pytest.raises(SemcolorError, match="invite everybody again") as caught:
        keys.server_keys()
    assert caught.value.code == Code.WORKER_KEY
    assert path.read_text() == content


@pytest.mark.parametrize("spoilt", [7, [], "x", {}, {"address": 1}, {"address": "a", "client": 3}])
def test_spoilt_settings_are_no_settings(spoilt):
    settings.set_connection(spoilt)
    settings.remember_worker("k", spoilt)
    assert local_worker.remote_connection() is None
    assert local_worker.known_addresses() == []
    with pytest.raises(SemcolorError, match="whole invitation"):
        local_worker.choose("gpu-box")


@pytest.mark.parametrize("ask", [local_worker.remote_connection, settings.devices])
def test_settings_that_must_not_be_read_are_told(ask):
    (settings.config_folder() / "settings.json").mkdir(parents=True)
    with pytest.raises(SemcolorError, match=r"settings\.json cannot be read") as caught:
        ask()
    assert caught.value.code == Code.CANNOT_READ


def test_a_connection_file_that_must_not_be_read_is_told():
    local_worker.connection_file().mkdir(parents=True)
    with pytest.raises(SemcolorError, match=r"worker\.json cannot be read"):
        local_worker.running()
