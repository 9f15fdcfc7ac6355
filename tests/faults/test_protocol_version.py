"""Client and worker of different versions, on real sockets: each refuses the other by a code."""

import contextlib
import dataclasses
import threading

import pytest
import zmq

from semcolor.client import local_worker
from semcolor.client.keys import Connection, KeyPair
from semcolor.protocol import codec, schema
from semcolor.shared.errors import Code, SemcolorError

from .helpers import next_reply, raw_socket

LATER = schema.PROTOCOL + 1


@contextlib.contextmanager
def worker_of_version(protocol, refuses=False):
    """A worker that says hello in this protocol, or that it takes no client of another one.

    Gives the connection to it.
    """
    server, client = KeyPair.generate(), KeyPair.generate()
    context, stop = zmq.Context(), threading.Event()
    socket = context.socket(zmq.ROUTER)
    socket.linger = 0
    socket.curve_server = True
    socket.curve_secretkey = server.secret.encode()
    socket.bind("tcp://127.0.0.1:*")

    def serve():
        while not stop.is_set():
            if socket.poll(50):
                client, header, *_ = socket.recv_multipart()
                request = codec.unpack(header)
                if request["op"] == schema.Hello.op:  # a refused client sends its farewell too
                    socket.send_multipart([client, answer(request)])

    def answer(request):
        if refuses:
            ours = request["protocol"]
            error = SemcolorError(Code.PROTOCOL_VERSION, theirs=protocol, ours=ours)
            return codec.encode_reply(request["id"], error)
        result = schema.RESULTS[schema.Hello]
        fields = {field.name: field.type() for field in dataclasses.fields(result)}
        return codec.encode_reply(request["id"], result(**fields | {"protocol": protocol}))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        address = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        yield Connection(address, server.public, client)
    finally:
        stop.set()
        thread.join()
        context.destroy(linger=0)


def test_a_worker_of_the_same_version_is_taken(home):
    """What the refusals below are worth."""
    with worker_of_version(schema.PROTOCOL) as connection:
        local_worker.set_remote(connection)
        with contextlib.closing(local_worker.connect()) as client:
            assert client.connection == connection


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("protocol", [LATER, schema.PROTOCOL - 1])
def test_client_and_worker_of_different_versions_do_not_come_together(home, protocol, refuses):
    """Whichever of the two notices it."""
    with worker_of_version(protocol, refuses) as connection:
        local_worker.set_remote(connection)
        with pytest.raises(SemcolorError) as caught:
            local_worker.connect()
    assert caught.value.code == Code.PROTOCOL_VERSION
    assert f"protocol {protocol}, this client {schema.PROTOCOL}" in str(caught.value)


def test_this_machines_worker_of_another_version_is_refused_and_not_replaced(home, monkeypatch):
    """It was started before an update: a second one beside it would only hide that."""
    with worker_of_version(LATER) as connection, local_worker.worker_lock():
        monkeypatch.setattr(local_worker, "read_connection", lambda: connection)
        with pytest.raises(SemcolorError) as caught:
            local_worker.start()
    assert caught.value.code == Code.PROTOCOL_VERSION


@pytest.mark.parametrize("protocol", [LATER, schema.PROTOCOL - 1])
def test_a_worker_refuses_a_client_of_another_version(worker, protocol):
    dealer = raw_socket(worker.connection)
    dealer.send(codec.pack({"id": "1", "op": schema.Hello.op, "protocol": protocol}))
    reply = next_reply(dealer)
    dealer.close()
    assert (reply["id"], reply["kind"], reply["code"]) == ("1", "error", "protocol_version")
    assert reply["parameters"] == {"theirs": schema.PROTOCOL, "ours": protocol}
    assert worker.hello().protocol == schema.PROTOCOL  # its own clients are still served
