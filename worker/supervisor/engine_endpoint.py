"""Where a supervisor and its engine meet: a private Unix socket, or TCP where there is none.

Over TCP on the loopback interface anybody on this machine could come, so there it is CURVE with a
server key of its own, which nobody but the engine is told: without it no handshake succeeds.
"""

import os
import shutil
import tempfile
from pathlib import Path

import zmq

from semcolor.client.keys import KeyPair

_LONGEST_FOLDER = 64  # bytes; a socket may have 107, of which its own name takes up to 40
_FOLDER = "semcolor-engine-"  # and the supervisor's process


class EngineEndpoint:
    """The supervisor's end. ``key``: of the CURVE server, secret; empty where none is needed.

    Raises OSError, ZMQError.
    """

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.key = ""
        self._folder = ""
        try:
            if zmq.has("ipc"):
                self._bind_privately(socket)
            else:
                self._bind_to_loopback(socket)
        except BaseException:
            self.remove()
            raise
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def remove(self) -> None:
        """The engine has come, or is not coming; so a supervisor that is killed leaves nothing."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def _bind_privately(self, socket: "zmq.Socket[bytes]") -> None:
        os.makedirs(_folder_for_sockets(), exist_ok=True)  # others tidy up there
        prefix = f"{_FOLDER}{os.getpid()}-"
        self._folder = tempfile.mkdtemp(prefix=prefix, dir=_folder_for_sockets())
        socket.bind(f"ipc://{Path(self._folder, 'engine')}")

    def _bind_to_loopback(self, socket: "zmq.Socket[bytes]") -> None:
        pair = KeyPair.generate()
        self.key = pair.public
        socket.curve_server = True
        socket.curve_secretkey = pair.secret.encode()
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # it has none, and is not for known clients
        socket.bind("tcp://127.0.0.1:*")


def remove_leftovers() -> None:
    """Of supervisors that were killed just while an engine started."""
    if not zmq.has("ipc"):
        return
    for folder in Path(_folder_for_sockets()).glob(f"{_FOLDER}*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdecimal() and not _lives(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _folder_for_sockets() -> str:
    """Where temporary files are, unless a socket's name there would be too long."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(os.fsencode(usual)) > _LONGEST_FOLDER and os.path.isdir("/tmp") else usual
