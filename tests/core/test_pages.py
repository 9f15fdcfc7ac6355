"""TIFFs of several pages."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from semcolor.photos.photo_files import read_photo
from semcolor.shared.errors import Code, SemcolorError

from .tiffs import join, write_tiff


@pytest.fixture
def pages(tmp_path):
    """A thumbnail, the photo, and its back side: each of another gray, and a file for them all."""
    sizes = ((20, 15), (80, 60), (80, 60))
    images = [
        Image.fromarray(np.full((height, width), 50 * number, np.uint8))
        for number, (width, height) in enumerate(sizes, start=1)
    ]
    first, *others = images
    first.save(tmp_path / "photo.tif", save_all=True, append_images=others)
    return tmp_path / "photo.tif"


def test_the_first_of_the_largest_pages_is_the_photo(pages):
    photo = read_photo(pages)
    assert (photo.gray.shape, photo.gray[0, 0], photo.page, photo.pages) == ((60, 80), 100, 2, 3)


@pytest.mark.parametrize(("page", "gray"), [(1, 50), (2, 100), (3, 150)])
def test_a_page_can_be_chosen(pages, page, gray):
    assert read_photo(pages, page).gray[0, 0] == gray


def test_channels_are_those_of_the_page(tmp_path):
    """Infrared in the first page, alpha in the second."""
    for number, kind in enumerate((0, 2)):
        write_tiff(tmp_path / f"{number}.tif", np.full((60, 80, 4), 9, np.uint8), (kind,))
    join(tmp_path / "0.tif", tmp_path / "1.tif", tmp_path / "photo.tif")
    for page, kind in ((1, 0), (2, 2)):
        photo = read_photo(tmp_path / "photo.tif", page)
        assert (photo.pages, photo.extra_kinds) == (2, (kind,))


@pytest.mark.parametrize("page", [0, 4, -1])
def test_a_page_that_is_not_there(pages, page):
    with pytest.raises(SemcolorError, match=f"no page {page}: it has 3") as caught:
        read_photo(pages, page)
    assert caught.value.code == Code.NO_PAGE


def test_the_user_is_told_what_is_left_out(worker, pages, tmp_path):
    command = [sys.executable, "-m", "semcolor.cli", "colorize", pages, "-o"]
    done = subprocess.run([*command, tmp_path / "a.png"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "has 3 pages: page 2" in done.stderr
    done = subprocess.run(
        [*command, tmp_path / "b.png", "--page", "3"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "pages" not in done.stderr
    assert Image.open(tmp_path / "b.png").size == (80, 60)


def test_all_pages(worker, pages, tmp_path):
    """Each becomes a file; a photo of one page keeps its name, and a damaged one stops no other."""
    Image.fromarray(np.full((60, 80), 9, np.uint8)).save(tmp_path / "one.png")
    (tmp_path / "broken.tif").write_bytes(b"no photo")
    command = [sys.executable, "-m", "semcolor.cli", "colorize", "--page", "all", "-o"]
    photos = [pages, tmp_path / "one.png", tmp_path / "broken.tif"]
    done = subprocess.run([*command, tmp_path / "out", *photos], capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 of 5 photos failed" in done.stderr
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").iterdir()}
    assert sizes == {
        "photo-1.tif": (20, 15), "photo-2.tif": (80, 60), "photo-3.tif": (80, 60),
        "one.png": (80, 60),
    }  # fmt: skip
    done = subprocess.run([*command, tmp_path / "o.tif", pages], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("o-*")) == ["o-1.tif", "o-2.tif", "o-3.tif"]
