"""Files that are replaced as a whole: who reads one gets the old content or the new, never half."""

import contextlib
import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_SECONDS = 2.0


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False, only_new: bool = False) -> Iterator[Path]:
    """An empty file to write to, which takes the place of ``path`` when the block ends well.

    It lies in the same folder and has the same suffix. A symbolic link is followed. What is
    replaced keeps its mode; with ``private`` only the user may read and write the file, from its
    first byte on: whose folder it is, where root writes for somebody. With ``only_new`` nothing is
    replaced, also if it came during the block. An error in the block leaves everything as it was.
    Raises OSError, FileExistsError among them.
    """
    target = path.resolve() if path.is_symlink() else path.absolute()
    mode = None if private or not target.exists() else _mode(target)
    part = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    is_public = mode is None and not private
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if is_public else 0o600))
    try:
        if private:
            _give_to_owner(part)
        yield part
        if mode is not None and _mode(part) != mode:
            part.chmod(mode)
        if only_new:
            _move_to_new(part, target)
        else:
            patiently(lambda: part.replace(target))
    finally:
        part.unlink(missing_ok=True)


def patiently(use: Callable[[], T]) -> T:
    """What the use of a file returns, tried for a moment on Windows while somebody has it open.

    There a file can't be replaced or removed meanwhile, nor opened while it is. Raises OSError.
    """
    end = time.monotonic() + (_PATIENCE_SECONDS if sys.platform == "win32" else 0)
    while True:
        try:
            return use()
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)


def make_private_folder(path: Path) -> None:
    """Make a folder, and those around it, that only the user can open. Raises OSError."""
    if path.is_dir():
        return
    make_private_folder(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    _give_to_owner(path)


def _give_to_owner(path: Path) -> None:
    """What root makes in somebody's folder would else be closed to him."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _move_to_new(part: Path, target: Path) -> None:
    try:
        target.hardlink_to(part)  # which fails, in one go, where there is a file
    except FileExistsError:
        raise
    except OSError as error:  # a disk without links, such as a memory card's
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        part.rename(target)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
