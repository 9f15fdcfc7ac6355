"""The plug-in's translations: complete, compiled, and what a real GIMP shows."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from .harness import CHECKOUT, Gimp

_spec = spec_from_file_location("translations", CHECKOUT / "gimp_plugin/translations.py")
assert _spec
assert _spec.loader
translations = module_from_spec(_spec)
_spec.loader.exec_module(translations)

PO_FILES = translations.po_files()


def language(po: Path) -> str:
    return po.parts[-3]


@pytest.mark.parametrize("po", PO_FILES, ids=language)
def test_translation_is_complete(po: Path) -> None:
    catalog = translations.read(po)
    wanted = {message.id for message in translations.template()}
    assert {message.id for message in catalog} == wanted
    assert not [m.id for m in catalog if m.id and (m.fuzzy or not translations.is_translated(m))]


@pytest.mark.parametrize("po", PO_FILES, ids=language)
def test_translation_keeps_what_is_filled_in(po: Path) -> None:
    for message in translations.read(po):
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        words = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id:
            assert {frozenset(fields(text)) for text in words} == {frozenset(fields(originals[-1]))}
            assert [text.count("_") for text in words] == [originals[-1].count("_")] * len(words)


@pytest.mark.parametrize("po", PO_FILES, ids=language)
def test_what_the_plugin_reads_is_made_of_it(po: Path) -> None:
    assert po.with_suffix(".mo").read_bytes() == translations.compiled(translations.read(po))


def fields(text: str) -> list[str]:
    return re.findall(r"\{.*?\}", text)


def test_gimp_shows_the_users_language(gimp: Gimp, photo_file: Path) -> None:
    script = f"""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-semcolor-colorize")
    result["label"] = procedure.get_menu_label()
    image = load_gray({gimp.path(photo_file)!r}, 8)
    layer = Gimp.TextLayer.new(image, "1936", Gimp.context_get_font(), 20, Gimp.Unit.pixel())
    image.insert_layer(layer, None, 0)
    result["sentence"] = failure(colorize, image, layer)
    """
    english = gimp.run(script)
    german = gimp.run(script, LANGUAGE="de_AT:de")
    assert english["label"] == "_Colorize"
    assert "Select a photo" in english["sentence"]
    assert german["label"] == "_Einfärben"
    assert "Wählen Sie ein Foto" in german["sentence"]
    assert gimp.run(script, LANGUAGE="tlh") == english
