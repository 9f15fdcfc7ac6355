"""The colour network as the engine runs it, against a plain float32 eager forward pass.

    python benchmarks/forward.py [--runs 15] [--detail 352]

The baseline of every ratio is the network of the paper's width as PyTorch makes it: float32,
contiguous, both streams. Ours is that network, and the bundled one, as the engine has them; once
both streams, once with the gray features cached, as after the first colour of a photo. On a GPU
ours are CUDA graphs; it also measures batches of 32 there, and sets the time against what the
arithmetic alone would take.
Prints a table and one JSON line.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import cast

os.environ["GOMP_SPINCOUNT"] = "10000"  # as the engine's process has it
# isort: split

import torch
from common import milliseconds, ratio, report, seconds
from torch.utils.flop_counter import FlopCounterMode

from semcolor_worker.coloring.graphs import Graphs
from semcolor_worker.models import weights
from semcolor_worker.models.folding import prepare
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet

H100_FLOPS = 989e12  # bfloat16, dense, per second (NVIDIA's data sheet)
BATCH = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--detail", type=int, default=352)
    options = parser.parse_args()
    with torch.inference_mode():
        report(measure(options.runs, options.detail))


def measure(runs: int, side: int) -> dict[str, float | str]:
    """All forward passes in turns; the first two turns only warm up."""
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plain = TwoStreamUNet((32, 64, 128, 256, 512, 512), slope=0.1).eval().to(device)
    paper = TwoStreamUNet((32, 64, 128, 256, 512, 512), slope=0.1).eval().to(device)
    fast = cast(TwoStreamUNet, weights.load(weights.bundled("color"), device).network)
    for network in (paper, fast):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        prepare(network, weights.precision_for(device))
    gray = torch.rand(1, 1, side, side, device=device) * 2 - 1
    labels = torch.randint(0, 60, (1, side, side), device=device)
    passes: dict[str, Callable[[], object]] = {
        "plain": partial(plain, gray, labels),
        "paper": partial(paper, gray, labels),
        "paper_gray_cached": after_gray(paper, gray, labels),
        "fast": partial(fast, gray, labels),
        "fast_gray_cached": after_gray(fast, gray, labels),
    }
    if device.type == "cuda":
        passes = {name: run if name == "plain" else graphed(run) for name, run in passes.items()}
        many = gray.repeat(BATCH, 1, 1, 1), labels.repeat(BATCH, 1, 1)
        passes["paper_batch"] = partial(paper, *many)
    times: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(runs + 2):
        for name, run in passes.items():
            times[name].append(seconds(run if device.type == "cpu" else finished(run)))
    times = {name: values[2:] for name, values in times.items()}
    figures: dict[str, float | str] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "precision": str(paper.precision), "threads": torch.get_num_threads(),
    }  # fmt: skip
    figures |= {f"{name}_ms": milliseconds(values, 3) for name, values in times.items()}
    figures |= {f"plain_over_{n}": ratio(times["plain"], times[n]) for n in list(times)[1:5]}
    if device.type == "cuda":
        floor = 1000 * flops(plain, gray, labels) / H100_FLOPS
        figures["paper_over_arithmetic_of_an_h100"] = milliseconds(times["paper"], 3) / floor
        figures["images_per_second"] = BATCH / milliseconds(times["paper_batch"], 3) * 1000
    return figures


def after_gray(
    network: TwoStreamUNet, gray: torch.Tensor, labels: torch.Tensor
) -> Callable[[], torch.Tensor]:
    """The pass that an edit of the labels takes."""
    features = network.encode_gray(gray)
    return lambda: network.decode(features, network.encode_labels(labels))


def graphed(run: Callable[[], object]) -> Callable[[], object]:
    """As one CUDA graph."""
    return Graphs(lambda: (cast(torch.Tensor, run()),))


def finished(run: Callable[[], object]) -> Callable[[], None]:
    """With the wait for the GPU."""

    def complete() -> None:
        run()
        torch.cuda.synchronize()

    return complete


def flops(network: TwoStreamUNet, gray: torch.Tensor, labels: torch.Tensor) -> int:
    """Of one forward pass."""
    with FlopCounterMode(display=False) as counter:
        network(gray, labels)
    return counter.get_total_flops()


if __name__ == "__main__":
    main()
