"""Which photos a command is about, and which file each of them becomes."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from semcolor.shared.errors import Code, SemcolorError

_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")


class Target(NamedTuple):
    """A photo, and the file that it becomes; of a TIFF of several pages, this one."""

    photo: Path
    output: Path
    page: int | None = None


def targets(
    named: Sequence[Path], output: Path, name: str, match: str = "*", recursive: bool = False
) -> list[Target]:
    """What each photo becomes: several, or a folder's, become files in the folder ``output``.

    ``name``: of those files, with {stem} and {suffix} of the photo's. ``match``: a pattern of the
    names of photos in folders. ``recursive``: also in folders below, which are made in the output,
    too. Raises SemcolorError: NAME_TEMPLATE, NO_PHOTOS_HERE, SAME_OUTPUT.
    """
    if len(named) == 1 and not named[0].is_dir() and not output.is_dir():
        return [Target(named[0], output)]
    found = [
        Target(photo, output / photo.relative_to(top).parent / _filled_in(name, photo))
        for path in named
        for top, photo in _photos(path, output, match, recursive)
    ]
    if not found:
        raise SemcolorError(Code.NO_PHOTOS_HERE, folder=", ".join(map(str, named)))
    check_all_differ(found)
    return found


def of_all_pages(target: Target, pages: int) -> list[Target]:
    """One for each page, whose outputs have its number in their names."""
    if pages == 1:
        return [target]
    output = target.output
    return [
        Target(target.photo, output.with_stem(f"{output.stem}-{page}"), page)
        for page in range(1, pages + 1)
    ]


def make_folders(found: Sequence[Target]) -> None:
    """Those that the outputs of several photos go to. Raises SemcolorError: CANNOT_WRITE."""
    for folder in {target.output.parent for target in found}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = str(error.strerror)
            raise SemcolorError(Code.CANNOT_WRITE, file=str(folder), reason=reason) from error


def _photos(path: Path, output: Path, match: str, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """The photos that are meant, with the folder from which their places count."""
    if not path.is_dir():
        yield path.parent, path
        return
    for folder, below, names in os.walk(path):
        below[:] = [
            name for name in sorted(below)
            if recursive and not name.startswith(".") and not _is_same(Path(folder, name), output)
        ]  # fmt: skip
        for name in sorted(names):
            if (
                name.lower().endswith(_SUFFIXES)
                and not name.startswith(".")
                and fnmatch(name, match)
            ):
                yield path, Path(folder, name)


def _is_same(folder: Path, output: Path) -> bool:
    """Whether results of this command lie there, which are no photos to colour."""
    return output.exists() and folder.samefile(output)


def _filled_in(name: str, photo: Path) -> str:
    try:
        filled = name.format(stem=photo.stem, suffix=photo.suffix)
    except (KeyError, IndexError, ValueError, AttributeError):
        filled = ""
    if not filled or Path(filled).name != filled:
        raise SemcolorError(Code.NAME_TEMPLATE, template=name)
    return filled


def check_all_differ(found: Sequence[Target]) -> None:
    """Raises SemcolorError: SAME_OUTPUT."""
    taken: dict[str, Path] = {}
    for photo, output, _ in found:
        # Also where a disk knows no difference between A.png and a.png.
        other = taken.setdefault(str(output).casefold(), photo)
        if other != photo:
            raise SemcolorError(
                Code.SAME_OUTPUT, first=str(other), second=str(photo), file=str(output)
            )
