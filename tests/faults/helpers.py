"""What these tests have in common: waiting, processes, and a client that says what it likes."""

import subprocess
import sys
import time

import zmq

from semcolor.protocol import codec


def semcolor(*arguments):
    """The command line, to run or start."""
    return [sys.executable, "-m", "semcolor.cli", *map(str, arguments)]


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def children(pid):
    """Process ids of the direct children."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(child) for child in listed.stdout.split()]


def raw_socket(connection):
    """A socket that a worker lets in, for messages that no client of ours would send."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_serverkey = connection.server_key.encode()
    dealer.curve_publickey = connection.client.public.encode()
    dealer.curve_secretkey = connection.client.secret.encode()
    dealer.connect(connection.address)
    return dealer


def next_reply(dealer, seconds=10):
    """The header of the next reply."""
    assert dealer.poll(1000 * seconds), "no answer"
    return codec.unpack(dealer.recv_multipart()[0])
