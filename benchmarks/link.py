"""A stroke over a slow link: from the bridge's request to its colour.

    python benchmarks/link.py [--checkout DIR ...] [--delay 20] [--strokes 30] [--bundled]

The worker is across a link that takes 20 ms each way: two network namespaces and `tc netem`; where
the kernel has no netem, or this is no root, a proxy between them that holds back all it gets. The
bridge is spoken to over pipes as the plug-in does. The worker loads a network so small that it
costs next to nothing, or, with --bundled, the usual one. Other checkouts paint in turns with this
one, so that an older one can be the baseline. Prints a table and one JSON line.
"""

import argparse
import base64
import contextlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from common import SAMPLE, milliseconds, ratio, report, seconds
from wire import Wire

from semcolor.photos.photo_files import read_photo
from semcolor.photos.pixels import Gray
from semcolor.shared.classes import all_classes
from semcolor_worker.models import weights
from semcolor_worker.models.weights import ModelSpec

HERE = Path(__file__).parents[1]
SIDE = 64  # pixels
WARM_UP = 5  # strokes
PORT = 7790  # of the first worker
NAMESPACE, NEAR, FAR = "semcolor-link", "10.213.7.1", "10.213.7.2"
INVITATION = "semcolor-2-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, nargs="*", default=[])
    parser.add_argument("--delay", type=float, default=20.0, help="milliseconds each way")
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--bundled", action="store_true", help="the usual network")
    options = parser.parse_args()
    checkouts = {"this": HERE} | {path.name: path for path in options.checkout}
    with (
        Link(options.delay / 1000) as link,
        tempfile.TemporaryDirectory() as folder,
        contextlib.ExitStack() as ends,
    ):
        save_vivid(Path(folder))
        chosen = "bundled" if options.bundled else folder
        sides = {
            name: ends.enter_context(painting(path, link, chosen, PORT + number))
            for number, (name, path) in enumerate(checkouts.items())
        }
        for run in range(WARM_UP + options.strokes):
            for side in sides.values():
                if run == WARM_UP:
                    side.start_measuring()
                side.stroke()
        report({"link": link.kind} | figures(sides))


def figures(sides: dict[str, "Side"]) -> dict[str, Any]:
    """Of each side, and this one's time over the others'."""
    found = {
        f"{name}_{key}": value for name, side in sides.items() for key, value in side.figures()
    }
    others = {name: side.times for name, side in sides.items() if name != "this"}
    return found | {
        f"this_over_{name}": ratio(sides["this"].times, times) for name, times in others.items()
    }


def save_vivid(folder: Path) -> None:
    """A colour network as small as roundtrip.py's, in which every class has a colour of its own."""
    torch.manual_seed(0)
    model = weights.build(ModelSpec("color", "two_stream_unet", {"widths": [2, 2]}, detail=384))
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter *= 2
    weights.save(folder / "color.safetensors", model)


class Link:
    """The way to the worker, which takes ``delay`` seconds each way, as a context manager."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._in_namespaces = False

    def __enter__(self) -> "Link":
        milliseconds = f"{1000 * self._delay:g}ms"
        try:
            for command in (
                f"ip netns add {NAMESPACE}",
                f"ip link add {NAMESPACE} type veth peer name far netns {NAMESPACE}",
                f"ip address add {NEAR}/30 dev {NAMESPACE}",
                f"ip link set {NAMESPACE} up",
                f"ip -n {NAMESPACE} address add {FAR}/30 dev far",
                f"ip -n {NAMESPACE} link set far up",
                f"ip -n {NAMESPACE} link set lo up",
                f"tc qdisc add dev {NAMESPACE} root netem delay {milliseconds}",
                f"ip netns exec {NAMESPACE} tc qdisc add dev far root netem delay {milliseconds}",
            ):
                subprocess.run(command.split(), check=True, capture_output=True, text=True)
            self._in_namespaces = True
            self.kind = f"two network namespaces, netem delay {milliseconds}"
        except (OSError, subprocess.CalledProcessError) as error:
            reason = (getattr(error, "stderr", "") or str(error)).strip()
            self._remove()
            self.kind = f"a proxy with {milliseconds}, as there is no netem here ({reason})"
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def worker_host(self) -> str:
        """Where a worker listens."""
        return FAR if self._in_namespaces else "127.0.0.1"

    def across(self, command: list[str]) -> list[str]:
        """The command on the other side of the link."""
        return ["ip", "netns", "exec", NAMESPACE, *command] if self._in_namespaces else command

    def wire(self, port: int) -> Wire:
        """What a client connects to, of a worker that listens there."""
        return Wire(self.worker_host, port, 0.0 if self._in_namespaces else self._delay)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            subprocess.run(["ip", "link", "del", NAMESPACE], capture_output=True)
            subprocess.run(["ip", "netns", "del", NAMESPACE], capture_output=True)


class Side:
    """A checkout's worker and bridge, somebody who paints, and what that costs."""

    def __init__(self, painter: "Painter", wire: Wire) -> None:
        self._painter, self._wire = painter, wire
        self.start_measuring()

    def start_measuring(self) -> None:
        """Forget the strokes so far."""
        self.times: list[float] = []
        self._before = self._wire.traffic()

    def stroke(self) -> None:
        """Paint once."""
        self.times.append(seconds(self._painter.stroke))

    def figures(self) -> Iterator[tuple[str, float]]:
        """Milliseconds of a stroke; frames and bytes of all strokes over their number."""
        yield "ms_per_stroke", milliseconds(self.times)
        yield "plugin_requests_per_stroke", self._painter.requests
        ways = zip(("to", "from"), self._wire.traffic(), self._before, strict=True)
        for way, now, before in ways:
            frames, size = now.frames - before.frames, now.size - before.size
            yield f"frames_{way}_worker_per_stroke", round(frames / len(self.times), 2)
            yield f"bytes_{way}_worker_per_stroke", round(size / len(self.times))


@contextlib.contextmanager
def painting(checkout: Path, link: Link, chosen: str, port: int) -> Iterator[Side]:
    """A checkout's side, its worker across the link."""
    with (
        tempfile.TemporaryDirectory() as folder,
        worker(checkout, link, chosen, port, Path(folder)) as invited,
    ):
        wire = link.wire(port)
        plugin = Plugin(environment_of(checkout, Path(folder), "client"), Path(folder))
        plugin.ask("connect", invitation=with_address(invited, f"tcp://127.0.0.1:{wire.port}"))
        yield Side(Painter(plugin, read_photo(SAMPLE).gray), wire)
        plugin.close()
        wire.close()


@contextlib.contextmanager
def worker(checkout: Path, link: Link, chosen: str, port: int, folder: Path) -> Iterator[str]:
    """A checkout's worker across the link; the invitation of a client."""
    environment = environment_of(checkout, folder, "worker")
    command = [sys.executable, "-m", "semcolor.cli"]
    use = [*command, "weights", "use", chosen]
    subprocess.run(use, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    listen = f"{link.worker_host}:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            link.across([*command, "worker", "serve", "--listen", listen]),
            env=environment, cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            invite = link.across([*command, "worker", "invite", "bench"])
            done = subprocess.run(
                invite, env=environment, cwd=folder, capture_output=True, text=True
            )
            lines = [line for line in done.stdout.splitlines() if line.startswith(INVITATION)]
            if lines:
                break
        else:
            raise RuntimeError(f"no worker: {done.stderr}{(folder / 'log').read_text()}")
        yield lines[0]
    finally:
        process.terminate()
        process.wait(30)


def environment_of(checkout: Path, folder: Path, name: str) -> dict[str, str]:
    """Where a checkout's packages are found, and its settings."""
    packages = folder / "packages"
    if not packages.exists():
        packages.mkdir()
        (packages / "semcolor").symlink_to(checkout.resolve() / "semcolor")
        (packages / "semcolor_worker").symlink_to(checkout.resolve() / "worker")
    home = {key: str(folder / name) for key in ("XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    return os.environ | home | {"PYTHONPATH": str(packages)}


def with_address(invitation: str, address: str) -> str:
    """The same invitation to another address."""
    packed = invitation.removeprefix(INVITATION)
    fields = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    fields[0] = address
    return INVITATION + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


class Plugin:
    """Speaks to a checkout's bridge as its plug-in does. ``protocol``: the bridge's."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "semcolor.bridge"], env=environment, cwd=folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.requests = 0
        for protocol in (5, 4):
            with contextlib.suppress(RuntimeError):
                self.ask("hello", protocol=protocol)
                self.protocol = protocol
                break

    def ask(self, op: str, payload: bytes = b"", **fields: Any) -> tuple[dict[str, Any], bytes]:
        """One request, and its result."""
        self.requests += 1
        header = json.dumps({"op": op, **fields}).encode()
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin
        assert stdout
        stdin.write(struct.pack(">II", len(header), len(payload)) + header + payload)
        stdin.flush()
        while True:
            header_bytes, payload_bytes = struct.unpack(">II", stdout.read(8))
            answer = json.loads(stdout.read(header_bytes))
            pixels = stdout.read(payload_bytes)
            if answer["type"] == "error":
                raise RuntimeError(f"{op}: {answer}")
            if answer["type"] == "result":
                return answer, pixels

    def close(self) -> None:
        """End the bridge."""
        self._child.communicate()


class Painter:
    """Paints squares on a photo in whatever way the bridge's protocol has."""

    def __init__(self, plugin: Plugin, gray: Gray) -> None:
        self._plugin, self._random = plugin, random.Random(0)
        self._height, self._width = gray.shape
        size = {"width": self._width, "height": self._height}
        self._palette = b"".join(bytes((*entry.rgb, 255)) for entry in all_classes())
        plugin.ask("begin_photo", format="Y' u8", **size)
        plugin.ask("rows", gray.tobytes())
        plugin.ask("begin_labels", self._palette, **size)
        plugin.ask("rows", bytes(4 * gray.size))
        plugin.ask("colorize", detail=0, depth=8)
        plugin.ask("color_rows", first_row=0, rows=self._height)
        self.requests = 0  # of the last stroke

    def stroke(self) -> None:
        """Paint a square, and have its colour."""
        asked, random = self._plugin.requests, self._random
        x, y = random.randrange(self._width - SIDE), random.randrange(self._height - SIDE)
        class_id = random.choice((1, 59))
        pixels = self._palette[4 * class_id : 4 * class_id + 4] * SIDE**2
        paint = self._stroke if self._plugin.protocol >= 5 else self._steps
        paint({"x": x, "y": y, "width": SIDE, "height": SIDE}, pixels)
        self.requests = self._plugin.requests - asked

    def _stroke(self, place: dict[str, int], pixels: bytes) -> None:
        answer, _ = self._plugin.ask("stroke", pixels, by_hand=True, detail=0, depth=8, **place)
        assert answer["rows"] == answer["height"]

    def _steps(self, place: dict[str, int], pixels: bytes) -> None:
        self._plugin.ask("edit_labels", **place)
        self._plugin.ask("rows", pixels)
        found, _ = self._plugin.ask("recolor", detail=0, depth=8)
        if found["width"]:
            rows = {"first_row": found["y"], "rows": found["height"]}
            self._plugin.ask("color_rows", x=found["x"], width=found["width"], **rows)


if __name__ == "__main__":
    main()
