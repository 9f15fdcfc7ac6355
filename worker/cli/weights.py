"""``semcolor weights …``: import, verify and choose weights."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from semcolor.client import local_worker, settings
from semcolor.shared.errors import Code, SemcolorError

from .worker import restart_worker

if TYPE_CHECKING:
    from semcolor.cli import Commands


def add_commands(commands: "Commands") -> None:
    """Add this family."""
    parser = commands.add_parser("weights", help="import, verify and choose weights")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    imports = actions.add_parser("import", help="take over the paper authors' checkpoints")
    imports.set_defaults(run=_import)
    for task in ("color", "segmentation"):
        imports.add_argument(f"--{task}", type=Path, metavar="FILE", help="a .pth.tar of theirs")
    imports.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")

    verify = actions.add_parser("verify", help="compare with recorded outputs of other code")
    verify.set_defaults(run=_verify)
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("recorded", type=Path, metavar="RECORDED.npz")

    use = actions.add_parser("use", help="what this machine's worker loads")
    use.set_defaults(run=_use)
    use.add_argument("folder", metavar="DIR", help="a folder with weights, “bundled” or “gridnet”")


def _import(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.models import authors, weights

    checkpoints = {task: getattr(options, task) for task in weights.TASKS}
    given = {task: path for task, path in checkpoints.items() if path}
    if not given:
        raise SemcolorError(Code.NOTHING_TO_IMPORT)
    for path in authors.import_checkpoints(given, options.output):
        print(path)
    print(f"The paper's authors publish these weights for {authors.TERMS}.")
    print(f"`semcolor weights use {options.output}` makes this machine's worker load them.")


def _verify(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.models import authors

    comparisons = authors.verify(options.folder, options.recorded)
    print(f"{'output':16}{'compared':14}{'difference':>12}{'allowed':>10}")
    for found in comparisons:
        shape = "×".join(map(str, found.shape))
        print(f"{found.name:16}{shape:14}{found.difference:12.1e}{found.allowed:10.0e}")
    print("difference: the largest, in standard deviations; of seg_argmax the share of pixels")
    differing = [found.name for found in comparisons if not found.agrees]
    if differing:
        raise SemcolorError(Code.OUTPUTS_DIFFER, names=", ".join(differing))


def _use(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.models import weights

    folder = weights.folder_named(options.folder)
    titles = [weights.load_for(task, folder).title for task in weights.TASKS]
    settings.set_weights_folder(folder)
    print(f"from now on: {', '.join(titles)}")
    restart_worker()
