"""Who may talk to this worker: CURVE keys, checked by ZAP (ZeroMQ RFC 27).

ZeroMQ asks at each handshake, by a message to a socket of the supervisor's loop. There is no thread
that could end alone; while nobody answers, nobody gets in.
"""

import logging

import zmq
import zmq.utils.z85

from semcolor.client import keys
from semcolor.client.keys import Connection, KeyPair
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import clients
from semcolor_worker.clients import Client

log = logging.getLogger("semcolor.worker")

_ENDPOINT = "inproc://zeromq.zap.01"
_DOMAIN = b"semcolor"
_FIELDS = 7  # version, request, domain, address, identity, mechanism, key
_LET_IN, _REFUSED = (b"200", b"OK"), (b"400", b"unknown key")


class Access:
    """This machine's own user, by a key of this run, and the invited clients; nobody else.

    ``socket``: when it can be read, :meth:`answer` is to be called. ``refused``: how many were.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._server = keys.server_keys()
        self._local = KeyPair.generate()
        self._clients: dict[str, Client] = {}
        self.refused = 0
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def guard(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket, before it is bound, take authenticated clients only."""
        socket.curve_server = True
        socket.curve_secretkey = self._server.secret.encode()
        socket.zap_domain = _DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody who answers: nobody gets in

    def local_connection(self, address: str) -> Connection:
        """What this machine's own user needs to come in."""
        return Connection(address, self._server.public, self._local)

    def is_own(self, user: str) -> bool:
        """Whether a client, by its User-Id, is this machine's own user."""
        return user == self._local.public

    def answer(self) -> None:
        """Let one client in, or not."""
        frames = self.socket.recv_multipart()
        user = b""
        if len(frames) == _FIELDS and frames[2] == _DOMAIN and frames[5] == b"CURVE":
            public = zmq.utils.z85.encode(frames[6])
            user = public if self._may_enter(public.decode()) else b""
        version, request = (*frames, b"", b"")[:2]
        status = _LET_IN if user else _REFUSED
        self.socket.send_multipart([version, request, *status, user, b""])

    def may_stay(self, user: str) -> bool:
        """Whether a client that came in may still be here; as of the last :meth:`refresh`."""
        return self.is_own(user) or user in self._clients

    def is_invited_only(self, user: str) -> bool:
        """Whether a client has come by an invitation, and has not left a key of its own yet."""
        return user in self._clients and self._clients[user].until is not None

    def pair(self, user: str, public: str) -> None:
        """Who came by an invitation leaves a key. Raises SemcolorError (INVITATION_USED)."""
        self.refresh()  # two may come by one
        if not self.is_invited_only(user):
            raise SemcolorError(Code.INVITATION_USED)
        client = self._clients[user]
        clients.pair(client, public)
        self.refresh()
        log.info("%s has used the invitation", client.name)

    @property
    def known(self) -> set[str]:
        """The keys of all clients."""
        return set(self._clients)

    def refresh(self) -> None:
        """Read anew who has a key."""
        try:
            there = clients.authorized()
        except OSError as error:  # too many files are open, for instance
            log.warning("the keys of clients can't be read now: %s", error)
            return
        self._clients = {client.public: client for client in there if not client.has_expired}

    def stop(self) -> None:
        """Let nobody in any more."""
        self.socket.close()

    def _may_enter(self, public: str) -> bool:
        """An invitation counts at once, and so does its end."""
        if not self.is_own(public):
            self.refresh()
        allowed = self.may_stay(public)
        if not allowed:
            self.refused += 1
            log.warning("refused a client with an unknown key")
        return allowed
