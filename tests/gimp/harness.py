"""Run a real GIMP with the plug-in installed, apart from the user's own GIMP and settings.

GIMP runs in its root folder (see `roots`), the bridge and the worker on the machine itself, in the
Python that runs the tests. So the bridge's command leaves the root again through `/host`, the way
that a plug-in in a sandbox starts a program outside. When the machine itself has this version of
GIMP, that one is used, without any root.
"""

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from . import roots

CHECKOUT = Path(__file__).resolve().parents[2]

_INSTALL = """\
import json, sys
request = json.load(sys.stdin)
sys.path.insert(0, request["checkout"])
from pathlib import Path
from installer.plugin import install_plugin
from semcolor.shared.gimps import gimps
(gimp,) = gimps()
assert gimp.profile == Path(request["profile"]), gimp
print(install_plugin(gimp, request["bridge"], palette=request["palette"]))
"""

# Runs the script in GIMP's Python with its helpers (see `inside`), and writes down its `result`.
_RUN = """\
import json, sys
open({started!r}, "w").close()
sys.path.insert(0, {helpers!r})
import inside, processes, screen
names = dict(vars(inside) | vars(processes) | vars(screen), result={{}})
exec(compile(open({script!r}).read(), {script!r}, "exec"), names)
json.dump(names["result"], open({answer!r}, "w"))
"""


# Searching for a menu entry needs pauses that no machine keeps.
_SHORTCUTS = """\
(file-version 1)
(action "plug-in-semcolor-panel" "<Primary><Alt>p")
(action "plug-in-semcolor-colorize-with-settings" "<Primary><Alt>c")
(action "view-flip-horizontally" "<Primary><Alt>h")
(action "view-rotate-90" "<Primary><Alt>r")
"""


own_crashes: list[str] = []
"""The versions of GIMP that crashed before the script began, or after it: seen in 3.2."""


class GimpError(AssertionError):
    """GIMP, or the script in it, failed; the message is what it printed."""


class Gimp:
    """A GIMP of one version with a profile of its own in `folder`.

    Args:
        version: "3.0" or "3.2".
        folder: an empty folder; GIMP, the bridge and the worker keep all their files in it.
    """

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.folder = folder
        self._console = f"gimp-console-{version}"
        self._root = None if shutil.which(self._console) else roots.root_path(version)
        self.environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            **{f"XDG_{name}_HOME": str(folder / name.lower()) for name in _XDG_NAMES},
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        (folder / "run").mkdir(mode=0o700)
        self.profile = folder / "config/GIMP" / version
        self.profile.mkdir(parents=True)
        (self.profile / "shortcutsrc").write_text(_SHORTCUTS)

    def install(self, palette: str) -> Path:
        """Install the plug-in the way a user's set-up does, with GIMP's own Python."""
        request = {
            "checkout": self.path(CHECKOUT),
            "profile": str(self.profile),
            "bridge": self.host_command(sys.executable, "-I", "-m", "semcolor.bridge"),
            "palette": palette,
        }
        done = self._start(["/usr/bin/python3", "-c", _INSTALL], input=json.dumps(request))
        if done.returncode:
            raise GimpError(done.stderr)
        return Path(done.stdout.strip())

    def stop_worker(self) -> None:
        """End the worker that the bridge has started, if any."""
        self.worker("stop")

    def worker(self, action: str) -> None:
        """`semcolor worker …`, on the machine itself."""
        command = [sys.executable, "-I", "-m", "semcolor.cli", "worker", action]
        subprocess.run(command, env=self.environment, check=True)

    def bridges(self) -> list[int]:
        """The bridges that this GIMP has left running."""
        home = f"HOME={self.environment['HOME']}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                if b"semcolor.bridge" in words:
                    variables = (process / "environ").read_bytes().split(b"\0")
                    found += [int(process.name)] if home in variables else []
            except OSError:  # it has just ended
                continue
        return found

    def host_command(self, *command: str) -> list[str]:
        """A command that runs on the machine itself when GIMP starts it."""
        return ["/usr/sbin/chroot", "/host", *command] if self._root else list(command)

    def shell(self, command: str) -> None:
        """Run a shell command where GIMP is, in `folder`.

        Raises:
            GimpError: it failed.
        """
        done = self._start(["sh", "-c", f'cd "$0" && {command}', str(self.folder)])
        if done.returncode:
            raise GimpError(f"{done.stdout}\n{done.stderr}")

    def run(self, script: str, **environment: str) -> dict[str, Any]:
        """Run a script in GIMP without a window, and return what it put in `result`.

        Pixels (see `inside.pixels`) come back as numpy arrays.

        Raises:
            GimpError: the script raised, or GIMP died.
        """
        return self._run([self._console, "-i"], script, environment)

    def check_rows(self, photo: Path, check: str, rows: list[str]) -> dict[str, Any]:
        """What a check finds for each row of a table, all in one start of GIMP.

        Args:
            check: the module and the function, such as "soft.check_soft".
        """
        script = f"""
        import pictures, work, {check.partition(".")[0]}
        gray = pictures.gray_picture({self.path(photo)!r})
        work.run(result, {rows!r}, {check}(gray))
        """
        return self.run(script, BABL_LUT="0")

    def run_in_window(
        self, script: str, screen_size: str = "1600x1000", **environment: str
    ) -> dict[str, Any]:
        """Like `run`, in a real window on a screen of its own, which `screen` can press keys in."""
        # Keys don't repeat: on a busy machine, each is held down for long.
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {screen_size}x24 -r"]
        # Without a window manager, no window would be given the keyboard reliably.
        desktop = ["sh", "-c", 'openbox & exec "$@"', "sh"]
        gimp = [f"gimp-{self.version}", "-n"]
        return self._run([*screen, *desktop, *gimp], script, environment)

    def _run(self, command: list[str], script: str, environment: dict[str, str]) -> dict[str, Any]:
        script_file, answer = self.folder / "script.py", self.folder / "answer.json"
        started = self.folder / "started"
        script_file.write_text(textwrap.dedent(script))
        for file in (answer, started):
            file.unlink(missing_ok=True)
        batch = _RUN.format(
            started=str(started),
            helpers=self.path(Path(__file__).parent),
            script=str(script_file),
            answer=str(answer),
        )
        options = ["-s", "--batch-interpreter", "python-fu-eval", "-b", batch, "--quit"]
        done = self._start([*command, *options], environment)
        if _has_crashed(done) and (answer.exists() or not started.exists()):
            own_crashes.append(self.version)
            answer.unlink(missing_ok=True)
            done = self._start([*command, *options], environment)
        if done.returncode or not answer.exists():
            raise GimpError(f"GIMP {self.version} failed ({done.returncode}):\n{done.stderr}")
        return json.loads(answer.read_text(), object_hook=_to_array)

    def path(self, path: str | Path) -> str:
        """How GIMP sees a path of the machine. (Paths in `folder` are the same for both.)"""
        return f"/host{path}" if self._root else str(path)

    def _where_gimp_is(self, command: list[str]) -> list[str]:
        """The command that runs this one there."""
        return roots.inside(self.version, self.folder, command) if self._root else command

    def _start(
        self,
        command: list[str],
        environment: dict[str, str] | None = None,
        input: str | None = None,
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            self._where_gimp_is(command),
            env={**self.environment, **(environment or {})},
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )


def _has_crashed(done: subprocess.CompletedProcess) -> bool:
    """Whether GIMP ended by signal 11, which it, or a shell around it, may tell in its own way."""
    segfault = signal.SIGSEGV
    return done.returncode in (-segfault, 128 + segfault) or (
        done.returncode != 0 and signal.strsignal(segfault) in done.stderr
    )


_XDG_NAMES = ("CONFIG", "DATA", "STATE", "CACHE")


def _to_array(value: dict) -> Any:
    """Turn what `inside.pixels` returned into an array of shape (height, width, channels)."""
    if "pixels" not in value:
        return value
    return np.fromfile(value["pixels"], value["dtype"]).reshape(value["shape"])
