"""Who is here: the connections of each client, how many it may have, and how fast it may ask."""

import time
from collections import Counter
from dataclasses import dataclass

from semcolor.shared.errors import Code, SemcolorError

_OPEN_SECONDS = 300.0  # a session without requests no longer counts as open
_IDLE_SECONDS = 1800.0  # and is gone
_SESSIONS = 64  # of one guest
_REQUESTS = 1000.0  # a second of one guest, in the long run
_BURST = 5.0  # seconds' worth of them at once


@dataclass
class _Session:
    """``seen``: monotonic seconds."""

    user: str
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
            known = self._sessions[identity] = _Session(user, now)
        known.seen = now
        if is_guest:
            self._spend(user, now)

    def left(self, identity: bytes) -> str | None:
        """A session has ended; the client, if that was its last one."""
        session = self._sessions.pop(identity, None)
        if session is None or any(one.user == session.user for one in self._sessions.values()):
            return None
        return session.user

    def idled_out(self) -> list[str]:
        """Clients of whom nothing was heard for long; they are here no more."""
        old = time.monotonic() - _IDLE_SECONDS
        gone = [identity for identity, one in self._sessions.items() if one.seen < old]
        return [user for identity in gone if (user := self.left(identity))]

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
