"""``semcolor train``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from semcolor.client import local_worker
from semcolor.shared.errors import Code, SemcolorError

if TYPE_CHECKING:
    from semcolor.cli import Commands

_PACKAGES = ("lightning-fabric", "tensorboard")


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    train = commands.add_parser("train", help="train a model on your own data")
    train.set_defaults(run=_train)
    train.add_argument("task", choices=("color", "segmentation"))
    train.add_argument("--recipe", default="fast", metavar="NAME")
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    train.add_argument(
        "--start", type=Path, metavar="WEIGHTS",
        help="begin with these weights where they fit, for instance the bundled ones",
    )  # fmt: skip
    train.add_argument(
        "--without", nargs="+", default=[], metavar="NAME",
        help="folders of the data that are held out as a whole, to see what is learnt from others",
    )  # fmt: skip
    train.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="checkpoint and weights go here; the same command resumes",
    )  # fmt: skip


def _train(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    try:
        from semcolor_worker.training.loop import train
    except ModuleNotFoundError as error:
        raise SemcolorError(
            Code.TRAINING_NOT_INSTALLED, module=str(error.name),
            command=f"{sys.executable} -m pip install {' '.join(_PACKAGES)}",
        ) from error  # fmt: skip
    from semcolor_worker.training.recipes import recipe

    chosen = recipe(options.task, options.recipe)
    arguments = chosen, options.data, options.output, options.start
    print(train(*arguments, without=options.without))
