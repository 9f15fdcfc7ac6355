"""Who is here: the connections of each client, how many it may have, and how fast it may ask."""

import time
from collections import Counter
from dataclasses import dataclass

from semcolor.shared.errors import Code, SemcolorError

_OPEN_SECONDS = 300.0  # a session without requests no longer counts as open
_IDLE_SECONDS = 1800.0  # and is gone
_BACK_SECONDS = 60.0  # this machine's own user, of whom commands come and go, may come back
_SESSIONS = 64  # of one guest
_REQUESTS = 1000.0  # a second of one guest, in the long run
_BURST = 5.0  # seconds' worth of them at once


@dataclass
class _Session:
    """``seen``: monotonic seconds."""

    user: str
    is_guest: bool
    seen: float


@dataclass
class _Allowance:
    """How many requests a client may send at once; ``at``: monotonic seconds."""

    left: float
    at: float


class Sessions:
    """Sessions by their identity on the socket; a client is a public key."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, _Session] = {}
        self._allowances: dict[str, _Allowance] = {}
        self._gone_at: dict[str, float] = {}  # those who may come back, monotonic seconds

    def __len__(self) -> int:
        """Those that are open."""
        return self._open().total()

    def heard(self, identity: bytes, user: str, is_guest: bool) -> None:
        """A request has come; a guest, not this machine's own user, has limits.

        Raises SemcolorError (TOO_MANY_SESSIONS, TOO_MANY_REQUESTS).
        """
        now = time.monotonic()
        known = self._sessions.get(identity)
        if known is None:
            if is_guest and self._open()[user] >= _SESSIONS:
                raise SemcolorError(Code.TOO_MANY_SESSIONS, limit=_SESSIONS)
            known = self._sessions[identity] = _Session(user, is_guest, now)
        known.seen = now
        self._gone_at.pop(user, None)
        if is_guest:
            self._spend(user, now)

    def left(self, identity: bytes) -> str | None:
        """A session has ended; the client, if that was a guest's last one."""
        session = self._sessions.pop(identity, None)
        if session is None or any(one.user == session.user for one in self._sessions.values()):
            return None
        if session.is_guest:
            return session.user
        self._gone_at[session.user] = time.monotonic()
        return None

    def gone(self) -> list[str]:
        """Clients of whom nothing was heard for long, or who have not come back."""
        now = time.monotonic()
        idle = [name for name, one in self._sessions.items() if one.seen < now - _IDLE_SECONDS]
        users = [user for identity in idle if (user := self.left(identity))]
        late = [user for user, since in self._gone_at.items() if since < now - _BACK_SECONDS]
        for user in late:
            del self._gone_at[user]
        return users + late

    def _open(self) -> "Counter[str]":
        """How many, by client."""
        fresh = time.monotonic() - _OPEN_SECONDS
        return Counter(one.user for one in self._sessions.values() if one.seen > fresh)

    def _spend(self, user: str, now: float) -> None:
        most = _REQUESTS * _BURST
        allowed = self._allowances.setdefault(user, _Allowance(most, now))
        allowed.left = min(most, allowed.left + _REQUESTS * (now - allowed.at)) - 1
        allowed.at = now
        if allowed.left < 0:
            raise SemcolorError(Code.TOO_MANY_REQUESTS, limit=int(_REQUESTS))
