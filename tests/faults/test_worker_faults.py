"""Real sockets, real processes: what strangers send, and what happens when processes die."""

import contextlib
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from semcolor.bridge import server as bridge
from semcolor.cli import main as cli
from semcolor.client import keys, local_worker, settings
from semcolor.client.keys import Connection, KeyPair
from semcolor.client.session import Session
from semcolor.client.worker_client import ZmqWorkerClient
from semcolor.protocol import codec, planes, schema
from semcolor.protocol.checks import ANSWER_FRAME
from semcolor.shared import geometry
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import clients, resources

from .helpers import children, raw_socket, wait_until


def quiet(text, fraction):
    pass


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
EDIT = schema.Edit("2" * 32, geometry.Rectangle(0, 0, 9, 9))


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"\xc1garbage"],
        [b"x" * 70_000],
        [codec.pack({"id": "1", "op": "hello"}), b"", b""],
        [codec.pack({"id": "1", "op": "hello"}), b"unexpected pixels"],
        [codec.encode_request("1", schema.PutPhoto("0" * 32, 10, 10, 8, 0, 10)), b"short"],
        [codec.encode_request("1", schema.PutLabels("0" * 32, 10, 10, 0, 10)), b"not zlib"],
        [codec.encode_request("1", schema.PutLabels("0" * 32, 10, 10, 0, 10)),
         planes.pack_labels(bytes(5_000_000))],
        [codec.encode_request("1", schema.Recolor("0" * 32, "1" * 32, "", edit=EDIT)), b""],
    ],
)  # fmt: skip
def test_malformed_messages_are_answered_and_survived(worker, parts):
    dealer = raw_socket(worker.connection)
    dealer.send_multipart(parts)
    assert dealer.poll(10_000), "no answer"
    reply = codec.unpack(dealer.recv_multipart()[0])
    assert reply["kind"] == "error"
    assert reply["code"] in ("malformed", "message_too_large")
    dealer.close()
    assert worker.hello().protocol == schema.PROTOCOL


def test_an_oversized_frame_costs_its_sender_the_connection_only(worker):
    dealer = raw_socket(worker.connection)
    header = codec.encode_request("1", schema.Hello())
    dealer.send_multipart([header, bytes(schema.FRAME_LIMIT + 2 * codec.HEADER_LIMIT)])
    assert not dealer.poll(1000)
    dealer.close()
    assert worker.hello().protocol == schema.PROTOCOL


def test_plain_tcp_gets_nowhere(worker):
    host, port = worker.connection.address.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(os.urandom(4096))
    assert worker.hello().protocol == schema.PROTOCOL


def test_a_strangers_key_is_refused_with_a_reason(worker):
    """The stranger even knows the address and the worker's public key."""
    own = worker.connection
    stranger = ZmqWorkerClient(Connection(own.address, own.server_key, KeyPair.generate()))
    with pytest.raises(SemcolorError, match="does not know this client's key") as caught:
        stranger.hello()
    assert caught.value.code == Code.KEY_REFUSED


def test_results_equal_for_every_way_to_ask(worker, sample_gray):
    session = Session(worker, sample_gray)
    session.set_labels(np.full(sample_gray.shape, 50, np.uint8))
    whole = session.colorize(session.whole, 0, quiet).rgb
    part = session.colorize(geometry.Rectangle(17, 100, 300, 200), 0, quiet).rgb
    assert (part == whole[100:300, 17:317]).all()


def test_a_label_snaps_to_the_roof(worker, sample_gray):
    session = Session(worker, sample_gray)
    with pytest.raises(SemcolorError, match="no labels"):
        session.snap(session.whole, 7, quiet)
    labels = np.zeros_like(sample_gray)
    labels[250:290, 700:900] = 7
    session.set_labels(labels)
    changed = session.snap(session.whole, 7, quiet)
    assert 0 < changed.pixels < session.whole.pixels / 4
    labels[changed.rows, changed.columns] = 7
    assert (session.labels != 0).sum() > 200 * 40
    assert (session.labels[labels == 0] == 0).all()
    assert session.snap(geometry.Rectangle(0, 0, 50, 50), 7, quiet).pixels == 0


def test_a_stroke_labels_its_object(worker, sample_gray):
    session = Session(worker, sample_gray)
    with pytest.raises(SemcolorError, match="no labels"):
        session.refine(session.whole, 50, quiet)
    session.set_labels(session.segment(session.whole, 0, quiet).map)
    before = session.labels.copy()
    stroke = geometry.Rectangle(400, 60, 240, 20)
    session.edit_labels(stroke, np.full((20, 240), 7, np.uint8))
    strokes = np.zeros_like(sample_gray)
    strokes[stroke.rows, stroke.columns] = 255
    changed = session.refine(stroke, 7, quiet, strokes)
    assert changed.pixels > 4 * stroke.pixels
    assert (session.labels[stroke.rows, stroke.columns] == 7).all()
    others = session.labels != before
    assert (session.labels[others] == 7).all()
    wrong = np.zeros((3, 3), np.uint8)
    with pytest.raises(SemcolorError) as caught:
        session.refine(stroke, 7, quiet, wrong)
    assert caught.value.code == Code.SIZE_MISMATCH
    with pytest.raises(SemcolorError) as caught:
        session.refine(geometry.Rectangle(1000, 0, 100, 100), 7, quiet)
    assert caught.value.code == Code.LABELS_MISMATCH


def test_every_object_gets_suggestions(worker, sample_gray):
    session = Session(worker, sample_gray)
    with pytest.raises(SemcolorError, match="no labels"):
        session.suggest_all(0, quiet)
    labels = np.zeros_like(sample_gray)
    labels[:200], labels[400:] = 50, 36
    session.set_labels(labels)
    ground, sky = session.suggest_all(0, quiet)
    assert (ground.class_id, sky.class_id) == (36, 50)
    for entry in (ground, sky):
        assert labels[entry.y, entry.x] == entry.class_id
        assert 1 <= len(entry.colors) <= 6


def test_a_selection_gets_its_own_colour_or_a_reason(worker, sample_gray):
    session = Session(worker, sample_gray)
    mask = np.zeros_like(sample_gray)
    mask[100:300, 100:300] = 255
    try:
        assert 1 <= len(session.suggest(mask, 0, quiet)) <= 6
    except SemcolorError as error:
        if error.code != Code.NO_SUGGESTIONS:  # the bundled model may have no distribution
            raise


def test_wrong_requests_do_not_hurt_the_engine(worker, sample_gray):
    session = Session(worker, sample_gray)
    session.upload(quiet)
    with pytest.raises(SemcolorError, match="not inside"):
        session.colorize(geometry.Rectangle(1000, 0, 500, 10), 0, quiet)
    unknown = schema.Segment("f" * 32, geometry.Rectangle(0, 0, 1, 1))
    with pytest.raises(SemcolorError) as caught:
        worker.request(unknown)
    assert caught.value.code == Code.UNKNOWN_PHOTO
    assert worker.status().restarts == 0


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=NEEDS_IPV6)])
def test_lan_client_comes_in_by_invitation_only(home, sample_gray, host):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "semcolor.cli", "worker"]
    server = subprocess.Popen([*command, "serve", "--listen", f"{host}:{port}"])
    try:
        wait_until(lambda: local_worker.running() is not None)
        for name, address in (("bert", "gpu.lan"), ("carl", "[fd00::7]:99")):
            other = [*command, "invite", name, "--address", address]
            line = subprocess.run(other, capture_output=True, text=True).stdout
            told = keys.decode_invitation(line).address
            assert told == f"tcp://{address}" + ("" if ":" in address else f":{port}")
        invited = subprocess.run([*command, "invite", "anna"], capture_output=True, text=True)
        assert keys.decode_invitation(invited.stdout).address == f"tcp://{host}:{port}"
        local_worker.choose(invited.stdout)
        connection = local_worker.remote_connection()
        anna = ZmqWorkerClient(connection)
        labels = Session(anna, sample_gray).segment(geometry.Rectangle(0, 0, 50, 50), 0, quiet).map
        assert labels.shape == (50, 50)
        with pytest.raises(SemcolorError, match="own user"):
            anna.request(schema.Stop())
        # Once her key is gone, a new connection is refused.
        clients.revoke("anna")
        with pytest.raises(SemcolorError) as caught:
            ZmqWorkerClient(connection).hello()
        assert caught.value.code == Code.KEY_REFUSED
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


def test_what_a_guest_has_put_here_goes_with_its_last_session(own_worker, invite, sample_gray):
    invited, own = invite(own_worker.connection), KeyPair.generate()
    with contextlib.closing(ZmqWorkerClient(invited)) as client:
        client.request(schema.Pair(own.public))
    connection = Connection(invited.address, invited.server_key, own)
    first, second = ZmqWorkerClient(connection), ZmqWorkerClient(connection)
    session = Session(first, sample_gray)
    session.colorize(session.whole, 0, quiet)
    second.status()
    first.close()
    assert second.status().planes_bytes == sample_gray.nbytes
    second.close()
    wait_until(lambda: own_worker.status().planes_bytes == 0)
    with contextlib.closing(ZmqWorkerClient(connection)) as later:
        with pytest.raises(SemcolorError) as caught:
            later.request(schema.Segment(session.photo, session.whole._replace(height=1)))
        assert caught.value.code == Code.UNKNOWN_PHOTO
        again = Session(later, sample_gray)
        assert (again.colorize(again.whole, 0, quiet).rgb.shape) == (*sample_gray.shape, 3)


def test_memory_comes_back_when_clients_leave(own_worker, sample_gray):
    supervisor = own_worker.hello().pid
    wait_until(lambda: own_worker.status().state == "ready")
    (engine,) = children(supervisor)
    own_worker.close()
    time.sleep(8)  # it rehearses
    before = resources.resident_memory(engine)
    for side in range(10):
        with contextlib.closing(local_worker.start()) as guest:
            session = Session(guest, np.roll(sample_gray, 60 * side, axis=1))
            for class_id in (5, 9):
                session.set_labels(np.full_like(sample_gray, class_id))
                session.colorize(session.whole, 352 + 32 * side, quiet)
            used = resources.resident_memory(engine)
    assert used > 1.2 * before
    wait_until(lambda: resources.resident_memory(engine) < 1.25 * before, seconds=120)


def test_a_worker_that_stops_finishes_the_job_in_hand(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    wait_until(lambda: own_worker.status().state == "ready")
    request = schema.Colorize(session.photo, "", geometry.Rectangle(0, 0, 64, 64), 1024)
    ended = []

    def ask():
        with contextlib.closing(ZmqWorkerClient(own_worker.connection)) as client:
            ended.append(client.request(request))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: own_worker.status().state == "busy")
    own_worker.request(schema.Stop())
    thread.join()
    assert len(ended) == 1
    wait_until(lambda: local_worker.running() is None)


def test_photos_reach_no_core_dump(own_worker):
    supervisor = own_worker.hello().pid
    wait_until(lambda: own_worker.status().state == "ready")
    for pid in (supervisor, *children(supervisor)):
        limits = Path(f"/proc/{pid}/limits").read_text()
        (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["1", "1"]


def test_a_machine_whose_name_is_unknown_is_told(home):
    pair = keys.KeyPair.generate()
    connection = keys.Connection("tcp://nowhere.invalid:7777", pair.public, pair)
    with pytest.raises(SemcolorError, match="--address") as caught:
        ZmqWorkerClient(connection, timeout=2).hello()
    assert caught.value.code == Code.NO_SUCH_HOST


def test_a_folder_for_temporary_files_may_have_a_long_name(
    home, sample_gray, tmp_path, monkeypatch
):
    """Longer than what a socket's may be."""
    folder = tmp_path / ("long " * 20) / ("longer " * 10)
    folder.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(folder))
    client = local_worker.start()
    try:
        session = Session(client, sample_gray)
        assert session.segment(geometry.Rectangle(0, 0, 50, 50), 0, quiet).map.shape == (50, 50)
    finally:
        local_worker.stop()


def test_an_engine_killed_in_the_middle_costs_only_time(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    expected = session.colorize(session.whole, 0, quiet).rgb
    supervisor = own_worker.hello().pid
    (engine,) = children(supervisor)
    if Path("/proc/self/oom_score_adj").exists():  # Linux would kill it first as well
        scores = (Path(f"/proc/{pid}/oom_score").read_text() for pid in (supervisor, engine))
        assert int(next(scores)) < int(next(scores))
    answers = []

    def ask():
        client = ZmqWorkerClient(own_worker.connection)
        request = schema.Colorize(session.photo, "", geometry.Rectangle(0, 0, 1024, 788), 1536)
        answers.append(client.request(request))
        client.close()

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: own_worker.status().state == "busy")
    os.kill(engine, signal.SIGKILL)
    asking.join(120)
    assert len(answers) == 1
    assert len(answers[0][1]) == expected.size
    status = own_worker.status()
    assert (status.restarts, status.waiting) == (1, 0)
    assert children(supervisor) != [engine]
    assert (session.colorize(session.whole, 0, quiet).rgb == expected).all()


def test_edits_survive_an_engine_that_forgot_everything(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    labels = np.zeros_like(sample_gray)
    session.set_labels(labels)
    for value in (36, 50, 15):
        session.colorize(geometry.Rectangle(0, 0, 9, 9), 0, quiet)
        region = geometry.Rectangle(200, 10 * value, 400, 100)
        labels[region.rows, region.columns] = value
        session.edit_labels(region, labels[region.rows, region.columns])
        if value == 50:
            (engine,) = children(own_worker.hello().pid)
            os.kill(engine, signal.SIGKILL)
    assert session.recolor(0, quiet).region.pixels < session.whole.pixels
    assert not session.recolor(0, quiet).region
    edited = session.colorize(session.whole, 0, quiet).rgb
    other = Session(own_worker, sample_gray)
    other.set_labels(labels)
    assert (edited == other.colorize(other.whole, 0, quiet).rgb).all()
    assert own_worker.status().restarts == 1


def test_an_engine_that_dies_every_time_ends_in_an_error(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    wait_until(lambda: own_worker.status().state == "ready")
    supervisor = own_worker.hello().pid
    stop = threading.Event()

    def kill_whatever_works():
        watcher = ZmqWorkerClient(own_worker.connection)
        while not stop.is_set():
            if watcher.status().state == "busy":
                for engine in children(supervisor):
                    os.kill(engine, signal.SIGKILL)
            time.sleep(0.02)

    killer = threading.Thread(target=kill_whatever_works)
    killer.start()
    request = schema.Colorize(session.photo, "", geometry.Rectangle(0, 0, 64, 64), 2048)
    try:
        with pytest.raises(SemcolorError, match="died twice") as caught:
            own_worker.request(request)
    finally:
        stop.set()
        killer.join()
    assert caught.value.code == Code.QUARANTINED
    restarts = own_worker.status().restarts
    with pytest.raises(SemcolorError, match="died twice"):  # asked again: no engine dies for it
        own_worker.request(request)
    assert own_worker.status().restarts == restarts
    assert len(session.colorize(session.whole, 0, quiet).rgb) == sample_gray.shape[0]


@pytest.fixture
def two_devices(home):
    """A worker that computes on two devices."""
    settings.set_devices(["cpu", "cpu"])
    client = local_worker.start()
    wait_until(lambda: [engine.state for engine in client.status().engines] == ["ready"] * 2)
    yield client
    client.close()
    local_worker.stop()


def limit_memory(engine, megabytes):
    """Let an engine have so much more than it has now; None: as much as there is."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("limits of another process: Linux only")
    status = Path(f"/proc/{engine}/status").read_text()
    used = int(re.search(r"VmData:\s+(\d+) kB", status)[1]) << 10
    limit = resource.RLIM_INFINITY if megabytes is None else used + (megabytes << 20)
    hard = resource.prlimit(engine, resource.RLIMIT_DATA)[1]
    resource.prlimit(engine, resource.RLIMIT_DATA, (limit, hard))


def test_an_engine_short_of_memory_gives_colour_all_the_same(own_worker, sample_gray):
    """Real limits. It goes down with detail and says so; if it dies, a new one has no limit."""
    session = Session(own_worker, sample_gray)
    session.colorize(session.whole, 256, quiet)
    (engine,) = children(own_worker.hello().pid)
    limit_memory(engine, 300)
    rgb, lowered = session.colorize(session.whole, 2048, quiet)[1:]
    assert rgb.astype(int).std(axis=2).mean() > 1
    assert lowered or own_worker.status().restarts


def new_memory_group(megabytes):
    """A control group with so much memory and no swap; None where there are none."""
    for parent, limit, swap in (
        ("memory", "memory.limit_in_bytes", "memory.swappiness"),
        ("", "memory.max", "memory.swap.max"),
    ):
        group = Path("/sys/fs/cgroup", parent, f"semcolor-test-{os.getpid()}")
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / limit).exists():
                (group / limit).write_text(str(megabytes << 20))
                with contextlib.suppress(OSError):  # not every kernel counts swap
                    (group / swap).write_text("0")
                return group
            group.rmdir()
    return None


@pytest.fixture
def memory_group():
    """Linux kills what is in it when it takes more memory than that."""
    group = new_memory_group(250)
    if group is None:
        pytest.skip("limits of memory that kill: Linux only, and with the right to set them")
    yield group
    with contextlib.suppress(OSError):
        group.rmdir()


def test_an_engine_that_linux_killed_is_repeated_with_less(own_worker, sample_gray, memory_group):
    session = Session(own_worker, sample_gray)
    session.colorize(session.whole, 256, quiet)
    (engine,) = children(own_worker.hello().pid)
    (memory_group / "cgroup.procs").write_text(str(engine))
    rgb, lowered = session.colorize(session.whole, 2048, quiet)[1:]
    assert lowered == 512
    assert rgb.astype(int).std(axis=2).mean() > 1
    assert own_worker.status().restarts == 1
    assert not session.colorize(session.whole, 1024, quiet).detail


def test_an_engine_without_memory_says_so_and_goes_on_when_there_is_some(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.colorize(session.whole, 256, quiet)
    (engine,) = children(own_worker.hello().pid)
    limit_memory(engine, 0)
    failure, lowered = None, 0
    try:
        lowered = session.colorize(session.whole, 2048, quiet).detail
    except SemcolorError as error:
        failure = error.code
    assert failure == Code.NO_MEMORY or lowered or own_worker.status().restarts
    (engine,) = children(own_worker.hello().pid)
    limit_memory(engine, None)
    rgb, lowered = session.colorize(session.whole, 384, quiet)[1:]
    assert rgb.astype(int).std(axis=2).mean() > 1
    assert not lowered


def test_a_lost_devices_sessions_move_and_nobody_notices(two_devices, sample_gray):
    photos = [
        Session(ZmqWorkerClient(two_devices.connection), gray)
        for gray in (sample_gray, sample_gray[:700], sample_gray[:, :900])
    ]
    expected = [photo.colorize(photo.whole, 0, quiet).rgb for photo in photos]
    engines = children(two_devices.hello().pid)
    assert len(engines) == 2
    if Path("/proc/self/environ").exists():  # they share the cores
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in engines]
        threads = [int(re.search(rb"OMP_NUM_THREADS=(\d+)", text)[1]) for text in environments]
        assert sum(threads) <= max(2, os.cpu_count())
    os.kill(engines[0], signal.SIGKILL)
    for photo, before in zip(photos, expected, strict=True):
        assert (photo.colorize(photo.whole, 0, quiet).rgb == before).all()
    wait_until(lambda: [e.state for e in two_devices.status().engines] == ["ready"] * 2)
    assert two_devices.status().restarts == 1


def test_a_device_that_keeps_failing_is_taken_out_with_a_sentence(two_devices, sample_gray, capsys):
    supervisor = two_devices.hello().pid
    kept = max(children(supervisor))

    def faults():
        for engine in set(children(supervisor)) - {kept}:
            os.kill(engine, signal.SIGKILL)
        return [engine.fault for engine in two_devices.status().engines if engine.fault]

    wait_until(faults)
    (fault,) = faults()
    assert "cpu died 3 times in a row" in str(fault.error)
    assert cli.main(["worker", "status"]) == 0
    assert str(fault.error) in capsys.readouterr().out
    assert children(supervisor) == [kept]
    assert two_devices.status().device == "cpu"
    session = Session(two_devices, sample_gray)
    assert session.colorize(session.whole, 0, quiet).rgb.shape == (*sample_gray.shape, 3)


def test_a_device_that_is_not_there_is_named_in_a_sentence(home, sample_gray):
    settings.set_devices(["cuda:99"])
    client = local_worker.start()
    try:
        with pytest.raises(SemcolorError, match=r"no cuda:99 .*`semcolor worker devices`"):
            Session(client, sample_gray).segment(geometry.Rectangle(0, 0, 9, 9), 0, quiet)
    finally:
        client.close()
        local_worker.stop()


def test_a_newer_edit_supersedes_those_that_wait(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    labels = []
    for value in (7, 36, 50):
        session.set_labels(np.full_like(sample_gray, value))
        session.upload(quiet)
        labels.append(session.labels_digest)
    wait_until(lambda: own_worker.status().state == "ready")
    dealer = raw_socket(own_worker.connection)
    place = geometry.Rectangle(0, 0, 64, 64)
    for number, digest in enumerate([labels[0], *labels, labels[2]]):
        detail = 1024 if number == 0 else 0  # it runs while the others come
        request = schema.Colorize(session.photo, digest, place, detail)
        dealer.send(codec.encode_request(str(number), request))
    replies = []
    while len(replies) < 5:
        assert dealer.poll(60_000), "no answer"
        reply = codec.unpack(dealer.recv_multipart()[0])
        if reply["kind"] != "progress":
            replies.append((reply["id"], reply.get("code", "result")))
    dealer.close()
    assert replies == [("1", "superseded"), ("2", "superseded"),
                       ("0", "result"), ("3", "result"), ("4", "result")]  # fmt: skip


def test_an_edit_overtakes_segmentations_that_wait(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.colorize(geometry.Rectangle(0, 0, 9, 9), 0, quiet)
    (engine,) = children(own_worker.hello().pid)
    dealer = raw_socket(own_worker.connection)
    place = geometry.Rectangle(0, 0, 9, 9)
    os.kill(engine, signal.SIGSTOP)  # so that all of them are there before it goes on
    try:
        for number in "1234":
            dealer.send(codec.encode_request(number, schema.Segment(session.photo, place)))
        dealer.send(codec.encode_request("edit", schema.Colorize(session.photo, "", place)))
        wait_until(lambda: own_worker.status().waiting == 5)
    finally:
        os.kill(engine, signal.SIGCONT)
    ended = []
    while len(ended) < 5:
        assert dealer.poll(60_000), "no answer"
        reply = codec.unpack(dealer.recv_multipart()[0])
        if reply["kind"] == "result":
            ended.append(reply["id"])
    dealer.close()
    assert ended == ["1", "edit", "2", "3", "4"]


def test_an_engine_computes_with_the_cores_that_the_worker_may_use(home):
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("Linux only")
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        client = local_worker.start()
    finally:
        os.sched_setaffinity(0, usable)
    try:
        wait_until(lambda: client.status().state == "ready")
        (engine,) = children(client.hello().pid)
        assert b"OMP_NUM_THREADS=1\0" in Path(f"/proc/{engine}/environ").read_bytes()
    finally:
        client.close()
        local_worker.stop()


def test_broken_weights_are_an_error_at_once_and_mended_ones_need_no_restart(
    home, tmp_path, sample_gray
):
    settings.set_weights_folder(tmp_path)
    (tmp_path / "color.safetensors").write_bytes(b"not weights")
    client = local_worker.start()
    session = Session(client, sample_gray)
    try:
        for _ in range(2):
            with pytest.raises(
                SemcolorError, match="cannot be used as weights: it cannot be read"
            ) as caught:
                session.segment(session.whole, 0, quiet)
            assert caught.value.code == Code.BAD_WEIGHTS
            assert "semcolor weights use" in str(caught.value)
            status = client.status()
            assert (status.state, status.waiting, status.models) == ("lost", 0, [])
        settings.set_weights_folder(None)
        assert session.segment(session.whole, 0, quiet).map.shape == sample_gray.shape
    finally:
        local_worker.stop()


def test_a_killed_supervisor_leaves_no_engine_and_is_replaced(home, sample_gray):
    client = local_worker.start()
    supervisor = client.hello().pid
    wait_until(lambda: children(supervisor))
    (engine,) = children(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not alive(engine))
    again = local_worker.start()  # in spite of the connection file left behind
    assert again.hello().pid != supervisor
    labels = Session(again, sample_gray).segment(geometry.Rectangle(0, 0, 9, 9), 0, quiet).map
    assert labels.shape == (9, 9)
    assert local_worker.stop()


def test_two_starts_at_once_make_one_worker(home):
    pids = []

    def start():
        client = local_worker.start()
        pids.append(client.hello().pid)
        client.close()

    starters = [threading.Thread(target=start) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(pids) == 3
    assert len(set(pids)) == 1
    assert local_worker.stop()
    time.sleep(2)  # none of those that came too late takes its place
    assert local_worker.running() is None


def test_cancelling_ends_a_request_at_once(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    wait_until(lambda: own_worker.status().state == "ready")
    impatient = ZmqWorkerClient(own_worker.connection)
    request = schema.Colorize(session.photo, "", geometry.Rectangle(0, 0, 64, 64), 2048)
    threading.Timer(0.3, impatient.cancel.set).start()
    with pytest.raises(SemcolorError) as caught:
        impatient.request(request)
    assert caught.value.code == Code.CANCELLED
    assert own_worker.hello().protocol == schema.PROTOCOL


def test_the_jobs_of_a_client_that_was_killed_are_dropped(own_worker, sample_gray):
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    wait_until(lambda: own_worker.status().state == "ready")
    (engine,) = children(own_worker.hello().pid)
    os.kill(engine, signal.SIGSTOP)  # whatever waits now, waits
    try:
        dealer = raw_socket(own_worker.connection)
        for job in "123":
            dealer.send(codec.encode_request(job, schema.Segment(session.photo, session.whole)))
        wait_until(lambda: own_worker.status().waiting == 3)
        dealer.close()
        wait_until(lambda: own_worker.status().waiting == 1)
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_until(lambda: own_worker.status().waiting == 0)
    assert own_worker.status().restarts == 0


def test_the_bridge_tells_how_the_worker_is(worker, sample_gray):
    session = Session(worker, sample_gray)
    session.segment(geometry.Rectangle(0, 0, 9, 9), 0, quiet)
    status, _ = bridge.Bridge(lambda _: worker, threading.Event(), print).answer(
        {"op": "status"}, b""
    )
    assert (status["state"], status["device"]) == ("ready", "cpu")
    assert len(status["models"]) == 2


def test_the_supervisor_never_imports_torch():
    code = "import sys, semcolor_worker.__main__, semcolor.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_stroke_is_one_request_and_one_reply_on_the_wire(worker, sample_gray, monkeypatch):
    """A header and pixels each way; the answer's pixels are several frames."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from wire import Wire

    own = worker.connection
    host, port = own.address.removeprefix("tcp://").split(":")
    wire = Wire(host, int(port))
    client = ZmqWorkerClient(Connection(f"tcp://127.0.0.1:{wire.port}", own.server_key, own.client))
    session = Session(client, sample_gray)
    session.set_labels(np.zeros_like(sample_gray))
    session.colorize(session.whole, 0, quiet)
    counts = []
    for value in (36, 50, 7, 8, 9):
        region = geometry.Rectangle(10 * value, 300, 60, 50)
        session.edit_labels(region, np.full((50, 60), value, np.uint8))
        before = wire.traffic()
        rgb = session.recolor(0, quiet).rgb
        assert rgb.size
        after = wire.traffic()
        sent, received = (now.frames - then.frames for now, then in zip(after, before, strict=True))
        counts.append([sent, received - math.ceil(rgb.nbytes / ANSWER_FRAME)])
    assert min(counts) == [2, 1]  # once a second there are heartbeats, too
    assert max(counts) <= [4, 4]
    client.close()
    wire.close()


def test_a_photo_of_16_bits_is_no_mask_and_no_label_map(worker, sample_gray):
    """A client that says so gets an error, and the engine goes on."""
    deep = sample_gray.astype(np.uint16) * 257
    session = Session(worker, deep)
    session.colorize(session.whole, 0, quiet)
    restarts = worker.status().restarts
    for request in (
        schema.Suggest(session.photo, "", session.photo),
        schema.Colorize(session.photo, session.photo, session.whole._replace(height=9)),
        schema.Snap(session.photo, session.photo, session.whole, 3),
    ):
        with pytest.raises(SemcolorError) as caught:
            worker.request(request)
        assert caught.value.code == Code.LABELS_MISMATCH
    assert worker.status().restarts == restarts


def test_an_engine_that_is_stopped_costs_only_time(own_worker, sample_gray):
    """With a job in hand it is replaced after half a minute."""
    session = Session(own_worker, sample_gray)
    session.upload(quiet)
    expected = session.colorize(session.whole, 0, quiet).rgb
    (engine,) = children(own_worker.hello().pid)
    os.kill(engine, signal.SIGSTOP)
    session.set_labels(np.full_like(sample_gray, 50))
    assert session.colorize(session.whole, 0, quiet).rgb.any()
    assert own_worker.status().restarts == 1
    session.set_labels(None)
    assert (session.colorize(session.whole, 0, quiet).rgb == expected).all()


def test_a_worker_that_is_killed_leaves_nothing_in_tmp(
    home, sample_gray, tmp_path_factory, monkeypatch
):
    """And an engine comes back though the whole folder is gone."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setenv("TMPDIR", str(folder))
    client = local_worker.start()
    try:
        session = Session(client, sample_gray)
        session.colorize(session.whole, 0, quiet)
        assert not list(folder.iterdir())
        (engine,) = children(client.hello().pid)
        assert f"ipc://{folder}" in Path(f"/proc/{engine}/cmdline").read_text()
        folder.rmdir()
        os.kill(engine, signal.SIGKILL)
        session.set_labels(np.full_like(sample_gray, 50))
        assert session.colorize(session.whole, 0, quiet).rgb.any()
        os.kill(client.hello().pid, signal.SIGKILL)
        assert not list(folder.iterdir())
    finally:
        client.close()
        local_worker.stop()
