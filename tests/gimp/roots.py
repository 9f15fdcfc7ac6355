"""Root folders with a real GIMP 3.0 and a real GIMP 3.2, for the tests.

A *root* is a folder with a small Debian in it: GIMP 3.0 comes with trixie, GIMP 3.2 with forky. The
roots are built once (`python tests/gimp/roots.py`, as root, some minutes) and kept in
`$XDG_CACHE_HOME/semcolor-tests`. Nothing on the machine itself is changed except that `debootstrap`
is installed when it is missing. Packages come from the Debian mirror that the machine's own apt
uses, and their signatures are checked against the machine's Debian keyring.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

RELEASES = {"3.0": "trixie", "3.2": "forky"}

# What the tests need, and what makes a screenshot look like a real desktop.
PACKAGES = [
    "gimp",
    "gir1.2-gimp-3.0",
    "python3-gi",
    "python3-gi-cairo",
    "xvfb",
    "xauth",
    "openbox",
    "xdotool",
    "scrot",
    "librsvg2-common",
    "adwaita-icon-theme",
    "fonts-dejavu-core",
    "fonts-cantarell",
]
# One root with it will do: for the pages that semcolor makes, for Windows' programs, for a sandbox.
MORE = {"3.0": ["chromium", "wine", "wine64", "bubblewrap"]}

# Documentation and translations are half of the size and much of the time, and fsync is most of the
# rest; a root that is cut off half-built is thrown away, so it needs no fsync.
DPKG_OPTIONS = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/gimp/*/help/*
"""
# A mirror may be a frozen copy, whose Release file is past its date; it is signed all the same.
APT_OPTIONS = """\
APT::Install-Recommends "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
"""


# Everything is mounted in a namespace of its own, so that nothing is left behind.
_ENTER_ROOT = """\
set -e
root=$1 folder=$2
shift 2
mkdir -p "$root/host"
mount --rbind / "$root/host"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$folder"
mount --bind "$folder" "$root$folder"
exec chroot "$root" "$@"
"""


class RootError(Exception):
    """A root cannot be had here; the message says what to do."""


# Read when the tests are collected: later each test has folders of its own.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semcolor-tests"


def cache_dir() -> Path:
    """The folder that holds the roots; may not exist yet."""
    return _CACHE


def root_path(version: str) -> Path:
    """Where the root with this GIMP version ("3.0", "3.2") is, or would be."""
    return cache_dir() / f"gimp-{version}"


def is_built(version: str) -> bool:
    """Whether a complete root of the present recipe is there."""
    marker = _marker(root_path(version))
    return marker.is_file() and marker.read_text() == _recipe(version)


def why_impossible() -> str | None:
    """The sentence that says why no root can be built here, or None when it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "GIMP's tests need Debian and root: run `sudo python tests/gimp/roots.py` once."
    if not shutil.which("apt-get"):
        return "GIMP's tests build their GIMPs with Debian's tools: run them on Debian."
    return None


def inside(version: str, folder: Path, command: list[str]) -> list[str]:
    """The command that runs this one in a root; `folder` is at the same place there."""
    prefix = ["unshare", "--mount", "sh", "-c", _ENTER_ROOT, "sh"]
    return [*prefix, str(root_path(version)), str(folder), *command]


def build(version: str) -> Path:
    """Build the root with this GIMP version, unless a complete one is there; return its path."""
    root = root_path(version)
    if is_built(version):
        return root
    reason = why_impossible()
    if reason:
        raise RootError(reason)
    _install_debootstrap()
    mirror = _debian_mirror()
    print(f"Building GIMP {version} in {root}", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    with (cache_dir() / f"gimp-{version}.log").open("wb") as log:
        _debootstrap(RELEASES[version], root, mirror, log)
        _install_packages(root, _packages(version), log)
    _marker(root).write_text(_recipe(version))
    return root


def _packages(version: str) -> list[str]:
    return [*PACKAGES, *MORE.get(version, [])]


def _recipe(version: str) -> str:
    return "\n".join([*_packages(version), DPKG_OPTIONS, APT_OPTIONS])


def _marker(root: Path) -> Path:
    return root / "semcolor-complete"


def _install_debootstrap() -> None:
    if not shutil.which("debootstrap"):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "debootstrap"], check=True)


def _debian_mirror() -> str:
    """The URL of the Debian archive that this machine's apt uses."""
    for fetch in (False, True):
        if fetch:  # apt knows which of its sources is Debian only after an update
            subprocess.run(["apt-get", "update", "-qq"], check=True)
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in targets.splitlines():
            origin, label, uri = line.split("|", 2)
            if origin == label == "Debian":
                return uri
    raise RootError("This machine's apt has no Debian source: run GIMP's tests on Debian.")


def _debootstrap(release: str, root: Path, mirror: str, log) -> None:
    """A minimal Debian. sid's script is passed, as older debootstraps don't know newer names."""
    command = ["debootstrap", "--variant=minbase", release, str(root), mirror]
    _run([*command, "/usr/share/debootstrap/scripts/sid"], log)


def _install_packages(root: Path, packages: list[str], log) -> None:
    (root / "etc/dpkg/dpkg.cfg.d/semcolor").write_text(DPKG_OPTIONS)
    (root / "etc/apt/apt.conf.d/99semcolor").write_text(APT_OPTIONS)
    # Daemons must not be started by package scripts.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    for command in (
        "apt-get update -qq",
        f"apt-get install -y -qq {' '.join(packages)}",
        "apt-get clean",
    ):
        # Mounts inside the private namespace end with the command, however it ends.
        inside = f"mount -t proc proc {root}/proc && exec chroot {root} {command}"
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        _run(["unshare", "--mount", "sh", "-c", inside], log, environment)


def _run(command: list[str], log, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
    if done.returncode:
        raise RootError(f"`{' '.join(command)}` failed; the reason is at the end of {log.name}")


def main() -> int:
    try:
        for version in RELEASES:
            build(version)
    except RootError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
