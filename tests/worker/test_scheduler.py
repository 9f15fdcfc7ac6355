from semcolor_worker.scheduler import Scheduler


def drained(scheduler):
    return [scheduler.take() for _ in range(len(scheduler))]


def test_sessions_take_turns_and_keep_their_order():
    scheduler = Scheduler()
    for session, job in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2")]:
        scheduler.add(session, job, job)
    assert drained(scheduler) == ["a1", "b1", "a2", "b2", "a3"]
    assert scheduler.take() is None


def test_a_job_to_repeat_goes_before_everything():
    scheduler = Scheduler()
    scheduler.add("a", "a1", "a1")
    scheduler.add("b", "b1", "b1")
    first = scheduler.take()
    scheduler.add_first("a", "a1", first)
    assert drained(scheduler) == ["a1", "b1"]


def test_cancelling_takes_only_that_job():
    scheduler = Scheduler()
    for session, job in [("a", "1"), ("a", "2"), ("b", "1")]:
        scheduler.add(session, job, session + job)
    assert scheduler.cancel("a", "1") == "a1"
    assert scheduler.cancel("a", "1") is None
    assert scheduler.cancel("c", "1") is None
    assert drained(scheduler) == ["a2", "b1"]
