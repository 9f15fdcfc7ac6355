"""What the worker adds to the network: time, memory, start-up.

    python benchmarks/worker.py [--megapixels 1] [--runs 15]

Both sides of each ratio are measured in this one run, in turns. Prints a table and one JSON line.
"""

import argparse
import copy
import os
import subprocess
import sys

os.environ["GOMP_SPINCOUNT"] = "10000"  # as the engine's process has it
# isort: split

import torch
from common import memory, milliseconds, own_worker, patchwork, ratio, report, sample, seconds
from semcolor_worker import weights
from semcolor_worker.engine import detail_size

from semcolor import local_worker
from semcolor.client import Session


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    with own_worker():
        start = seconds(start_and_ask)
        report({"start_to_status_s": round(start, 3)} | measure(options.megapixels, options.runs))


def start_and_ask() -> None:
    """`semcolor worker start`, then `status`, as a user types them."""
    for action in ("start", "status"):
        command = [sys.executable, "-m", "semcolor.cli", "worker", action]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure(megapixels: float, runs: int) -> dict[str, float]:
    """The network alone against a whole colorize, in turns."""
    gray = sample(megapixels)
    session = Session(local_worker.start(), gray)
    model = weights.load(weights.bundled("color"))
    plain = copy.deepcopy(model.network).to(memory_format=torch.contiguous_format)
    size = detail_size(torch.Size(gray.shape), 0, model)
    light = torch.rand(1, 1, *size) * 100
    labels = torch.randint(0, 60, (1, *size))

    def forward() -> None:
        with torch.inference_mode():
            model.chroma(model.network(model.normalise(light), labels))

    def plain_forward() -> None:
        with torch.inference_mode():
            plain(model.normalise(light), labels)

    def colorize() -> None:
        """A label map that the worker has not seen, so nothing of its result is cached."""
        session.colorize(session.whole, 0, lambda *_: None)

    network, eager, whole = [], [], []
    for run in range(runs + 2):
        session.set_labels(patchwork(gray.shape, run))
        network.append(seconds(forward))
        eager.append(seconds(plain_forward))
        whole.append(seconds(colorize))
    network, eager, whole = network[2:], eager[2:], whole[2:]  # warm
    supervisor = session.client.hello().pid
    return {
        "megapixels": round(gray.size / 1e6, 2),
        "network_forward_ms": milliseconds(network),
        "plain_eager_forward_ms": milliseconds(eager),
        "colorize_ms": milliseconds(whole),
        "colorize_over_forward": ratio(whole, network),
        "colorize_over_plain_forward": ratio(whole, eager),
        "supervisor_peak_mb": memory(supervisor, "VmHWM"),
        "of_which_photos_and_labels_mb": round(session.client.status().planes_bytes / 1e6, 1),
    }


if __name__ == "__main__":
    main()
