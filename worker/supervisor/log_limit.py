"""A log that stays small, whoever writes to it, for a worker that runs for weeks."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from semcolor.client.local_worker import LOG_LIMIT


def limit_log(path: Path, limit: int = LOG_LIMIT) -> None:
    """Move what this process has logged to ``path`` aside when it has become too much.

    What was moved aside before goes. Supervisor and engines append to one file by descriptors of
    their own, so it is emptied, not replaced. Nothing is done where stderr is not that file: a
    worker in the foreground, or of a service that keeps logs itself. Nor on Windows, where writers
    would go on at the old place: there it is done before a worker starts (`local_worker.start`).
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        status = path.stat()
        if status.st_size > limit and os.path.samestat(status, os.fstat(sys.stderr.fileno())):
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)
