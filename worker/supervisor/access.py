"""Who may talk to this worker: CURVE keys, checked by ZAP."""

import logging

import zmq
import zmq.auth.thread

from semcolor.client import keys
from semcolor.client.keys import Connection, KeyPair

log = logging.getLogger("semcolor.worker")

_DOMAIN = "semcolor"  # of ZAP


class Access:
    """This machine's own user, by a key of this run, and the invited clients; nobody else."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._server = keys.server_keys()
        self._local = KeyPair.generate()
        self._authenticator = zmq.auth.thread.ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_DOMAIN, credentials_provider=self)

    def guard(self, socket: "zmq.Socket[bytes]") -> None:
        """Let a socket, before it is bound, take authenticated clients only."""
        socket.curve_server = True
        socket.curve_secretkey = self._server.secret.encode()
        socket.zap_domain = _DOMAIN.encode()
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # no authenticator: nobody gets in

    def local_connection(self, address: str) -> Connection:
        """What this machine's own user needs to come in."""
        return Connection(address, self._server.public, self._local)

    def is_own(self, user: str) -> bool:
        """Whether a client, by its User-Id, is this machine's own user."""
        return user == self._local.public

    def stop(self) -> None:
        """Let nobody in any more."""
        self._authenticator.stop()

    def callback(self, domain: str, key: bytes) -> bool:
        """Pyzmq asks: may this client in?

        The folder is read at each handshake, so an invitation counts at once and so does its end.
        """
        public = key.decode()
        allowed = self.is_own(public) or public in keys.authorized()
        if not allowed:
            log.warning("refused a client with an unknown key")
        return allowed
