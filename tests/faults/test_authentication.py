"""Who gets in when nothing asks who somebody is: nobody. On real sockets."""

import subprocess
import sys

import pytest
import zmq

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.protocol import codec, schema

from .helpers import raw_socket, wait_until

# A worker whose authenticator ends at the first line on stdin, and says so.
WORKER = """
import sys, threading
import zmq.auth.thread

class Mortal(zmq.auth.thread.ThreadAuthenticator):
    def start(self):
        super().start()
        threading.Thread(target=self.end, daemon=True).start()

    def end(self):
        sys.stdin.readline()
        self.stop()
        print("ended", flush=True)

zmq.auth.thread.ThreadAuthenticator = Mortal
from semcolor_worker.__main__ import serve
serve(None)
"""


def is_let_in(connection, seconds=2.0):
    """Whether the worker answers a client who knows its address and public key."""
    dealer = raw_socket(connection)
    dealer.send(codec.encode_request("1", schema.Hello()))
    answered = bool(dealer.poll(1000 * seconds))
    dealer.close()
    return answered


@pytest.fixture
def mortal(home):
    """The process of a worker whose authenticator can be ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: local_worker.read_connection() is not None)
    yield process
    process.terminate()
    try:
        process.wait(20)
    finally:
        process.kill()


def end_authenticator(process):
    process.stdin.write("end\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ended\n"


def test_without_its_authenticator_a_worker_lets_nobody_in(mortal):
    own = local_worker.read_connection()
    stranger = Connection(own.address, own.server_key, KeyPair.generate())
    assert is_let_in(own, seconds=20)
    assert not is_let_in(stranger)
    end_authenticator(mortal)
    assert not is_let_in(stranger)
    assert not is_let_in(own)
    assert mortal.poll() is None  # it heard nothing from them, and lives


def test_the_server_key_alone_opens_no_door(worker):
    """Neither does the worker's own public key, nor no key at all."""
    own = worker.connection
    public = KeyPair.generate()
    assert not is_let_in(Connection(own.address, own.server_key, public))
    plain = zmq.Context.instance().socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(own.address)
    plain.send(codec.encode_request("1", schema.Hello()))
    assert not plain.poll(1000)
    plain.close()
    assert is_let_in(own, seconds=20)
