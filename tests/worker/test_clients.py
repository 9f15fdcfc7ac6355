"""Clients from elsewhere: invitations that end, keys, files that nobody should trust."""

import stat
from datetime import timedelta

import pytest

from semcolor.client import keys, settings
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import clients
from semcolor_worker.clients import Usage

KEY, OTHER = "k" * 40, "o" * 40
WEEK = timedelta(days=7)


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_names_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(SemcolorError, match="not a name"):
        clients.invite(name, KEY, WEEK)


def test_an_invitation_becomes_a_client() -> None:
    clients.invite("anna", KEY, WEEK)
    (invited,) = clients.authorized()
    assert (invited.name, invited.public, invited.has_expired) == ("anna", KEY, False)
    clients.pair(invited, OTHER)
    assert clients.authorized() == [clients.Client("anna", OTHER)]
    clients.revoke("anna")
    assert clients.authorized() == []
    with pytest.raises(SemcolorError) as caught:
        clients.revoke("anna")
    assert caught.value.code == Code.NO_CLIENT


def test_an_invitation_ends_by_itself_and_makes_room_for_another() -> None:
    clients.invite("anna", KEY, timedelta(seconds=-2))
    (invited,) = clients.authorized()
    assert invited.has_expired
    clients.invite("anna", OTHER, WEEK)
    with pytest.raises(SemcolorError, match="--replace"):
        clients.invite("anna", KEY, WEEK)


@pytest.mark.parametrize("until", ["", "soon", "9999999-01-01", "2020-01-01T00:00:00"])
def test_an_end_that_nobody_can_read_has_come(until: str) -> None:
    clients.invite("anna", KEY, WEEK)
    path = settings.config_folder() / "authorized/anna.key"
    path.write_text(f"{KEY}\ninvited until {until}\n")
    (invited,) = clients.authorized()
    assert invited.has_expired


@pytest.mark.posix
def test_what_others_could_do_with_keys_they_can_no_longer() -> None:
    keys.server_keys()
    clients.invite("anna", KEY, WEEK)
    folder = settings.config_folder()
    key, authorized = folder / "worker_key.json", folder / "authorized"
    assert clients.close_to_others() == []
    folder.chmod(0o755)  # as some systems make folders
    key.chmod(0o644)
    authorized.chmod(0o777)
    assert set(clients.close_to_others()) == {key, authorized}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, key, authorized)}
    assert set(modes.values()) == {0o700, 0o600}
    assert clients.close_to_others() == []


def test_usage_comes_back_and_damage_is_no_usage() -> None:
    assert clients.usage() == {}
    clients.save_usage({KEY: Usage(5.0, 2, 100)})
    assert clients.usage() == {KEY: Usage(5.0, 2, 100)}
    file = settings.state_folder() / "clients.json"
    for damage in ("", "{", "[]", "7", '{"a": 7}'):
        file.write_text(damage)
        assert clients.usage() == {}
