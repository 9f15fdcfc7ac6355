"""The documentation of the procedures, and its example."""

import re
from pathlib import Path

from PIL import Image

from semcolor.photos.label_files import read_label_map

from .drawing import SIZE
from .harness import CHECKOUT, Gimp

_SCRIPTS = CHECKOUT / "docs" / "gimp-scripts.md"

_KINDS = {  # what the documentation calls GIMP's types
    "gint": "int",
    "gboolean": "boolean",
    "gchararray": "string",
    "GStrv": "strings",
    "GimpDoubleArray": "doubles",
    "GFile": "file",
    "GimpLayer": "layer",
    "GimpRunMode": "enum",
}


def test_documented_procedures_are_those_that_there_are(gimp: Gimp) -> None:
    result = gimp.run("""
        result["there"] = {
            name: [
                [[spec.name, spec.value_type.name, bool(spec.blurb)] for spec in specs]
                for specs in (procedure.get_arguments(), procedure.get_return_values())
            ]
            for name in Gimp.get_pdb().query_procedures("plug-in-semcolor-", *[""] * 7)
            for procedure in [Gimp.get_pdb().lookup_procedure(name)]
        }
    """)
    there = {}
    for name in ("writer", "write-pixels", "write-pixels-once"):  # are for the others only
        del result["there"][f"plug-in-semcolor-{name}"]
    for name, (arguments, returns) in result["there"].items():
        if [argument[0] for argument in arguments[:3]] == ["run-mode", "image", "drawables"]:
            del arguments[:3]
        assert all(text for *_, text in arguments + returns), name
        there[name.removeprefix("plug-in-semcolor-")] = tuple(
            [(value, _KINDS[kind]) for value, kind, _ in values] for values in (arguments, returns)
        )
    assert _documented() == there


def _documented() -> dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """Each procedure's arguments and return values with their types, from the table."""
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)\|(.*)\|$", _SCRIPTS.read_text("utf-8"), re.MULTILINE)
    value = re.compile(r"`([\w-]+)` \((\w+)\)")
    return {name: (value.findall(takes), value.findall(gives)) for name, takes, gives in rows}


def test_documented_example_colours_a_folder(gimp: Gimp, photo_file: Path) -> None:
    photos = gimp.folder / "photos"
    photos.mkdir()
    gray = Image.open(photo_file).convert("L").resize(SIZE[::-1])
    for name in ("one", "two"):
        gray.save(photos / f"{name}.jpg")
    (example,) = re.findall(r"```sh\n(.*?)```", _SCRIPTS.read_text("utf-8"), re.DOTALL)
    gimp.shell(example.replace("gimp-console-3.0", f"gimp-console-{gimp.version}"))
    result = gimp.run(f"""
        result["structure"] = structure(load({str(photos / "two.xcf")!r}))
    """)
    labels, colorized, _ = result["structure"]["layers"]
    assert (labels["name"], labels["visible"], colorized["lch color"]) == ("Labels", False, True)
    for name in ("one", "two"):
        assert read_label_map(photos / f"{name}-labels.png").shape == SIZE
