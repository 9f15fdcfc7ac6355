"""``semcolor evaluate``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from semcolor.client import local_worker

if TYPE_CHECKING:
    from semcolor.cli import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    evaluate = commands.add_parser("evaluate", help="measure models on labelled colour photos")
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    evaluate.add_argument(
        "--weights", type=Path, metavar="DIR",
        help="color.safetensors, segmentation.safetensors or both (default: the bundled ones)",
    )  # fmt: skip
    evaluate.add_argument(
        "--held-out", action="store_true",
        help="only the photos that `semcolor train` with the same folders does not train on",
    )  # fmt: skip
    evaluate.add_argument(
        "--report", type=Path, required=True, metavar="DIR",
        help="report.html and metrics.json go here",
    )  # fmt: skip


def _evaluate(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.evaluation.evaluation import evaluate_folders

    print(evaluate_folders(options.data, options.weights, options.held_out, options.report))
    print(options.report / "report.html")
