"""``python -m semcolor_worker [--listen HOST:PORT]``: the supervisor, in the foreground."""

import argparse
import logging
import sys

from filelock import Timeout

from semcolor.client.local_worker import worker_lock
from semcolor.shared.errors import SemcolorError
from semcolor_worker.supervisor.server import Supervisor

# Others hold the lock for a moment, to see whether a worker runs. Not longer than that: who waits
# for a running worker takes its place when it is stopped.
_LOCK_SECONDS = 0.2


def main() -> int:
    """Serve; exit code 0 also when another worker runs already."""
    parser = argparse.ArgumentParser(prog="semcolor worker serve")
    parser.add_argument("--listen", metavar="HOST:PORT", help="serve the LAN as well")
    arguments = parser.parse_args()
    return serve(arguments.listen)


def serve(listen: str | None) -> int:
    """Run the supervisor until it is stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        with worker_lock().acquire(timeout=_LOCK_SECONDS):
            Supervisor(listen).run()
    except Timeout:
        print("a worker runs on this machine already: `semcolor worker stop` ends it")
        return 0 if listen is None else 1
    except SemcolorError as error:
        print(f"semcolor: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
