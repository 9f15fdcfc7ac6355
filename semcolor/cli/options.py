"""Options that several commands have."""

import argparse
from pathlib import Path

from semcolor.shared.errors import Code, SemcolorError
from semcolor.shared.limits import DETAIL_LIMIT

ALL_PAGES = "all"


def add_photos(parser: argparse.ArgumentParser, output: str) -> None:
    """Which photos, and what they become."""
    parser.add_argument(
        "photos", type=Path, metavar="PHOTO", nargs="+",
        help="PNG, TIFF or JPEG; several, or a folder of them",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar=output,
        help="what is written; of several photos, the folder for that",
    )  # fmt: skip
    parser.add_argument(
        "--name", metavar="NAME",
        help="of several photos, what is written is called that, with {stem} and {suffix} of the "
        "photo's name",
    )  # fmt: skip
    parser.add_argument("--recursive", action="store_true", help="also photos in folders below")
    parser.add_argument(
        "--match", default="*", metavar="PATTERN",
        help="of folders, only photos with such names, for instance “*.tif”",
    )  # fmt: skip
    parser.add_argument(
        "--page", type=_page, metavar="N|all",
        help="of a TIFF with several pages, each of which gets its number in the name (default: "
        "the first of the largest)",
    )  # fmt: skip
    parser.add_argument(
        "--detail", type=_detail, default=0, metavar="PIXELS",
        help=f"longest side of the network's input, at most {DETAIL_LIMIT} (default: the model's "
        "own)",
    )  # fmt: skip


def add_coloring(parser: argparse.ArgumentParser) -> None:
    """How photos are coloured."""
    parser.add_argument(
        "--notes", type=Path, metavar="NOTES",
        help="colour notes: a text file with lines such as “clothes: #5b5a3c”",
    )  # fmt: skip
    parser.add_argument(
        "--no-provenance", action="store_true",
        help="leave out of the file's XMP that its colour is inferred, and by what",
    )  # fmt: skip


def _page(text: str) -> int | str:
    """Raises ValueError for what is neither a number nor *all*."""
    return ALL_PAGES if text == "all" else int(text)


def _detail(text: str) -> int:
    """Raises ValueError for what is no number, SemcolorError (DETAIL) for one out of range."""
    detail = int(text)
    if not 0 <= detail <= DETAIL_LIMIT:
        raise SemcolorError(Code.DETAIL, detail=detail, limit=DETAIL_LIMIT)
    return detail
