import csv
import re
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from semcolor.shared.classes import all_classes
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.corpus.datasets import Pair, find_pairs, read_pair
from semcolor_worker.corpus.series import split

# COCO-Stuff's labels.txt lists these, but no label file holds them.
REMOVED_FROM_COCO = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}


def class_id(name):
    return next(c.id for c in all_classes() if c.name == name)


def write_photo(path, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, "gray").save(path)
    return path


def write_labels(path, values, indexed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.resize(np.array(values, np.uint8), (4, 6))
    image = Image.fromarray(pixels)
    if indexed:
        image = Image.fromarray(pixels, mode="P")
        image.putpalette(bytes(range(256)) * 3)
    image.save(path)
    return path


def names(pair):
    """What the first pixels of a pair's labels have become."""
    _, labels = read_pair(pair)
    return [all_classes()[i].name for i in labels.flatten().tolist()]


def table():
    text = resources.files("semcolor_worker.corpus").joinpath("datasets.tsv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


@pytest.mark.parametrize(
    ("labelling", "values"),
    [
        ("pascal-context", set(range(1, 60))),
        ("pascal-context-mmseg", set(range(1, 60))),
        ("coco-stuff", {i - 1 for i in range(1, 183) if i not in REMOVED_FROM_COCO}),
        ("ade20k", set(range(1, 151))),
    ],
)
def test_the_table_is_complete(labelling, values):
    rows = [row for row in table() if row["labelling"] == labelling]
    assert sorted(int(row["value"]) for row in rows) == sorted(values)
    assert len({row["name"] for row in rows}) == len(rows)
    assert {row["class"] for row in rows} <= {c.name for c in all_classes()[1:]} | {""}


def test_both_orders_of_pascal_context_give_every_class():
    official = [row for row in table() if row["labelling"] == "pascal-context"]
    assert [(int(row["value"]), row["name"]) for row in official] == [
        (c.id, c.name) for c in all_classes()[1:]
    ]
    other = [row for row in table() if row["labelling"] == "pascal-context-mmseg"]
    assert sorted(row["class"] for row in other) == sorted(c.name for c in all_classes()[1:])
    assert [row["name"] for row in other] == sorted(row["name"] for row in other)


@pytest.mark.parametrize(
    "place", ["VOC2010/59_context_labels", "VOCdevkit/59_context_labels", "59_context_labels"]
)
def test_pascal_context(tmp_path, place):
    voc = tmp_path / "VOCdevkit" / "VOC2010"
    if place.startswith("VOC2010"):
        place = f"VOCdevkit/{place}"
    photo = write_photo(voc / "JPEGImages" / "2008_000002.jpg")
    write_photo(voc / "JPEGImages" / "2008_000003.jpg")  # has no labels
    labels = write_labels(tmp_path / place / "2008_000002.png", [0, 20, 58, 59, 255], indexed=True)
    assert find_pairs([tmp_path]) == [Pair(photo, labels, "pascal-context")]
    read = names(find_pairs([tmp_path])[0])[:5]
    assert read == ["unlabelled", "tvmonitor", "window", "wood", "unlabelled"]


def test_pascal_context_in_mmsegmentation(tmp_path):
    """Of 2008_000002 it is known that these values are there and what is in the picture."""
    voc = tmp_path / "VOCdevkit" / "VOC2010"
    write_photo(voc / "JPEGImages" / "2008_000002.jpg")
    write_labels(voc / "SegmentationClassContext" / "2008_000002.png", [0, 55, 58, 2, 4])
    write_labels(voc / "SegmentationClass" / "2008_000002.png", [20])  # VOC's 20 classes
    (pair,) = find_pairs([tmp_path])
    assert names(pair)[:5] == ["unlabelled", "tvmonitor", "window", "bag", "bedcloth"]


def test_a_photo_is_there_once_however_often_it_is_labelled(tmp_path):
    voc = tmp_path / "VOCdevkit" / "VOC2010"
    write_photo(voc / "JPEGImages" / "2008_000002.jpg")
    write_labels(voc / "SegmentationClassContext" / "2008_000002.png", [55])
    write_labels(tmp_path / "59_context_labels" / "2008_000002.png", [20])
    pairs = find_pairs([tmp_path, voc])
    assert len(pairs) == 1
    assert names(pairs[0])[0] == "tvmonitor"


@pytest.mark.parametrize("photos", ["", "images"])
@pytest.mark.parametrize("maps", ["stuffthingmaps", "stuffthingmaps_trainval2017", "annotations"])
def test_coco_stuff(tmp_path, photos, maps):
    values = [0, 92, 139, 156, 181, 182, 255]
    for part, number in (("train2017", "000000000009"), ("val2017", "000000000139")):
        write_photo(tmp_path / photos / part / f"{number}.jpg", mode="L")
        write_labels(tmp_path / maps / part / f"{number}.png", values)
        write_labels(tmp_path / maps / part / f"{number}_labelTrainIds.png", [1])
    pairs = find_pairs([tmp_path])
    assert [pair.photo.stem for pair in pairs] == ["000000000009", "000000000139"]
    for pair in pairs:
        read = names(pair)[:7]
        assert read == ["person", "bedcloth", "sidewalk", "sky", "wood"] + 2 * ["unlabelled"]
        assert read_pair(pair)[0].shape == (3, 4, 6)


def test_ade20k(tmp_path):
    root = tmp_path / "ADEChallengeData2016"
    for part, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        write_photo(root / "images" / part / f"{name}.jpg")
        write_labels(root / "annotations" / part / f"{name}.png", [0, 1, 14, 129, 150, 151])
    pairs = find_pairs([tmp_path])
    assert [pair.photo.parent.name for pair in pairs] == ["training", "validation"]
    for pair in pairs:
        read = names(pair)[:6]
        assert read == ["unlabelled", "wall", "ground", "water", "unlabelled", "unlabelled"]


def corpus(folder, count):
    for number in range(count):
        write_photo(folder / "images" / f"{number:02}.png")
        write_labels(folder / "labels" / f"{number:02}.png", [class_id("sky"), 60])
    write_labels(folder / "labels_filled" / "01.png", [class_id("water")])
    return folder


def test_corpus_folders(tmp_path):
    corpus(tmp_path / "b", 3)
    corpus(tmp_path / "a", 2)
    pairs = find_pairs([tmp_path])
    assert [pair.photo.relative_to(tmp_path).as_posix() for pair in pairs] == [
        "a/images/00.png", "a/images/01.png", "b/images/00.png", "b/images/01.png",
        "b/images/02.png",
    ]  # fmt: skip
    assert [pair.labels.parent.name for pair in pairs[:2]] == ["labels", "labels_filled"]
    assert names(pairs[0])[:2] == ["sky", "unlabelled"]  # 60 is no class


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp"])
def test_kinds_of_photos(tmp_path, suffix):
    photo = write_photo(tmp_path / "images" / f"a{suffix}")
    labels = write_labels(tmp_path / "labels" / "a.png", [class_id("sky")])
    (tmp_path / "images" / "a.txt").touch()
    assert find_pairs([tmp_path]) == [Pair(photo, labels)]
    assert names(Pair(photo, labels))[0] == "sky"


def test_a_dataset_beside_a_corpus_leaves_its_order(tmp_path):
    alone = find_pairs([corpus(tmp_path / "data" / "corpus", 5)])
    ade = tmp_path / "data" / "ADEChallengeData2016"
    write_photo(ade / "images" / "training" / "ADE_train_00000001.jpg")
    write_labels(ade / "annotations" / "training" / "ADE_train_00000001.png", [1])
    together = find_pairs([tmp_path / "data"])
    assert together[:5] == alone
    assert len(together) == 6


def test_held_out_photos_are_not_trained_on(tmp_path):
    divided = split(find_pairs([corpus(tmp_path, 45)]))
    assert [pair.photo.stem for pair in divided.held_out] == ["00", "40"]
    assert not set(divided.held_out) & set(divided.training)
    assert len(divided.training) == 43


def test_a_folder_without_photos_is_named(tmp_path):
    good, empty = corpus(tmp_path / "good", 1), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SemcolorError, match=re.escape(str(empty))) as raised:
        find_pairs([good, empty])
    assert raised.value.code == Code.NO_PHOTOS
    with pytest.raises(SemcolorError, match=re.escape(f"no folder {tmp_path / 'none'}")) as raised:
        find_pairs([tmp_path / "none"])
    assert raised.value.code == Code.NO_DATA_FOLDER


def test_matlab_labels_are_refused_with_the_way_out(tmp_path):
    write_photo(tmp_path / "JPEGImages" / "2008_000002.jpg")
    (tmp_path / "trainval").mkdir()
    (tmp_path / "trainval" / "2008_000002.mat").touch()
    with pytest.raises(SemcolorError, match=r"59_context_labels\.tar\.gz"):
        find_pairs([tmp_path])


def test_labels_of_another_size_name_both_files(tmp_path):
    photo = write_photo(tmp_path / "a.jpg", size=(7, 4))
    labels = write_labels(tmp_path / "a.png", [1])
    with pytest.raises(SemcolorError) as raised:
        read_pair(Pair(photo, labels))
    assert raised.value.code is Code.SIZE_MISMATCH
    assert str(raised.value) == (
        f"{labels} (of {photo}) has 6 × 4 pixels, the photo 7 × 4. They must be the same."
    )


@pytest.mark.parametrize("broken", ["photo", "labels"])
@pytest.mark.parametrize("damage", ["cut", "not a picture", "removed"])
def test_an_unreadable_file_is_named(tmp_path, broken, damage):
    pair = Pair(write_photo(tmp_path / "a.jpg"), write_labels(tmp_path / "a.png", [1]))
    path = getattr(pair, broken)
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-30] if damage == "cut" else b"<html>404</html>")
    with pytest.raises(SemcolorError, match=re.escape(str(path))) as raised:
        read_pair(pair)
    assert raised.value.code is (Code.NO_FILE if damage == "removed" else Code.NOT_A_PICTURE)


def test_labels_in_colour_are_refused(tmp_path):
    pair = Pair(write_photo(tmp_path / "a.jpg"), write_photo(tmp_path / "a.png"))
    with pytest.raises(SemcolorError, match=r"a\.png has pixels of kind “RGB”"):
        read_pair(pair)
