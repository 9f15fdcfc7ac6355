"""``semcolor …``: its parser, and failures as sentences and exit codes."""

import argparse
import sys
from importlib.metadata import entry_points

from semcolor import __version__
from semcolor.shared.errors import Code, SemcolorError

from . import connect, photos

_OTHER_FAMILIES = "semcolor.commands"

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="semcolor", description="Colour black-and-white photographs by an editable label map."
    )
    parser.add_argument("--version", action="version", version=f"semcolor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    photos.add_commands(commands)
    for family in entry_points(group=_OTHER_FAMILIES):
        family.load()(commands)
    connect.add_commands(commands)
    return parser
