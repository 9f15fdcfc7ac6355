import numpy as np
import pytest
from PIL import Image, ImageOps

from semcolor_worker.corpus.compact import compact
from semcolor_worker.corpus.datasets import find_pairs, source
from semcolor_worker.corpus.series import HELD_OUT, series, split


def picture(seed):
    """Blobs of gray, another picture for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return coarse.resize((160, 120), Image.Resampling.BICUBIC)


@pytest.fixture
def write(tmp_path):
    """Writes a photo with labels: source, name, picture."""

    def write(where, name, image, quality=95):
        folder = tmp_path / where
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        image.save(folder / "images" / f"{name}.jpg", quality=quality)
        Image.new("L", image.size, 50).save(folder / "labels" / f"{name}.png")

    return write


def numbers(tmp_path):
    pairs = find_pairs([tmp_path])
    names = [f"{source(pair.photo)}/{pair.photo.stem}" for pair in pairs]
    return dict(zip(names, series(pairs), strict=True))


def test_unlike_photos_are_no_series(write, tmp_path):
    for seed in range(50):
        write("a", f"2008_{seed:06}", picture(seed))
    assert list(numbers(tmp_path).values()) == list(range(50))


def test_nearly_the_same_picture_is_of_the_same_series(write, tmp_path):
    """In other sources too: mirrored, scaled, compressed, darker."""
    image = picture(0)
    write("a", "0", image)
    write("a", "1", picture(1))
    write("b", "compressed", image, quality=20)
    write("b", "dark", image.point(lambda value: value * 0.8))
    write("b", "mirrored", ImageOps.mirror(image))
    write("b", "small", image.resize((80, 60)))
    assert numbers(tmp_path) == {
        "a/0": 0, "a/1": 1, "b/compressed": 0, "b/dark": 0, "b/mirrored": 0, "b/small": 0,
    }  # fmt: skip


def test_names_tell_films_and_crops_of_one_photo(write, tmp_path):
    names = [
        ("camvid", "0001TP_006690"), ("camvid", "0001TP_008550"), ("camvid", "0016E5_08027"),
        ("ccp", "0117"), ("ccp", "0118"), ("ccp_crops", "0117_head"), ("ccp_crops", "0118_upper"),
        ("labelmefacade", "spatial_envelope_static__a1"),
        ("labelmefacade", "spatial_envelope_static__b1"),
        ("labelmefacade", "street_boston__p1010736"), ("labelmefacade", "street_boston__p1010740"),
        ("lfw_hair", "Ann_Lee_0001"), ("lfw_hair", "Ann_Lee_0002"), ("lfw_hair", "Ann_Li_0001"),
        ("other", "0117"),
    ]  # fmt: skip
    for seed, (where, name) in enumerate(names):
        write(where, name, picture(seed))
    of = numbers(tmp_path)
    assert [of[f"{where}/{name}"] for where, name in names] == [
        0, 0, 2, 3, 4, 3, 4, 7, 8, 9, 9, 11, 11, 13, 14,
    ]  # fmt: skip


def test_a_folder_tells_its_own_series(write, tmp_path):
    for seed, name in enumerate("abcd"):
        write("mine", name, picture(seed % 3))  # the last one is the first again
    (tmp_path / "mine" / "series.tsv").write_text("a\tx\nb\tx\nd\ty\n")
    assert numbers(tmp_path) == {"mine/a": 0, "mine/b": 0, "mine/c": 2, "mine/d": 3}


@pytest.fixture
def divided(write):
    """81 photos, of which two look like the first, and two like the second."""
    for number in range(81):
        seed = {20: 0, 30: 0, 50: 1, 80: 1}.get(number, number)
        write("a", f"{number:03}", picture(seed))


def test_a_series_is_held_out_as_a_whole_or_not_at_all(divided, tmp_path):
    photos = split(find_pairs([tmp_path]))
    # By photo it would be 0, 40, 80, with the likes of the first in training.
    assert [pair.photo.stem for pair in photos.held_out] == ["000", "020", "030", "040"]
    assert len(photos.training) == 81 - 4


def test_a_small_copy_is_divided_alike(divided, tmp_path):
    pairs = find_pairs([tmp_path / "a"])
    compact(pairs, tmp_path / "copy", side=48, quality=60)
    held = split(find_pairs([tmp_path / "copy"])).held_out
    assert [pair.photo.stem for pair in held] == ["000000", "000020", "000030", "000040"]


def test_whole_sources_can_be_held_out(divided, write, tmp_path):
    write("b", "0", picture(500))
    held = split(find_pairs([tmp_path]), ["b"]).held_out
    assert [source(pair.photo) for pair in held] == ["a"] * 4 + ["b"]


def test_what_is_one_series_is_divided_by_photo(write, tmp_path):
    for number in range(2 * HELD_OUT):
        write("webcam", f"{number:02}", picture(0))
    photos = split(find_pairs([tmp_path]))
    assert len(photos.held_out) == 2
    assert len(photos.training) == 2 * HELD_OUT - 2
