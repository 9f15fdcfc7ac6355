"""Who gets in when nothing asks who somebody is: nobody. On real sockets."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
import zmq

from semcolor.client import keys, local_worker, settings
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.protocol import codec, schema
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.states import WorkerState
from semcolor_worker import clients

from .helpers import raw_socket, semcolor, wait_until


def is_let_in(connection, seconds=2.0):
    """Whether the worker answers a client who knows its address and public key."""
    dealer = raw_socket(connection)
    dealer.send(codec.encode_request("1", schema.Hello()))
    answered = bool(dealer.poll(1000 * seconds))
    dealer.close()
    return answered


@pytest.fixture
def invited(worker, invite):
    """A connection of somebody who has come in by an invitation."""
    return paired(invite(worker.connection))


def paired(invited):
    """The connection of somebody who has used his invitation."""
    own = KeyPair.generate()
    with contextlib.closing(ZmqWorkerClient(invited, timeout=60)) as client:
        client.request(schema.Pair(own.public))
    return Connection(invited.address, invited.server_key, own)


def authorized_folder():
    return settings.config_folder() / "authorized"


def test_invitations_count_at_once_and_so_does_their_end(invited):
    assert is_let_in(invited, seconds=20)
    (authorized_folder() / "anna.key").unlink()
    assert not is_let_in(invited)


def test_who_is_shut_out_is_so_while_connected(worker, invited):
    client = ZmqWorkerClient(invited, timeout=60)
    try:
        assert client.status()
        subprocess.run(semcolor("worker", "revoke", "anna"), check=True)

        def is_refused():
            try:
                client.status()
            except SemcolorError as error:
                return error.code == Code.KEY_REFUSED
            return False

        wait_until(is_refused, seconds=10)
    finally:
        client.close()
    done = subprocess.run(semcolor("worker", "revoke", "anna"), capture_output=True, text=True)
    assert done.returncode == 1
    assert "Nobody was invited as anna" in done.stderr


def test_a_second_invitation_under_one_name_is_refused(invited):
    with pytest.raises(SemcolorError, match="--replace"):
        clients.invite("anna", KeyPair.generate().public, timedelta(days=7))
    assert is_let_in(invited, seconds=20)
    listed = subprocess.run(semcolor("worker", "clients"), capture_output=True, text=True).stdout
    assert listed.startswith(f"anna  {invited.client.public[:8]}…  ")
    clients.invite("anna", KeyPair.generate().public, timedelta(days=7), replace=True)
    assert not is_let_in(invited)


def test_an_invitation_is_good_once(worker, invite):
    """What was mailed is worth nothing later; who used it comes back by the key of its own."""
    invited = invite(worker.connection)
    client = paired(invited)
    assert not is_let_in(invited)
    assert is_let_in(client, seconds=20)


def test_an_invitation_opens_nothing_but_the_way_in(worker, invite):
    invited = invite(worker.connection)
    with contextlib.closing(ZmqWorkerClient(invited, timeout=60)) as client:
        assert client.hello()
        for request in (schema.Status(), schema.PutPhoto("0" * 32, 8, 8, 8), schema.Stop()):
            with pytest.raises(SemcolorError) as caught:
                client.request(request)
            assert caught.value.code == Code.NOT_PAIRED
        client.request(schema.Pair(KeyPair.generate().public))
        with pytest.raises(SemcolorError) as caught:  # over the open connection
            client.request(schema.Pair(KeyPair.generate().public))
        assert caught.value.code == Code.KEY_REFUSED
    own = worker.connection
    with contextlib.closing(ZmqWorkerClient(own, timeout=60)) as client:
        with pytest.raises(SemcolorError) as caught:  # nobody has invited him
            client.request(schema.Pair(KeyPair.generate().public))
        assert caught.value.code == Code.INVITATION_USED


def test_an_invitation_ends_by_itself(worker, invite):
    assert not is_let_in(invite(worker.connection, days=-1))
    invited = invite(worker.connection, days=3 / 86400)
    with contextlib.closing(ZmqWorkerClient(invited, timeout=60)) as client:
        assert client.hello()
        time.sleep(6)  # the open connection, too
        with pytest.raises(SemcolorError) as caught:
            client.request(schema.Pair(KeyPair.generate().public))
        assert caught.value.code == Code.KEY_REFUSED


def test_connecting_twice_with_one_line(worker, invite, home, move_to):
    """On the same machine it leads back; on another it is worth nothing."""
    line = keys.encode_invitation(invite(worker.connection))
    move_to(home)
    assert local_worker.choose(line).address == worker.connection.address
    client = local_worker.remote_connection()
    local_worker.choose("local")
    local_worker.choose(line)
    assert local_worker.remote_connection() == client
    move_to(home / "elsewhere")
    with pytest.raises(SemcolorError) as caught:
        local_worker.choose(line)
    assert caught.value.code == Code.KEY_REFUSED
    assert local_worker.remote_connection() is None


def test_an_answer_that_is_lost_costs_no_invitation(worker, invite, home, move_to, monkeypatch):
    line = keys.encode_invitation(invite(worker.connection))
    move_to(home)
    request = ZmqWorkerClient.request

    def lose_the_answer(client, asked, *rest):
        result = request(client, asked, *rest)
        if isinstance(asked, schema.Pair):
            raise SemcolorError(Code.UNREACHABLE, address="")
        return result

    monkeypatch.setattr(ZmqWorkerClient, "request", lose_the_answer)
    assert local_worker.choose(line).address == worker.connection.address


def test_clients_and_what_they_did(worker, invited, invite):
    with contextlib.closing(ZmqWorkerClient(invited, timeout=60)) as client:
        client.status()
    listed = semcolor("worker", "clients")

    def is_told():
        told = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
        return re.search(r"^anna  .{8}…  seen 20.*, [12] requests, 0 MB received$", told, re.M)

    wait_until(is_told)
    invite(worker.connection, "berta")
    told = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert re.search("^berta  .{8}…  invited until 20", told, re.M)


def test_odd_files_among_the_keys_lock_nobody_out(worker, invited):
    folder = authorized_folder()
    (folder / "folder.key").mkdir()
    (folder / "link.key").symlink_to(folder / "nowhere")
    (folder / "loop.key").symlink_to(folder / "loop.key")
    (folder / "latin.key").write_bytes(b"\xff\xfe no key")
    (folder / "empty.key").touch()
    try:
        assert is_let_in(invited, seconds=20)
        assert is_let_in(worker.connection, seconds=20)
        own = worker.connection
        stranger = Connection(own.address, own.server_key, KeyPair.generate())
        assert not is_let_in(stranger)
    finally:
        (folder / "folder.key").rmdir()
        for name in ("link", "loop", "latin", "empty"):
            (folder / f"{name}.key").unlink()


def test_a_key_that_goes_away_during_a_handshake_locks_nobody_out(worker, invited):
    others = [authorized_folder() / f"other-{number}.key" for number in range(20)]
    ended = threading.Event()

    def come_and_go():
        while not ended.is_set():
            for path in others:
                path.write_text("key")
            for path in others:
                path.unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(50):
            assert is_let_in(invited, seconds=20)
    finally:
        ended.set()
        thread.join()
    assert is_let_in(worker.connection, seconds=20)


def test_half_open_connections_lock_nobody_out_for_longer_than_they_last(home):
    """More of them than the worker may have descriptors."""
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)); "
    serve = "from semcolor_worker.__main__ import serve; serve(None)"
    process = subprocess.Popen([sys.executable, "-c", limited + serve])
    try:
        wait_until(lambda: local_worker.read_connection() is not None)
        own = local_worker.read_connection()
        with contextlib.closing(local_worker.running()) as client:
            wait_until(lambda: client.status().state == WorkerState.READY, seconds=100)
        host, port = own.address.removeprefix("tcp://").split(":")
        strangers = []
        for _ in range(150):
            stranger = socket.socket()
            stranger.setblocking(False)
            stranger.connect_ex((host, int(port)))
            strangers.append(stranger)
        time.sleep(2)
        is_let_in(own)  # not now, perhaps
        for stranger in strangers:
            stranger.close()
        assert is_let_in(own, seconds=60)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(20) == 0


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


def test_photos_belong_to_a_key(worker, invited, sample_gray):
    """Whoever knows a photo's digest has not seen it yet."""
    owner = Session(worker, sample_gray)
    colored = owner.colorize(owner.whole, 0, lambda *_: None)
    stranger = ZmqWorkerClient(invited, timeout=60)
    height, width = sample_gray.shape
    try:
        answer, _ = stranger.request(schema.PutPhoto(owner.photo, width, height, 8))
        assert answer.next_row == 0  # it does not learn that it is there
        for request in (
            schema.Colorize(owner.photo, "", owner.whole._replace(height=9)),
            schema.Segment(owner.photo, owner.whole._replace(height=9)),
            schema.Recolor(owner.photo, "", ""),
        ):
            with pytest.raises(SemcolorError) as caught:
                stranger.request(request)
            assert caught.value.code == Code.UNKNOWN_PHOTO
        own = Session(stranger, sample_gray)  # with a print of its own it may
        assert (own.colorize(own.whole, 0, lambda *_: None).rgb == colored.rgb).all()
    finally:
        stranger.close()
