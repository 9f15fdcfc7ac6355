"""A machine with a real systemd as its first process, in namespaces of this one.

It has this one's files, but folders of its own where a service writes, and this Python where other
users can read it too. Nothing of it is left when it is switched off.
"""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/systemd")
CHECKOUT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30

_BOOT = """\
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --rbind / /mnt
for folder in /run /tmp /var /root /etc/systemd/system; do
  mount -t tmpfs -o mode=755 tmpfs $folder
done
chmod 1777 /tmp
for folder in "$@"; do
  if [ ! -e "$folder" ]; then mkdir -p "$folder"; mount --rbind "/mnt$folder" "$folder"; fi
done
for unit in tmpfiles-setup udevd udev-trigger; do
  ln -s /dev/null /etc/systemd/system/systemd-$unit.service  # they look after the whole machine
done
printf '[Unit]\\nDescription=a machine for a test\\n' > /etc/systemd/system/test.target
export container=other
exec {systemd} --system --unit=test.target --log-target=console --show-status=no
"""


class MachineError(Exception):
    """There can be none here."""


class Machine:
    """``run`` runs a command on it, ``semcolor`` the command line; both give what it printed."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "-t", str(pid), "-m", "-p", "-r"]

    def run(
        self, *command: str, home: str = "/root", stdin: bytes = b"", check: bool = True
    ) -> str:
        """With settings and state in this home."""
        folders = [f"XDG_{kind}_HOME={home}/{kind}" for kind in ("CONFIG", "STATE", "CACHE")]
        done = subprocess.run(
            [*self._enter, "env", *folders, *command],
            input=stdin, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert not (check and done.returncode), done.stderr.decode()
        return done.stdout.decode(errors="replace").strip()

    def semcolor(self, *arguments: str, home: str = "/root", check: bool = True) -> str:
        """The command line."""
        command = (sys.executable, "-m", "semcolor.cli", *arguments)
        return self.run(*command, home=home, check=check)


@contextlib.contextmanager
def switched_on() -> Iterator[Machine]:
    """A machine. Raises MachineError."""
    if not (shutil.which("unshare") and shutil.which("nsenter") and SYSTEMD.exists()):
        raise MachineError("this needs util-linux and systemd: apt-get install systemd")
    boot = _BOOT.format(systemd=SYSTEMD)
    paths = [str(CHECKOUT), sys.prefix, sys.base_prefix, *sys.path]
    kept = [path for path in paths if Path(path).is_dir()]
    spaces = ["--mount", "--pid", "--fork", "--cgroup", "--uts", "--ipc", "--kill-child"]
    process = subprocess.Popen(
        ["unshare", *spaces, "sh", "-c", boot, "machine", *kept],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Machine(_first_process(process))
    finally:
        process.kill()
        process.communicate()


def _first_process(process: "subprocess.Popen[bytes]") -> int:
    """Its number here, as soon as it takes commands."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
        ).stdout.split()
        if listed:
            state = Machine(int(listed[0])).run("systemctl", "is-system-running", check=False)
            if state in ("running", "degraded"):
                return int(listed[0])
        time.sleep(0.2)
    process.kill()
    said = process.communicate()[0].decode(errors="replace")[-500:]
    raise MachineError(f"no systemd can be started in namespaces here: {said}")
