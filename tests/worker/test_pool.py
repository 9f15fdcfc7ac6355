"""The pool with engines that do as they are told: no process, no socket."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from semcolor.protocol.codec import encode_request, job_of, unpack
from semcolor.protocol.planes import plane_digest
from semcolor.protocol.results import Failure, Progress
from semcolor.protocol.schema import Colorize, PutPhoto, Segment
from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.geometry import Rectangle
from semcolor.shared.states import WorkerState
from semcolor_worker import engine_link
from semcolor_worker.engine_link import CannotStart, Missing, Ready, Reply
from semcolor_worker.supervisor import device_slot, quarantine
from semcolor_worker.supervisor.plane_store import PlaneStore
from semcolor_worker.supervisor.pool import EnginePool
from semcolor_worker.supervisor.scheduler import Job

PIXELS = [bytes([gray]) for gray in range(4)]
PHOTOS = [plane_digest(1, 1, 8, pixel) for pixel in PIXELS]
WHOLE = Rectangle(0, 0, 9, 9)


class FakeEngine:
    """Has the interface of an EngineChild; the test says what it does."""

    def __init__(self, device):
        self.device, self.state, self.models = device, WorkerState.STOPPED, []
        self.socket = self.job = self.message = None
        self.dead = self.cancelled = self.ran_out = self.low_memory = False

    def start(self, engines):
        assert self.socket is None
        self.socket, self.state, self.models, self.engines = self, WorkerState.STARTING, [], engines
        self.job, self.dead, self.cancelled, self.planes = None, False, False, []

    def send(self, message, *frames):
        assert self.socket is not None
        match engine_link.decode(engine_link.encode(message)):
            case engine_link.Job() as job:
                assert self.job is None
                assert self.state is WorkerState.BUSY
                self.job, self.cancelled = job_of(unpack(frames[0])), False
                self.low_memory = job.low_memory
                self.planes += [edit.digest for edit in job.edits]
            case engine_link.Plane() as plane:
                self.planes.append(plane.digest)
            case engine_link.Forget() as forget:
                assert self.job is None
                self.planes = [plane for plane in self.planes if plane not in forget.digests]
            case engine_link.Cancel():
                assert self.job is not None
                self.cancelled = True

    def send_blocks(self, blocks):
        assert self.socket is not None

    def receive(self):
        (message, frames), self.message = self.message, None
        return engine_link.decode(engine_link.encode(message)), frames

    def watch(self):
        """Nothing stalls here."""

    def has_died(self):
        if self.dead:
            self.end(WorkerState.LOST)
            self.dead = False
            return True
        return False

    def end(self, state):
        self.socket, self.state, self.job = None, state, None

    def can(self, action):
        return {
            "be ready": self.state is WorkerState.STARTING,
            "fail": self.state is WorkerState.STARTING,
            "answer": self.job is not None,
            "lack": self.job is not None,
            "die": self.socket is not None,
        }[action]

    def do(self, action, *fields):
        if action == "die":
            self.dead = True
            return
        frames = [self.job] if action == "answer" else []
        self.message, self.job = (self.say(action, *fields), frames), None

    def say(self, action, *fields):
        match action:
            case "be ready":
                device, found, *fault = fields or (self.device, [self.device])
                return Ready(device, found, ["one"], *fault)
            case "fail":
                (failure,) = fields or [Failure("bad_weights", {"file": "x", "reason": "broken"})]
                return CannotStart(failure)
            case "answer":
                return Reply(*(fields or (self.device, [])))
            case "lack":
                return Missing([PHOTOS[0]], [])


class Bench:
    """A pool, its engines, and all answers by job."""

    def __init__(self, devices):
        self.engines, self.jobs, self.answers = [], [], {}
        store = PlaneStore()
        for digest, pixel in zip(PHOTOS, PIXELS, strict=True):
            store.put(PutPhoto(digest, 1, 1, 8, 0, 1), pixel)
        self.pool = EnginePool(self.make, devices, store, self.answer)
        self.pool.devices.start()

    def make(self, device):
        self.engines.append(FakeEngine(device))
        return self.engines[-1]

    def answer(self, job, reply, blob):
        if not isinstance(reply, Progress):
            self.answers.setdefault(job.id, []).append(reply)

    def submit(self, request, session=b"a", owner=""):
        name = str(len(self.jobs))
        self.jobs.append(Job(session, name, request, encode_request(name, request), owner))
        self.pool.submit(self.jobs[-1])
        self.turn()
        return self.jobs[-1].id

    def do(self, number, action, *fields):
        self.engines[number].do(action, *fields)
        self.turn()

    def turn(self):
        self.pool.turn({engine for engine in self.engines if engine.message})

    def codes(self, job):
        return [reply.code for reply in self.answers[job] if isinstance(reply, SemcolorError)]


REQUESTS = [
    *(Colorize(photo, labels, WHOLE) for photo in PHOTOS[:2] for labels in PHOTOS[2:]),
    Segment(PHOTOS[0], WHOLE),
]
ACTIONS = ["be ready", "answer", "die", "die", "lack", "fail"]
submissions = st.tuples(st.just("submit"), st.sampled_from([b"a", b"b"]), st.sampled_from(REQUESTS))
happenings = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2), st.none())
cancellations = st.tuples(st.just("cancel"), st.integers(0, 9), st.none())
events = st.lists(
    st.one_of(submissions, submissions, happenings, happenings, cancellations), max_size=60
)


@settings(max_examples=300)
@given(st.integers(1, 3), events)
def test_every_job_is_answered_exactly_once_whatever_happens(count, events):
    bench = Bench(["cpu"] * count)
    for number in range(count):
        bench.do(number, "be ready")
    for action, who, request in events:
        if action == "submit":
            bench.submit(request, who)
        elif action == "cancel" and who < len(bench.jobs):
            job = bench.jobs[-1 - who]
            is_open = job.id not in bench.answers
            assert bench.pool.cancel(job.session, job.id) == is_open
        elif action in ACTIONS and who < count and bench.engines[who].can(action):
            bench.do(who, action)
        bench.pool.heartbeat()
    for _ in range(200):
        for number, engine in enumerate(bench.engines):
            for action in ("be ready", "answer"):
                if engine.can(action):
                    bench.do(number, action)
    assert len(bench.pool) == 0
    assert [len(bench.answers[job.id]) for job in bench.jobs] == [1] * len(bench.jobs)


def test_an_older_edit_is_answered_at_once_and_what_runs_is_finished():
    bench = Bench(["cpu"])
    bench.do(0, "be ready")
    running, older, newer = (
        bench.submit(Colorize(PHOTOS[0], labels, WHOLE)) for labels in PHOTOS[:3]
    )
    assert bench.codes(older) == [Code.SUPERSEDED]
    assert {running, newer}.isdisjoint(bench.answers)
    bench.do(0, "answer")
    assert bench.answers[running] == [running]
    assert bench.engines[0].job == newer


def test_an_engine_gets_what_it_lacks_with_the_job_and_nothing_twice():
    bench = Bench(["cpu"])
    bench.do(0, "be ready")

    def received(*answer):
        """The planes that went with another strip's job."""
        bench.engines[0].planes.clear()
        bench.submit(Colorize(PHOTOS[0], PHOTOS[1], WHOLE))
        bench.do(0, "answer", *answer)
        return bench.engines[0].planes

    assert received() == PHOTOS[:2]
    assert received() == []
    assert received("cpu", [PHOTOS[1]]) == []  # the answer says that this one has gone
    assert received() == [PHOTOS[1]]
    bench.do(0, "die")
    bench.do(0, "be ready")
    assert received() == PHOTOS[:2]


def test_cancelling_tells_the_engine_that_runs_the_job():
    bench = Bench(["cpu"])
    bench.do(0, "be ready")
    job = bench.submit(Colorize(PHOTOS[0], "", WHOLE))
    assert bench.pool.cancel(b"a", job)
    assert not bench.pool.cancel(b"a", job)
    assert bench.engines[0].cancelled
    bench.do(0, "lack")  # it had not begun
    assert bench.engines[0].state is WorkerState.READY
    other = bench.submit(Colorize(PHOTOS[0], "", WHOLE))
    bench.pool.cancel(b"a", other)
    bench.do(0, "die")
    bench.do(0, "be ready")
    assert bench.engines[0].job is None  # it is not repeated
    assert bench.codes(job) == bench.codes(other) == [Code.CANCELLED]


def test_a_client_that_is_gone_leaves_no_jobs():
    bench = Bench(["cpu"])
    bench.do(0, "be ready")
    for session in (b"a", b"a", b"b"):
        bench.submit(Segment(PHOTOS[0], WHOLE), session)
    bench.pool.forget(b"a")
    assert bench.engines[0].cancelled
    bench.do(0, "answer")
    bench.do(0, "answer")
    assert list(bench.answers) == ["2"]
    assert len(bench.pool) == 0


def test_photos_stay_with_their_engine_and_move_when_it_dies():
    bench = Bench(["cuda:0", "cuda:1"])
    for number in (0, 1):
        bench.do(number, "be ready")
    first, second = (bench.submit(Colorize(photo, "", WHOLE)) for photo in PHOTOS[:2])
    third = bench.submit(Segment(PHOTOS[0], WHOLE))
    assert [engine.job for engine in bench.engines] == [first, second]
    bench.do(0, "die")
    bench.do(1, "answer")
    assert bench.engines[1].job == first
    bench.do(0, "be ready")
    bench.do(1, "answer")
    assert bench.engines[1].job == third  # its photo is there now
    new = bench.submit(Colorize(PHOTOS[2], "", WHOLE))
    assert bench.engines[0].job == new
    assert bench.pool.restarts == 1


def test_a_device_that_keeps_failing_is_taken_out_but_never_the_last():
    bench = Bench(["cuda:0", "cuda:1"])
    bench.do(1, "be ready")
    for _ in range(3):
        bench.do(0, "die")
    faulty, fine = bench.pool.devices.engines
    assert "cuda:0 died 3 times in a row" in str(faulty.fault.error)
    assert not fine.fault
    assert bench.engines[0].socket is None
    jobs = [bench.submit(Colorize(photo, "", WHOLE)) for photo in PHOTOS]
    for _ in jobs:
        bench.do(1, "answer")
    assert [bench.answers[job] for job in jobs] == [[job] for job in jobs]
    for _ in range(3):
        bench.do(1, "die")
    job = bench.submit(Colorize(PHOTOS[0], "", WHOLE))  # tries anew
    assert bench.pool.devices.engines[1].state == "starting"
    bench.do(1, "be ready")
    bench.do(1, "answer")
    assert bench.answers[job] == [job]
    assert bench.engines[1].engines == 1  # all threads and memory are for the one that is left


def test_what_killed_two_engines_kills_no_third():
    bench = Bench(["cpu"])
    job = bench.submit(Colorize(PHOTOS[0], "", WHOLE, 2048))
    for _ in range(2):
        bench.do(0, "be ready")
        bench.do(0, "die")
    assert bench.codes(job) == [Code.QUARANTINED]
    bench.do(0, "be ready")
    for labels in PHOTOS:
        again = bench.submit(Colorize(PHOTOS[0], labels, WHOLE, 2048))
        assert bench.codes(again) == [Code.QUARANTINED]
    smaller = bench.submit(Colorize(PHOTOS[0], "", WHOLE, 1024))
    assert bench.engines[0].job == smaller


def test_what_is_let_go_leaves_the_engine_between_two_jobs():
    bench = Bench(["cpu"])
    engine = bench.engines[0]
    bench.do(0, "be ready")
    for photo in PHOTOS[:2]:
        bench.submit(Colorize(photo, "", WHOLE))
    bench.pool.let_go([PHOTOS[0]])
    bench.pool.turn(set())
    assert engine.planes == [PHOTOS[0]]  # its job is in hand
    bench.do(0, "answer")
    bench.do(0, "answer")
    bench.pool.turn(set())
    assert engine.planes == [PHOTOS[1]]
    bench.submit(Colorize(PHOTOS[0], "", WHOLE))
    assert engine.planes == [PHOTOS[1], PHOTOS[0]]  # sent again


def test_bad_luck_is_forgiven_soon_and_what_kills_again_later_each_time(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(quarantine.time, "monotonic", lambda: now)
    kept, request = quarantine.Quarantine(), Colorize(PHOTOS[0], "", WHOLE)
    lasted = []
    for _ in range(6):
        kept.add(request)
        begin = now
        while request in kept:
            now += 1
        lasted.append(now - begin)
    assert lasted == [10, 20, 40, 80, 160, 160]
    now += 700
    assert request not in kept
    kept.add(request)
    now += 10
    assert request not in kept  # that was long ago


@pytest.mark.parametrize("ran_out", [True, False])
def test_only_what_an_engine_had_no_memory_for_is_repeated_with_less(ran_out):
    bench = Bench(["cpu"])
    bench.do(0, "be ready")
    job = bench.submit(REQUESTS[0])
    assert not bench.engines[0].low_memory
    bench.engines[0].ran_out = ran_out
    bench.do(0, "die")
    bench.do(0, "be ready")
    assert bench.engines[0].job == job
    assert bench.engines[0].low_memory == ran_out
    bench.do(0, "answer")
    bench.submit(REQUESTS[1])
    assert not bench.engines[0].low_memory


def missing(device):
    return Failure.of(SemcolorError(Code.NO_DEVICE, device=device, example="cpu"))


def test_a_device_that_is_not_there_is_left_out_unless_there_is_no_other():
    bench = Bench(["cuda:0", "cuda:7"])
    jobs = [bench.submit(Colorize(photo, "", WHOLE)) for photo in PHOTOS[:2]]
    bench.do(1, "fail", missing("cuda:7"))
    assert "There is no cuda:7" in str(bench.pool.devices.engines[1].fault.error)
    assert not bench.answers
    bench.do(0, "fail", missing("cuda:0"))
    assert [bench.codes(job) for job in jobs] == [[Code.NO_DEVICE]] * 2
    assert not bench.pool.devices.engines[0].fault


def unusable(device):
    return Failure.of(SemcolorError(Code.DEVICE_UNUSABLE, device=device, reason="no kernel image"))


def test_the_cpu_stands_in_for_a_device_that_cannot_be_used():
    bench = Bench([])
    bench.do(0, "be ready", "cpu", ["cpu"], unusable("cuda:0"))
    (engine,) = bench.pool.devices.engines
    assert engine.device == "cpu"
    assert engine.is_used
    assert "cuda:0 can't be used (no kernel image)" in str(engine.fault.error)
    job = bench.submit(REQUESTS[0])
    bench.do(0, "answer")
    assert len(bench.answers[job]) == 1


def test_beside_a_device_that_works_no_cpu_stands_in():
    bench = Bench(["cuda:0", "cuda:1"])
    bench.do(0, "be ready")
    bench.do(1, "be ready", "cpu", ["cuda:1"], unusable("cuda:1"))
    fine, left_out = bench.pool.devices.engines
    assert fine.is_used
    assert not fine.fault
    assert not left_out.is_used
    assert "cuda:1 can't be used" in str(left_out.fault.error)


def test_a_device_that_could_not_be_used_is_tried_again_while_nobody_works(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(device_slot.time, "monotonic", lambda: now[0])
    bench = Bench([])
    bench.do(0, "be ready", "cpu", ["cpu"], unusable("cuda:0"))
    waits = []
    for _ in range(6):
        begin = now[0]
        while bench.engines[0].state is WorkerState.READY:
            now[0] += 10
            bench.pool.heartbeat()
        waits.append(now[0] - begin)
        bench.do(0, "be ready", "cpu", ["cpu"], unusable("cuda:0"))
    assert waits == [310, 610, 1210, 2410, 3610, 3610]
    now[0] += 3590
    job = bench.submit(REQUESTS[0])
    now[0] += 3590
    bench.pool.heartbeat()
    assert bench.engines[0].job == job  # somebody works
    bench.do(0, "answer")
    now[0] += 3590
    bench.pool.heartbeat()
    assert bench.engines[0].state is WorkerState.READY
    now[0] += 20
    bench.pool.heartbeat()
    bench.do(0, "be ready", "cuda:0", ["cuda:0"])
    assert bench.pool.devices.engines[0].device == "cuda:0"
    assert not bench.pool.devices.engines[0].fault
    now[0] += 10_000
    bench.pool.heartbeat()
    assert bench.engines[0].state is WorkerState.READY


def test_an_engine_that_moved_to_the_cpu_is_shown_there():
    bench = Bench(["cuda:0"])
    bench.do(0, "be ready", "cuda:0", ["cuda:0"])
    bench.submit(REQUESTS[0])
    bench.do(0, "answer", "cpu", [])
    assert [engine.device for engine in bench.pool.devices.engines] == ["cpu"]


@pytest.mark.parametrize("found", [["cpu"], ["cuda:0", "cuda:1", "cuda:2"]])
def test_without_devices_the_first_engine_says_which_there_are(found):
    bench = Bench([])
    for _ in range(2):
        bench.do(0, "be ready", found[0], found)
        bench.do(0, "die")
    assert [engine.device for engine in bench.engines] == found
    assert all(engine.state is WorkerState.STARTING for engine in bench.engines)


def test_one_owner_has_so_many_jobs_waiting_and_no_more():
    bench = Bench(["cpu"])
    jobs = [bench.submit(Segment(PHOTOS[0], WHOLE), owner="bert") for _ in range(300)]
    refused = [job for job in jobs if job in bench.answers]
    assert refused == jobs[256:]
    assert {code for job in refused for code in bench.codes(job)} == {Code.TOO_MANY_JOBS}
    assert bench.submit(Segment(PHOTOS[0], WHOLE), b"b", owner="anna") not in bench.answers
