"""``semcolor report``: what a batch has done, as a web page that needs nothing but its folder."""

import argparse
import sys
from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import quote

from tqdm import tqdm

from semcolor.shared.atomic_files import replacing
from semcolor.shared.errors import Code, SemcolorError, cannot_write

from .manifest import NAME, Line, State, last_lines

if TYPE_CHECKING:
    from . import Commands

_PAGE, _PICTURES = "semcolor-report.html", "semcolor-report"
_SMALL_SHARE = 0.01  # of a photo; a class with less is not one to look for there


def add_commands(commands: "Commands") -> None:
    """Add this command."""
    report = commands.add_parser("report", help="make a web page of what a batch has done")
    report.set_defaults(run=_report)
    report.add_argument("folder", type=Path, metavar="FOLDER", help="where the batch has written")


def _report(options: argparse.Namespace) -> None:
    folder = options.folder
    manifest = folder / NAME
    if not manifest.is_file():
        raise SemcolorError(Code.NO_MANIFEST, file=str(manifest), folder=str(folder))
    lines = sorted(last_lines(manifest).values(), key=lambda line: line.output)
    try:
        (folder / _PICTURES).mkdir(exist_ok=True)
        shown = [line for line in _progress(lines) if _make_pictures(folder, line)]
        with replacing(folder / _PAGE) as part:
            part.write_text(page(folder.resolve().name, lines, shown), "utf-8")
    except OSError as error:
        raise cannot_write(folder / _PAGE, error) from error
    print(folder / _PAGE)


def page(title: str, lines: Iterable[Line], shown: Iterable[Line]) -> str:
    """The page as HTML.

    Args:
        title: what it is of.
        lines: of the manifest, one for each result.
        shown: those of which there are pictures.
    """
    lines, shown = list(lines), list(shown)
    failed = [line for line in lines if line.state != State.DONE]
    classes = sorted({name for line in shown for name in _classes(line)})
    template = resources.files(__package__).joinpath("report.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(title),
        summary=f"{len(lines) - len(failed)} of {len(lines)} photos are done.",
        failures=_failures(failed),
        classes="".join(f"<option>{escape(name)}</option>" for name in classes),
        photos="\n".join(map(_figure, shown)),
    )


def _make_pictures(folder: Path, line: Line) -> bool:
    """The small pictures of one photo, unless they are there; whether there are any."""
    from semcolor.photos.thumbnails import jpeg_thumbnail

    if line.state != State.DONE:
        return False
    sources = {"before": Path(line.photo), "after": folder / line.output}
    if line.labels:
        sources["labels"] = folder / line.labels
    try:
        for which, source in sources.items():
            picture = folder / _picture(line, which)
            if not picture.exists() or picture.stat().st_mtime < source.stat().st_mtime:
                picture.parent.mkdir(parents=True, exist_ok=True)
                content = jpeg_thumbnail(source, line.page if which == "before" else None)
                with replacing(picture) as part:
                    part.write_bytes(content)
    except (SemcolorError, FileNotFoundError) as error:
        print(f"{line.output}: {error}", file=sys.stderr)
        return False
    return True


def _picture(line: Line, which: str) -> Path:
    return Path(_PICTURES, f"{line.output}.{which}.jpg")


def _figure(line: Line) -> str:
    names = _classes(line)
    shares = ", ".join(f"{name} {line.shares[name]:.0%}" for name in names)
    pictures = "".join(
        f'<img class="{which}" src="{quote(_picture(line, which).as_posix())}" alt="{text}" '
        'loading="lazy">'
        for which, text in (("before", "before"), ("after", "coloured"), ("labels", "labels"))
        if which != "labels" or line.labels
    )
    told = "".join(f"<small>{escape(sentence)}</small>" for sentence in line.told)
    name, address = escape(line.output), quote(Path(line.output).as_posix())
    return (
        f'<figure data-name="{escape(line.output)}" data-classes="{escape("|".join(names))}">'
        f'<div class="pictures">{pictures}'
        f'<input type="range" min="0" max="100" value="50" aria-label="before and after, {name}">'
        f'</div><figcaption><a href="{address}">{name}</a>'
        f"<small>{escape(shares)}</small>{told}</figcaption></figure>"
    )


def _failures(failed: Iterable[Line]) -> str:
    rows = [
        f"<tr><td>{escape(line.photo)}</td><td>{escape(line.reason or 'not ended')}</td></tr>"
        for line in failed
    ]
    if not rows:
        return ""
    return (
        "<h2>Not done</h2><table><tr><th>Photo</th><th>Why</th></tr>" + "".join(rows) + "</table>"
    )


def _classes(line: Line) -> list[str]:
    """The classes that a photo has, the largest first."""
    shares = line.shares
    found = [name for name, share in shares.items() if share >= _SMALL_SHARE]
    return sorted(found, key=lambda name: -shares[name])


def _progress(lines: list[Line]) -> "tqdm[Line]":
    return tqdm(lines, unit="photo", leave=False, disable=not sys.stderr.isatty())
