"""GIMP in a sandbox like its Flatpak's: bubblewrap, with the permissions that Flathub gives it.

That is `--share=network --filesystem=host`, no host programs, a `/usr` and a Python of its own, and
the user's folders of its own. Flatpak itself can't be had here: a script stands in for its command.
"""

import shutil
from pathlib import Path

from semcolor.shared.gimps import FLATPAK_ID

from . import roots
from .harness import CHECKOUT, Gimp

VERSION = "3.0"

# Bubblewrap and its libraries are those of the root; `$1` is the program inside, as Flatpak's
# `--command` says it.
_FLATPAK = """\
#!/bin/sh
[ "$1" = run ] || exit 2
program="${{2#--command=}}"
shift 3
root={root} home={home}
libraries="$root/usr/lib/x86_64-linux-gnu"
set -- "$program" "$@"
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$root/usr/bin/bwrap" \\
  --ro-bind "$root/usr" /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 \\
  --symlink usr/bin /bin --symlink usr/sbin /sbin --ro-bind "$root/etc" /etc \\
  --ro-bind /etc/resolv.conf /etc/resolv.conf --ro-bind /etc/hosts /etc/hosts \\
  --ro-bind {checkout} {checkout} \\
  --proc /proc --dev /dev --tmpfs /tmp --tmpfs /run --tmpfs /var --bind "$home" "$home" \\
  --ro-bind "$home/flatpak-info" /.flatpak-info --unshare-pid --unshare-ipc --die-with-parent \\
  --setenv XDG_CONFIG_HOME "$home/{own}/config" --setenv XDG_DATA_HOME "$home/{own}/data" \\
  --setenv XDG_CACHE_HOME "$home/{own}/cache" --setenv XDG_STATE_HOME "$home/{own}/.local/state" \\
  --setenv XDG_RUNTIME_DIR /run --setenv PATH /usr/bin:/usr/sbin --chdir "$home" "$@"
"""
_OWN = f".var/app/{FLATPAK_ID}"


class FlatpakGimp(Gimp):
    """GIMP as Flatpak would run it, for a user whose home is ``folder``.

    ``programs``: where the command `flatpak` is.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(VERSION, folder)
        self._root = None  # paths are the same inside
        self.programs = folder / "bin"
        self.programs.mkdir()
        (folder / "flatpak-info").write_text(f"[Application]\nname={FLATPAK_ID}\n")
        command = self.programs / "flatpak"
        text = _FLATPAK.format(
            root=roots.root_path(VERSION), home=folder, own=_OWN, checkout=CHECKOUT
        )
        command.write_text(text)
        command.chmod(0o755)
        self.environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)
        }  # fmt: skip
        profile = folder / _OWN / "config/GIMP" / VERSION
        profile.parent.mkdir(parents=True)
        shutil.move(self.profile, profile)
        self.profile = profile

    def _where_gimp_is(self, command: list[str]) -> list[str]:
        return [str(self.programs / "flatpak"), "run", "--command=env", FLATPAK_ID, *command]
