"""Choosing another worker that can't be reached: the choice stays as it was."""

import pytest

from semcolor.cli import main as cli
from semcolor.client import keys, local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.shared.errors import Code, SemcolorError


def invitation(address, server_key=None, client=None):
    server_key = server_key or KeyPair.generate().public
    return keys.encode_invitation(Connection(address, server_key, client or KeyPair.generate()))


NOBODY = "tcp://127.0.0.1:9"  # the port “discard”: refused at once


@pytest.fixture
def chosen():
    """Another worker that was chosen before."""
    connection = Connection("tcp://gpu-box:7777", KeyPair.generate().public, KeyPair.generate())
    local_worker.set_remote(connection)
    return connection


def test_a_worker_that_does_not_answer_is_not_chosen(home, capsys):
    assert cli.main(["connect", invitation(NOBODY)]) == 7
    assert "does not answer" in capsys.readouterr().err
    assert local_worker.remote_connection() is None


def test_the_worker_chosen_before_stays_chosen(chosen):
    with pytest.raises(SemcolorError) as caught:
        local_worker.choose(invitation(NOBODY))
    assert caught.value.code == Code.UNREACHABLE
    assert local_worker.remote_connection() == chosen


def test_a_worker_that_refuses_is_not_chosen(worker):
    own = worker.connection
    with pytest.raises(SemcolorError) as caught:
        local_worker.choose(invitation(own.address, own.server_key))
    assert caught.value.code == Code.KEY_REFUSED
    assert local_worker.remote_connection() is None
    assert local_worker.connect().connection == own  # what is asked next goes to the old one


def test_what_is_no_invitation_changes_nothing(chosen):
    with pytest.raises(SemcolorError) as caught:
        local_worker.choose("nonsense")
    assert caught.value.code == Code.INVITATION
    assert local_worker.remote_connection() == chosen
