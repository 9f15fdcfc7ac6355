import json
import stat

import pytest

from semcolor.client import keys, local_worker, settings
from semcolor.shared.errors import SemcolorError


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


def test_secrets_are_private_files():
    keys.server_keys()
    pair = keys.KeyPair.generate()
    local_worker.set_remote(keys.Connection("tcp://h:1", pair.public, pair))
    files = [path for path in settings.config_folder().rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_worker_key_stays_the_same():
    assert keys.server_keys() == keys.server_keys()


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_client_names_cannot_leave_the_folder(name):
    with pytest.raises(SemcolorError, match="not a name"):
        keys.authorize(name, "k" * 40)


def test_unreadable_settings_are_set_aside_not_lost():
    settings.save({"version": settings.VERSION, "connection": None})
    path = settings.config_folder() / "settings.json"
    path.write_text("{broken")
    assert settings.load() == {"version": settings.VERSION}
    assert path.with_name("settings.json.unreadable").read_text() == "{broken"
    settings.save(settings.load())
    assert json.loads(path.read_text())["version"] == settings.VERSION
