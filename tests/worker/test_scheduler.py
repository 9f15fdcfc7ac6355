"""Turns, newest edits, and bounds on waiting; no engine, no sockets."""

import hypothesis.strategies as st
from hypothesis import given

from semcolor.protocol.schema import Colorize, Recolor, Segment, Snap, Suggest, Tint
from semcolor.shared.geometry import Rectangle
from semcolor_worker.supervisor.placement import PhotoPlacement
from semcolor_worker.supervisor.scheduler import MOST_OVERTAKING, Job, Scheduler, supersedes

PHOTO, OTHER, LABELS, NEWER, MASK = (digit * 32 for digit in "01234")
WHOLE = Rectangle(0, 0, 9, 9)


def edit(session, job_id="", labels=LABELS):
    return Job(session, job_id, Snap(PHOTO, labels, WHOLE, 1))


def segmentation(session, job_id=""):
    return Job(session, job_id, Segment(PHOTO, WHOLE))


def drained(scheduler):
    return [scheduler.take() for _ in range(len(scheduler))]


def test_sessions_take_turns_and_keep_their_order():
    scheduler = Scheduler()
    a1, a2, a3, b1, b2 = jobs = [edit(session) for session in (b"a", b"a", b"a", b"b", b"b")]
    for job in jobs:
        scheduler.add(job)
    assert drained(scheduler) == [a1, b1, a2, b2, a3]
    assert scheduler.take() is None


def test_what_supersedes_what():
    older = Colorize(PHOTO, LABELS, WHOLE)
    newer = Colorize(PHOTO, NEWER, WHOLE)
    assert supersedes(newer, older)
    assert supersedes(Colorize(PHOTO, LABELS, WHOLE, tints=(Tint(7, "#102030"),)), older)
    assert supersedes(Colorize(PHOTO, LABELS, WHOLE, detail=64), older)
    assert supersedes(Recolor(PHOTO, NEWER, ""), Recolor(PHOTO, LABELS, ""))
    assert not supersedes(Recolor(PHOTO, NEWER, LABELS), Recolor(PHOTO, NEWER, ""))
    assert not supersedes(Colorize(PHOTO, LABELS, Rectangle(0, 9, 9, 9)), older)  # another strip
    assert not supersedes(Colorize(OTHER, NEWER, WHOLE), older)
    assert not supersedes(newer, Recolor(PHOTO, LABELS, ""))
    assert not supersedes(Recolor(PHOTO, NEWER, LABELS), older)
    for request in (
        Segment(PHOTO, WHOLE), Snap(PHOTO, LABELS, WHOLE, 1), Suggest(PHOTO, LABELS, MASK)
    ):  # fmt: skip
        assert not supersedes(newer, request)
        assert not supersedes(request, older)


def test_only_the_same_session_supersedes():
    scheduler = Scheduler()
    old = [Job(b"a", str(y), Colorize(PHOTO, LABELS, Rectangle(0, y, 9, 1))) for y in range(3)]
    other = Job(b"b", "", Colorize(PHOTO, LABELS, WHOLE))
    for job in (*old, other):
        assert scheduler.add(job) == []
    new = Job(b"a", "new", Colorize(PHOTO, NEWER, WHOLE))
    assert scheduler.add(new) == old
    assert drained(scheduler) == [new, other]


def test_a_job_to_repeat_goes_before_everything_unless_superseded():
    scheduler = Scheduler()
    old, other = Job(b"a", "", Colorize(PHOTO, LABELS, WHOLE)), edit(b"b")
    scheduler.add(old)
    scheduler.add(other)
    assert scheduler.take() is old
    assert scheduler.put_back(old)
    assert scheduler.take() is old
    new = Job(b"a", "", Colorize(PHOTO, NEWER, WHOLE))
    scheduler.add(new)
    assert not scheduler.put_back(old)
    assert drained(scheduler) == [new, other]


def test_a_segmentation_to_repeat_goes_before_edits_too():
    scheduler = Scheduler()
    scheduler.add(segmentation(b"a"))
    job = scheduler.take()
    for session in (b"a", b"b"):
        scheduler.add(edit(session))
    assert scheduler.put_back(job)
    assert scheduler.take() is job


def test_cancelling_takes_only_that_job():
    scheduler = Scheduler()
    a1, a2, b1 = edit(b"a", "1"), segmentation(b"a", "2"), edit(b"b", "1")
    for job in (a1, a2, b1):
        scheduler.add(job)
    assert scheduler.cancel(b"a", "1") is a1
    assert scheduler.cancel(b"a", "1") is None
    assert scheduler.cancel(b"c", "1") is None
    assert drained(scheduler) == [b1, a2]


def test_edits_overtake_a_segmentation_only_so_often():
    scheduler = Scheduler()
    slow = segmentation(b"a")
    scheduler.add(slow)
    taken = []
    for _ in range(2 * MOST_OVERTAKING):
        for session in (b"a", b"b", b"c"):
            scheduler.add(edit(session))
        taken.append(scheduler.take())
    assert MOST_OVERTAKING <= taken.index(slow) < MOST_OVERTAKING + 3
    left = scheduler.clear(b"b") + scheduler.clear()
    assert len(left) == 3 * len(taken) + 1 - len(taken)
    assert len(scheduler) == 0


def same(one, other):
    return one.session == other.session


def is_segmentation(job):
    return isinstance(job.request, Segment)


SESSIONS = [b"a", b"b", b"c", b"d"]
OTHERS = len(SESSIONS) - 1
sessions = st.sampled_from(SESSIONS)
requests = st.one_of(
    st.builds(
        Colorize, st.sampled_from([PHOTO, OTHER]), st.sampled_from([LABELS, NEWER]), st.just(WHOLE)
    ),
    st.builds(Recolor, st.just(PHOTO), st.sampled_from([LABELS, NEWER]), st.just("")),
    st.just(Segment(PHOTO, WHOLE)),
    st.just(Snap(PHOTO, LABELS, WHOLE, 1)),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), sessions, requests),
        st.tuples(st.sampled_from(["take", "take", "put back", "cancel"]), sessions, requests),
    ),
    max_size=120,
)


@given(actions)
def test_every_job_ends_once_the_newest_runs_and_nobody_waits_long(actions):
    scheduler = Scheduler()
    ended, waiting = [], []
    passed = {}  # by waiting job: whose ran since it came, or since its session's last turn

    def end(jobs):
        for job in jobs:
            waiting.remove(job)
            ended.append(job)

    def take():
        job = scheduler.take()
        assert (job is None) == (not waiting)
        if job is None:
            return
        end([job])
        assert not any(supersedes(w.request, job.request) for w in waiting if same(w, job))
        for other in waiting:
            passed[other] = [] if same(other, job) else [*passed[other], job.session]
            if is_segmentation(other):
                assert len(passed[other]) <= MOST_OVERTAKING + OTHERS
            else:
                assert len(set(passed[other])) == len(passed[other])

    count = 0
    for action, session, request in actions:
        if action == "add":
            count += 1
            job = Job(session, str(count), request)
            passed[job] = []
            waiting.append(job)
            end(scheduler.add(job))
            assert job in waiting
        elif action == "take":
            take()
        elif action == "put back" and ended and ended[-1].attempts == 0:
            job = ended[-1]
            job.attempts = 1
            if scheduler.put_back(job):
                waiting.append(ended.pop())
            passed = {waits: [] for waits in waiting}  # its session has its turn again
        elif action == "cancel" and waiting:
            end([scheduler.cancel(waiting[0].session, waiting[0].id)])
    while waiting:
        take()
    assert sorted(int(job.id) for job in ended) == list(range(1, count + 1))


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2)), max_size=100))
def test_a_photo_stays_with_its_engine_until_that_is_lost(events):
    placement, home = PhotoPlacement(), {}
    for photo, lost in events:
        if photo > 70:
            placement.lose(lost)
            home = {name: engine for name, engine in home.items() if engine != lost}
            continue
        engine = placement.find(str(photo), [0, 1, 2])
        assert home.setdefault(photo, engine) == engine
        if len(home) > 60:
            return  # photos of long ago are forgotten


def test_new_photos_go_where_the_fewest_are():
    placement = PhotoPlacement()
    assert [placement.find(photo, [0, 1]) for photo in "abcd"] == [0, 1, 0, 1]
    placement.lose(0)
    assert placement.find("a", [1, 2]) == 2
    assert placement.find("b", [0, 2]) == 1
