"""Pages of the site that are files elsewhere in the repository, where readers on GitHub look.

mkdocs calls these functions: see `mkdocs.yml`.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).resolve().parent.parent
_PAGES = {
    "index.md": "README.md",
    "changes.md": "CHANGELOG.md",
    "model-card.md": "worker/models/bundled/MODEL_CARD.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add them."""
    for name, source in _PAGES.items():
        content = (_ROOT / source).read_text("utf-8")
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to files of the repository lead to their pages; those that are none become text."""
    source = _ROOT / _PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return _LINK.sub(lambda link: _led(link, source), markdown)


def _led(link: "re.Match[str]", source: Path) -> str:
    picture, text, target, anchor = link.groups()
    path = (source.parent / target).resolve()
    if not path.exists():
        return link[0]  # mkdocs says so
    inside = str(path.relative_to(_ROOT))
    pages = {source: name for name, source in _PAGES.items()}
    if inside in pages or path.is_relative_to(_ROOT / "docs"):
        place = pages.get(inside) or str(path.relative_to(_ROOT / "docs"))
        return f"{picture}[{text}]({place}{anchor or ''})"
    return text
