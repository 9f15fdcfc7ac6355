"""Which photos a command is about, and which file each of them becomes."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from semcolor.shared.errors import Code, SemcolorError, cannot_read, cannot_write

LABELS_SUFFIX = ".labels.png"
"""After a photo's or a result's name, that of its label map beside it."""
_LIST_SUFFIX = ".txt"
_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")


class Target(NamedTuple):
    """A photo, and the file that it becomes; of a TIFF of several pages, this one."""

    photo: Path
    output: Path
    page: int | None = None


def targets(
    named: Sequence[Path],
    output: Path,
    name: str,
    match: str = "*",
    recursive: bool = False,
    into_folder: bool = False,
) -> list[Target]:
    """What each photo becomes: several, or a folder's, become files in the folder ``output``.

    ``name``: of those files, with {stem} and {suffix} of the photo's. ``match``: a pattern of the
    names of photos in folders. ``recursive``: also in folders below, which are made in the output,
    too. ``into_folder``: the output is a folder, even of a single photo. A text file stands for the
    paths in it, a line each. Raises SemcolorError: NAME_TEMPLATE, NO_PHOTOS_HERE, SAME_OUTPUT.
    """
    named = [path for each in named for path in _listed(each)]
    is_one = len(named) == 1 and not named[0].is_dir()
    if is_one and not output.is_dir() and not into_folder:
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


def _of_all_pages(target: Target, pages: int) -> list[Target]:
    """One for each page, whose outputs have its number in their names."""
    if pages == 1:
        return [target]
    output = target.output
    return [
        Target(target.photo, output.with_stem(f"{output.stem}-{page}"), page)
        for page in range(1, pages + 1)
    ]


def pages_of(wanted: int | str | None, found: Sequence[Target]) -> list[Target]:
    """The page of each photo that is wanted, or all of them. Raises SemcolorError: SAME_OUTPUT."""
    if not isinstance(wanted, str):
        return [target._replace(page=wanted) for target in found]
    pages = [page for target in found for page in _all_pages(target)]
    check_all_differ(pages)
    return pages


def _all_pages(target: Target) -> list[Target]:
    from semcolor.photos.photo_files import count_pages

    try:
        return _of_all_pages(target, count_pages(target.photo))
    except SemcolorError:  # which is told when it is this photo's turn
        return [target]


def labels_beside(path: Path) -> Path:
    """Where the label map of a photo, or of a result, lies."""
    return path.with_name(path.name + LABELS_SUFFIX)


def make_folders(found: Sequence[Target]) -> None:
    """Those that the outputs of several photos go to. Raises SemcolorError: CANNOT_WRITE."""
    for folder in {target.output.parent for target in found}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error


def _listed(path: Path) -> list[Path]:
    """The paths in a text file, from its folder; of anything else, that. Raises SemcolorError."""
    if path.suffix.lower() != _LIST_SUFFIX:
        return [path]
    try:
        lines = path.read_text("utf-8-sig", "surrogateescape").splitlines()
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except OSError as error:
        raise cannot_read(path, error) from error
    return [path.parent / line.strip() for line in lines if line.strip()]


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
                and not name.endswith(LABELS_SUFFIX)
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
