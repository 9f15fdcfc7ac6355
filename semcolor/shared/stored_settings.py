"""Settings in a small JSON file that several processes share.

A file of an earlier version is brought up to date step by step. One of a later version is left as
it is, for the semcolor that wrote it; this one goes without. One that cannot be read is set aside.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .atomic_files import make_private_folder, patiently, replacing
from .errors import Code, SemcolorError

Stored = dict[str, Any]
"""What the file holds, without its version."""
Edit = Callable[[Stored], Stored]

_VERSION = "version"  # the key, which no setting can have
_STALE_SECONDS = 1.0  # far more than a change takes
_RETRY_SECONDS = 0.01


class SettingsFile:
    """A file of settings. ``steps[n]`` makes those of version n + 2 of those of version n + 1.

    ``private``: nobody but the user may read it.
    """

    def __init__(self, path: Path, steps: Sequence[Edit] = (), *, private: bool = False) -> None:
        self.path = path
        self._steps = steps
        self._private = private
        self._claim = path.with_name(path.name + ".claim")

    def load(self) -> Stored:
        """What is stored, up to date; nothing when there is no file, or none for this version.

        Raises OSError for a file that must not be read.
        """
        with contextlib.suppress(SemcolorError):
            try:
                return self._read()
            except ValueError:
                with self._claimed():
                    return self._read_or_set_aside()
        return {}

    def change(self, edit: Edit) -> None:
        """Replace what is stored by what ``edit`` makes of it; other processes wait meanwhile.

        Raises SemcolorError (LATER_SETTINGS) when the file is of a later version, and OSError.
        """
        make_private_folder(self.path.parent)
        with self._claimed():
            stored = edit(self._read_or_set_aside())
            text = json.dumps({_VERSION: self._version, **stored}, indent=2)
            with replacing(self.path, private=self._private) as part:
                part.write_text(text + "\n", "utf-8")

    @property
    def _version(self) -> int:
        return len(self._steps) + 1

    def _read(self) -> Stored:
        """Raises ValueError for what is no settings file, SemcolorError for a later version."""
        try:
            stored = json.loads(patiently(lambda: self.path.read_text("utf-8")))
        except FileNotFoundError:
            return {}
        version = stored.pop(_VERSION, None) if isinstance(stored, dict) else None
        if not isinstance(version, int) or version < 1:
            raise ValueError("no version")
        if version > self._version:
            raise SemcolorError(Code.LATER_SETTINGS, file=str(self.path))
        try:
            for step in self._steps[version - 1 :]:
                stored = step(stored)
        except (KeyError, TypeError) as error:
            raise ValueError("not the settings of its version") from error
        return dict(stored)

    def _read_or_set_aside(self) -> Stored:
        try:
            return self._read()
        except ValueError:
            aside = self.path.with_name(self.path.name + ".unreadable")
            patiently(lambda: self.path.replace(aside))
            return {}

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[None]:
        """Alone with the file: others wait for as long as the claim is there."""
        self._wait_for_claim()
        try:
            yield
        finally:
            patiently(lambda: self._claim.unlink(missing_ok=True))

    def _wait_for_claim(self) -> None:
        holder: object = None
        stale = 0.0
        while True:
            try:
                patiently(lambda: self._claim.touch(exist_ok=False))
                return
            except FileExistsError:
                found = self._holder()
                if found != holder:
                    holder, stale = found, time.monotonic() + _STALE_SECONDS
                elif time.monotonic() > stale:  # whoever made it was killed
                    patiently(lambda: self._claim.unlink(missing_ok=True))
                time.sleep(_RETRY_SECONDS)

    def _holder(self) -> object:
        """Another one for each claim; None when it has just ended."""
        try:
            status = patiently(self._claim.stat)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns
