"""How many sessions a client has, how fast it may ask, and when it is gone."""

from collections.abc import Callable

import pytest

from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.supervisor import sessions
from semcolor_worker.supervisor.sessions import Sessions

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Lets so many seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(sessions.time, "monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def names(count: int) -> list[bytes]:
    return [bytes([number]) for number in range(count)]


def test_a_client_is_gone_with_its_last_session(later: Later) -> None:
    here = Sessions()
    for identity in names(2):
        here.heard(identity, "anna", True)
    here.heard(b"b", "bert", True)
    assert len(here) == 3
    assert here.left(b"\0") is None
    assert here.left(b"\1") == "anna"
    assert here.left(b"\1") is None
    assert len(here) == 1


def test_a_client_that_rests_for_long_is_gone(later: Later) -> None:
    here = Sessions()
    here.heard(b"a", "anna", True)
    later(400)
    assert len(here) == 0  # it is not open any more
    assert here.gone() == []
    here.heard(b"b", "anna", True)
    later(1500)
    assert here.gone() == []  # its other session is younger
    later(400)
    assert here.gone() == ["anna"]
    assert here.gone() == []


def test_the_workers_own_user_may_come_back_within_a_minute(later: Later) -> None:
    """As from one command to the next; all that it has put here is still warm then."""
    here = Sessions()
    here.heard(b"a", "own", False)
    assert here.left(b"a") is None
    later(50)
    assert here.gone() == []
    here.heard(b"b", "own", False)
    later(50)
    assert here.gone() == []
    here.left(b"b")
    later(61)
    assert here.gone() == ["own"]
    assert here.gone() == []


def test_a_guest_has_so_many_sessions_and_others_theirs(later: Later) -> None:
    here = Sessions()
    for identity in names(64):
        here.heard(identity, "anna", True)
    with pytest.raises(SemcolorError) as caught:
        here.heard(b"one more", "anna", True)
    assert caught.value.code == Code.TOO_MANY_SESSIONS
    here.heard(b"\0", "anna", True)  # those that are here go on
    here.heard(b"b", "bert", True)
    for identity in names(200):
        here.heard(b"own" + identity, "own", False)
    here.left(b"\0")
    here.heard(b"one more", "anna", True)


def test_a_guest_may_ask_so_fast_and_others_as_fast(later: Later) -> None:
    here = Sessions()
    for _ in range(5000):
        here.heard(b"a", "anna", True)
    for _ in range(3):
        with pytest.raises(SemcolorError) as caught:
            here.heard(b"a", "anna", True)
        assert caught.value.code == Code.TOO_MANY_REQUESTS
    here.heard(b"b", "bert", True)
    for _ in range(6000):
        here.heard(b"o", "own", False)
    later(1)
    for _ in range(900):
        here.heard(b"a", "anna", True)
