#!/usr/bin/env python3
"""Bring the plug-in's translations up to date; needs Babel and an environment with semcolor.

    python gimp_plugin/translations.py [NEW LANGUAGE]

Each language is a pair of files in `semcolor/language/locale/LANGUAGE/LC_MESSAGES`: `semcolor.po`
to edit, and `semcolor.mo`, made of it here, which is what the plug-in reads.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from semcolor import __version__
from semcolor.shared.classes import all_classes
from semcolor.shared.sentences import ERRORS, STAGES, STATES

PLUGIN = Path(__file__).resolve().parent / "semcolor"
KEYWORDS = {"tr": None}


def template() -> Catalog:
    """All that the user reads: what files have, what codes mean, the names of the classes."""
    catalog = Catalog(project="semcolor", fuzzy=False)
    for file, line, message, _, _ in extract_from_dir(PLUGIN, keywords=KEYWORDS):
        catalog.add(message, locations=[(file, line)])
    for table in (ERRORS, STATES, STAGES):
        for code, sentence in table.items():
            catalog.add(sentence, locations=[(str(code), 1)])
    for entry in all_classes():
        catalog.add(entry.name, locations=[("classes", entry.id)])
    return catalog


def po_files() -> list[Path]:
    """The translations that there are."""
    return sorted(PLUGIN.glob("language/locale/*/LC_MESSAGES/semcolor.po"))


def read(po: Path) -> Catalog:
    """A translation."""
    with po.open("rb") as file:
        return read_po(file, locale=po.parts[-3])


def compiled(catalog: Catalog) -> bytes:
    """What the plug-in reads of a translation."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def update(po: Path) -> int:
    """Take in the messages that are new, drop those that are gone; returns how many lack words."""
    catalog = read(po) if po.exists() else _new(po.parts[-3])
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    po.parent.mkdir(parents=True, exist_ok=True)
    with po.open("wb") as file:
        write_po(file, catalog, width=100, include_lineno=False, omit_header=False)
    po.with_suffix(".mo").write_bytes(compiled(catalog))
    return sum(not is_translated(message) for message in catalog if message.id)


def _new(language: str) -> Catalog:
    return Catalog(
        language,
        header_comment="# Edit this file, then run gimp_plugin/translations.py.",
        project="semcolor",
        version=__version__,
        last_translator="the semcolor authors",
        language_team="the semcolor authors",
        fuzzy=False,
    )


def is_translated(message: Message) -> bool:
    """Whether there are words for it, in each number that the language knows."""
    words = message.string or ""
    return all(words) if isinstance(words, tuple) else bool(words)


def main() -> None:
    """Update every language, and begin new ones."""
    begun = [
        PLUGIN / f"language/locale/{language}/LC_MESSAGES/semcolor.po" for language in sys.argv[1:]
    ]
    for po in [*po_files(), *begun]:
        print(f"{po.parts[-3]}: {update(po)} messages without a translation")


if __name__ == "__main__":
    main()
