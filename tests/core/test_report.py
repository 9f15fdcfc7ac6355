"""The web page of a batch: what it says, and that it works from a disk in a real browser."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from semcolor.cli.manifest import NAME, Line, Manifest, State, last_lines
from semcolor.photos.label_files import write_label_map
from tests.gimp import roots

_NAMES = ["a<b>&'\".png", "Bild ä #1?.png", "box/plain.png"]


def report(folder):
    command = [sys.executable, "-m", "semcolor.cli", "report", folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def folder(tmp_path):
    """A batch's, with names that a page must write otherwise, a failure, and a lost photo."""
    out, scans = tmp_path / "out", tmp_path / "scans"
    (out / "box").mkdir(parents=True)
    scans.mkdir()
    with Manifest(out) as manifest:
        for number, name in enumerate(_NAMES):
            Image.new("RGB", (900, 600), (200, 40 * number, 40)).save(out / name)
            Image.new("L", (900, 600), 120).save(scans / f"{number}.png")
            labels = f"{name}.labels.png"
            write_label_map(out / labels, np.full((600, 900), 36, np.uint8))
            shares = {"grass": 1.0} if number else {"sky": 0.6, "grass": 0.395, "boat": 0.005}
            manifest.add(
                Line(
                    name, str(scans / f"{number}.png"), State.DONE, labels=labels, shares=shares,
                    told=("It was <dark>.",),
                )
            )  # fmt: skip
        manifest.add(Line("bad.png", "bad <1>.png", State.FAILED, reason="It is damaged."))
        manifest.add(Line("gone.png", str(scans / "gone.png"), State.DONE))
    return out


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.figures, self.pictures, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "figure":
            self.figures.append(dict(attributes))
        if tag == "img":
            self.pictures.append(unquote(dict(attributes)["src"]))

    def handle_data(self, data):
        self.text += data


@pytest.mark.posix
def test_page_has_photos_and_failures(folder):
    done = report(folder)
    assert done.returncode == 0, done.stderr
    assert "gone.png" in done.stderr
    page = Page((folder / "semcolor-report.html").read_text("utf-8"))
    assert {figure["data-name"] for figure in page.figures} == set(_NAMES)
    classes = {figure["data-name"]: figure["data-classes"] for figure in page.figures}
    assert classes[_NAMES[0]] == "sky|grass"
    assert "4 of 5 photos are done." in page.text
    assert "bad <1>.png" in page.text
    assert "It is damaged." in page.text
    assert "It was <dark>." in page.text
    assert len(page.pictures) == 9
    for picture in page.pictures:
        with Image.open(folder / picture) as image:
            assert (image.format, image.size) == ("JPEG", (480, 320))
    assert not re.search(r"https?:", (folder / "semcolor-report.html").read_text("utf-8"))


@pytest.mark.posix
def test_pictures_are_made_again_when_the_result_is_newer(folder):
    report(folder)
    name = _NAMES[2]
    picture = folder / "semcolor-report" / f"{name}.after.jpg"
    before = picture.read_bytes()
    assert report(folder).returncode == 0
    assert picture.read_bytes() == before
    Image.new("RGB", (900, 600), (20, 20, 220)).save(folder / name)
    assert report(folder).returncode == 0
    assert picture.read_bytes() != before
    assert last_lines(folder / NAME)[name].state == State.DONE


def test_a_folder_of_no_batch(tmp_path):
    done = report(tmp_path)
    assert done.returncode == 3
    assert "semcolor batch" in done.stderr


@pytest.mark.posix
def test_in_a_browser(folder):
    """It filters, its slider uncovers the photo, labels are shown on a click."""
    if not roots.is_built("3.0"):
        pytest.skip(roots.why_impossible() or "run `python tests/gimp/roots.py` once")
    report(folder)
    script = """
    <script>
    const choice = document.querySelector("#class");
    choice.value = "sky";
    choice.dispatchEvent(new Event("change"));
    document.querySelector("#labels").click();
    const figure = document.querySelector("figure:not([hidden])");
    const slider = figure.querySelector("input");
    slider.value = 25;
    slider.dispatchEvent(new Event("input"));
    const style = (which) => getComputedStyle(figure.querySelector(which));
    const images = [...figure.querySelectorAll("img")];
    images.forEach((image) => { image.loading = "eager"; });
    addEventListener("load", () => document.title = JSON.stringify({
      shown: document.querySelectorAll("figure:not([hidden])").length,
      count: document.querySelector("#count").textContent,
      clip: style(".after").clipPath, labels: style(".labels").opacity,
      widths: images.map((image) => image.naturalWidth),
    }));
    </script></body>"""
    page = folder / "semcolor-report.html"
    page.write_text(page.read_text("utf-8").replace("</body>", script), "utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        f"--user-data-dir={folder.parent / 'browser'}", page.as_uri(),
    ]  # fmt: skip
    command = roots.inside("3.0", folder.parent, command)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    (title,) = re.findall("<title>(.*?)</title>", done.stdout)
    assert title == (
        '{"shown":1,"count":"1 of 3","clip":"inset(0px 0px 0px 25%)","labels":"0.6",'
        '"widths":[480,480,480]}'
    )
