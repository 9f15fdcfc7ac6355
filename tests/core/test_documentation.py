"""The documentation: its site is whole, its commands are commands, its sentences the program's."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from semcolor.cli import main as command_line
from semcolor.shared import sentences

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(CHECKOUT / "docs").glob("*.md"), CHECKOUT / "README.md"])
PLUGIN = CHECKOUT / "gimp_plugin/semcolor"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--quiet"]
    where = ["--config-file", CHECKOUT / "mkdocs.yml", "--site-dir", folder]
    done = subprocess.run([*build, *where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # a link that leads nowhere, for instance
    return folder


def test_the_site_has_every_page_in_its_menu(site: Path):
    front = (site / "index.html").read_text("utf-8")
    for page in (CHECKOUT / "docs").glob("*.md"):
        assert f'href="{page.stem}/"' in front, page
    for name in ("changes", "model-card"):
        assert (site / name / "index.html").is_file()
    assert "images/triptych.jpg" in front
    assert (site / "images/triptych.jpg").is_file()


def commands() -> list[str]:
    """Lines of shell blocks that call semcolor."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|powershell)\n(.*?)```", page.read_text("utf-8"), re.S):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.strip() for line in lines if line.strip().startswith("semcolor ")]
    return sorted(set(found))


@pytest.mark.parametrize("line", commands())
def test_commands_are_as_the_program_takes_them(line: str):
    words = shlex.split(line.partition(" #")[0].partition(" | ")[0])
    ends = [i for i, word in enumerate(words) if word in (">", "&&", "||", ";")]
    command_line._parser().parse_args(words[1 : min(ends, default=None)])


def test_troubles_are_told_by_what_the_program_says():
    page = (CHECKOUT / "docs/troubleshooting.md").read_text("utf-8")
    told = [sentence for sentence in re.findall(r"“([^”]+)”", page) if sentence != "Lost"]
    texts = [Path(sentences.__file__).read_text("utf-8")]
    texts += [path.read_text("utf-8") for path in (*PLUGIN.rglob("*.py"), *INSTALLER.glob("*.py"))]
    said = re.sub(r"\"\s+f?\"", "", " ".join(texts))
    said = re.sub(r"\s+", " ", re.sub(r"{[^}]*}", "…", said))
    for sentence in told:
        for part in filter(None, (part.strip(" ().,") for part in sentence.split("…"))):
            assert part in said, sentence


INSTALLER = CHECKOUT / "installer"
