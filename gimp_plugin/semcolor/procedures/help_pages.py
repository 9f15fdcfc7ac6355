"""What GIMP's Help shows of our procedures: one page, written from the table."""

import contextlib
import html
from pathlib import Path

from gi.repository import Gimp, Gio
from language import tr

from .table import PROCEDURES

DOMAIN = "semcolor"

_PAGE = """\
<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<style>body {{ max-width: 42em; margin: 2em auto; font: 16px/1.5 sans-serif; }}</style>
<h1>{title}</h1>
<p>{introduction}</p>
{sections}
"""
_SECTION = '<h2 id="{name}">{label}</h2>\n<p><b>{blurb}.</b> {text}</p>\n'
_INDEX = '<?xml version="1.0" encoding="UTF-8"?>\n<gimp-help>\n{items}</gimp-help>\n'
_ITEM = '  <help-item id="{name}" ref="index.html#{name}" title="{label}"/>\n'


def register(plug_in: Gimp.PlugIn) -> None:
    """Let GIMP's Help open our page. Only when GIMP asks for our procedures.

    The page is in the user's language, in his folder: where we are installed may be read-only.
    """
    folder = Path(Gimp.directory()) / "plug-in-settings" / "semcolor-help"
    with contextlib.suppress(OSError):  # without help, everything else works
        _write(folder / "en")  # what GIMP falls back on for every language
        plug_in.set_help_domain(DOMAIN, Gio.File.new_for_path(str(folder)))


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "name": name,
            "label": html.escape(ours.label.replace("_", "").rstrip("…")),
            "blurb": html.escape(ours.blurb),
            "text": html.escape(ours.text),
        }
        for name, ours in PROCEDURES.items()
    ]
    page = _PAGE.format(
        title="Semantic Color",
        introduction=html.escape(
            tr(
                "Colour a black-and-white photo from a label map that you can paint on: add a "
                "label layer, correct it with the Pencil, and let colour follow."
            )
        ),
        sections="".join(_SECTION.format(**entry) for entry in entries),
    )
    index = _INDEX.format(items="".join(_ITEM.format(**entry) for entry in entries))
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "gimp-help.xml").write_text(index, encoding="utf-8")
