"""``semcolor …``: its parser, and failures as sentences and exit codes."""

import argparse
import io
import sys
from importlib.metadata import entry_points

from semcolor import __version__
from semcolor.shared.errors import Code, SemcolorError, reason_of

from . import batch, connect, doctor, photos, report

_OTHER_FAMILIES = "semcolor.commands"

# 1 is every other failure.
_EXIT_CODES = {
    # argparse's too, for a wrong command line
    2: {Code.DETAIL, Code.NO_PAGE, Code.NAME_TEMPLATE, Code.SAME_OUTPUT},
    3: {
        Code.NO_FILE, Code.NO_PHOTOS_HERE, Code.NO_DATA_FOLDER, Code.NO_PHOTOS, Code.MATLAB_LABELS,
        Code.NO_RECIPE, Code.NOTHING_TO_IMPORT, Code.NO_MANIFEST,
    },
    4: {
        Code.NOT_A_PHOTO, Code.SAMPLE_FORMAT, Code.NOT_A_PICTURE, Code.NOT_A_LABEL_PICTURE,
        Code.BAD_NOTES, Code.CANNOT_READ, Code.NOT_A_MANIFEST,
    },
    5: {Code.SIZE_MISMATCH, Code.FILE_TOO_LARGE, Code.PHOTO_TOO_LARGE},
    6: {Code.UNKNOWN_CLASS, Code.FOREIGN_COLORS, Code.NO_LABEL_MAP},
    7: {
        Code.UNREACHABLE, Code.NO_SUCH_HOST, Code.KEY_REFUSED, Code.NOT_RUNNING, Code.NOT_STARTED,
        Code.NOT_ANSWERING, Code.NOT_SERVING_LAN, Code.PROTOCOL_VERSION,
    },
    8: {
        Code.CANNOT_WRITE, Code.NO_FORMAT, Code.NOT_PNG, Code.TOO_DEEP, Code.TOO_WIDE,
        Code.NO_FOLDER, Code.OUTPUT_IS_INPUT, Code.OUTPUT_EXISTS, Code.BATCH_RUNS,
    },
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Failures are one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # any name of a file can be printed
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    except SemcolorError as error:
        print(f"semcolor: {error}", file=sys.stderr)
        return exit_code(error.code)
    except OSError as error:  # of the disk, or of what this user may do
        place = f"{error.filename}: " if error.filename else ""
        print(f"semcolor: {place}{reason_of(error)}", file=sys.stderr)
        return 1
    return 0


def exit_code(code: Code) -> int:
    """What a failure ends the command with."""
    return next((number for number, codes in _EXIT_CODES.items() if code in codes), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="semcolor", description="Colour black-and-white photographs by an editable label map."
    )
    parser.add_argument("--version", action="version", version=f"semcolor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    photos.add_commands(commands)
    batch.add_commands(commands)
    report.add_commands(commands)
    for family in entry_points(group=_OTHER_FAMILIES):
        family.load()(commands)
    connect.add_commands(commands)
    doctor.add_commands(commands)
    return parser
