"""GIMP's Help on our procedures: a real browser is started, but for its name."""

import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .harness import Gimp

_BROWSER = """\
[Desktop Entry]
Type=Application
Name=Browser
Exec={program} %u
MimeType=text/html;text/plain;application/octet-stream;x-scheme-handler/file;
"""


def test_help_opens_our_page(gimp: Gimp) -> None:
    opened = gimp.folder / "opened"
    program = gimp.folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    program.chmod(0o755)
    data = gimp.folder / "data"
    (data / "applications").mkdir(parents=True)
    (data / "applications" / "browser.desktop").write_text(_BROWSER.format(program=program))
    (data / "applications" / "mimeinfo.cache").write_text(
        "[MIME Cache]\ntext/html=browser.desktop;\ntext/plain=browser.desktop;\n"
        "application/octet-stream=browser.desktop;\nx-scheme-handler/file=browser.desktop;\n"
    )
    result = gimp.run_in_window(
        f"""
        Gimp.help("semcolor", "plug-in-semcolor-snap-to-edges")
        opened = pathlib.Path({str(opened)!r})
        wait(opened.exists)
        result["opened"] = opened.read_text().strip()
        result["procedures"] = list(Gimp.get_pdb().query_procedures("semcolor", *[""] * 7))
        """,
        XDG_DATA_HOME=str(data),
    )
    address = urlsplit(result["opened"])
    assert address.fragment == "plug-in-semcolor-snap-to-edges"
    page = Path(unquote(address.path))
    assert 'id="plug-in-semcolor-snap-to-edges">Snap to Edges</h2>' in page.read_text("utf-8")
    items = {item.get("id") for item in ET.parse(page.with_name("gimp-help.xml")).getroot()}
    ours = {"writer", "write-pixels", "write-pixels-once"}  # for the others only
    assert items == set(result["procedures"]) - {f"plug-in-semcolor-{name}" for name in ours}
