"""``python -m semcolor_worker``: the supervisor, in the foreground, as `worker serve` runs it."""

import argparse
import contextlib
import logging
import os
import sys

from filelock import Timeout

from semcolor.client.local_worker import connection_file, pid_file, worker_lock
from semcolor.shared.atomic_files import patiently
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import clients, service
from semcolor_worker.supervisor.server import Supervisor

# Others hold the lock for a moment, to see whether a worker runs. Not longer than that: who waits
# for a running worker takes its place when it is stopped.
_LOCK_SECONDS = 0.2


def main() -> int:
    """Serve; exit code 0 also when another worker runs already, which is as good."""
    parser = argparse.ArgumentParser(prog="semcolor worker serve")
    service.add_options(parser)
    arguments = parser.parse_args()
    try:
        serve(arguments.listen, arguments.metrics, arguments.announce)
    except SemcolorError as error:
        print(f"semcolor: {error}", file=sys.stderr)
        return 0 if error.code == Code.ALREADY_RUNNING and arguments.listen is None else 1
    return 0


def serve(listen: str | None, metrics: int | None = None, announce: bool = False) -> None:
    """Run the supervisor until it is stopped; see there.

    Raises SemcolorError: ALREADY_RUNNING, and as `Supervisor` for what it cannot listen on.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        lock = worker_lock().acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:
        raise SemcolorError(Code.ALREADY_RUNNING) from error
    for path in clients.close_to_others():
        logging.warning("other users could read or change %s: now they can't any more", path)
    _leave_no_core_dumps()
    with lock:
        patiently(lambda: connection_file().unlink(missing_ok=True))  # of one that was killed
        pid_file().write_text(str(os.getpid()))
        Supervisor(listen, metrics, announce).run()


def _leave_no_core_dumps() -> None:
    """Photos are not to outlive a crash, in this process or its engines (POSIX).

    One byte is less than any dump, and is also the limit at which Linux runs no program for it.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


if __name__ == "__main__":
    sys.exit(main())
