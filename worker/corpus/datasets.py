"""Photos and label maps on disk: corpus folders, and public datasets as they are unpacked.

What a folder is shows by the names in it (``_DATASETS``). ``datasets.tsv`` turns the pixel values
of a public dataset's label files into our classes; values that it leaves empty or does not list
are *unlabelled*. Names and order: PASCAL-Context 59_labels.txt, and mmsegmentation's conversion
of it, which counts the same classes alphabetically; COCO-Stuff labels.txt, whose ids are one above
the pixel values (its 11 classes without annotations are left out); ADE20K objectInfo150.txt.
"""

import csv
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from semcolor.shared.classes import NUM_LABELS, UNLABELLED, all_classes
from semcolor.shared.errors import Code, SemcolorError

OURS = "semcolor"  # the labelling whose values are our class ids
_PHOTOS = (".jpg", ".jpeg", ".png", ".webp")

# Where a photo has several label files, the first counts.
FULLEST = ("labels_split", "labels_filled", "labels")
PARTS = ("labels_parts_filled", "labels_parts")  # 1 skin, 2 hair, 3 garment, 4 others' person

# Folder of photos → folders of their labels, seen from the same root → labelling.
_DATASETS: dict[str, dict[str, str]] = {
    "JPEGImages": {
        "59_context_labels": "pascal-context",
        "SegmentationClassContext": "pascal-context-mmseg",
    },
    "VOC2010/JPEGImages": {"59_context_labels": "pascal-context"},
    "VOCdevkit/VOC2010/JPEGImages": {"59_context_labels": "pascal-context"},
    **{
        f"{above}{part}": {
            f"{maps}/{part}": "coco-stuff"
            for maps in ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations")
        }
        for part in ("train2017", "val2017")
        for above in ("", "images/")
    },
    **{f"images/{part}": {f"annotations/{part}": "ade20k"} for part in ("training", "validation")},
}


class Pair(NamedTuple):
    """A photograph, its label map, and what the label map's values mean."""

    photo: Path
    labels: Path
    labelling: str = OURS


def find_pairs(folders: list[Path], labels: tuple[str, ...] = FULLEST) -> list[Pair]:
    """All labelled photos below ``folders``; ``labels``: of a corpus folder, which label maps.

    Raises SemcolorError where a folder has none: NO_DATA_FOLDER, MATLAB_LABELS, NO_PHOTOS.
    """
    pairs: dict[Path, Pair] = {}
    for folder in folders:
        found = _pairs_below(folder, labels)
        if not found:
            raise SemcolorError(_what_is_missing(folder), folder=str(folder))
        for pair in found:
            pairs.setdefault(pair.photo, pair)
    return list(pairs.values())


def predicted_path(photo: Path) -> Path:
    """Where the label map is, if any, that a network predicted for a photo."""
    return labels_path(photo, "labels_predicted")


def labels_path(photo: Path, folder: str) -> Path:
    """Where a photo's label map of one kind is, if any, in a corpus folder."""
    return photo.parent.parent / folder / f"{photo.stem}.png"


def has_parts(pair: Pair) -> bool:
    """Whether the parts of persons are labelled in a photo."""
    return any(labels_path(pair.photo, kind).exists() for kind in PARTS)


def source(photo: Path) -> str:
    """The name of the corpus folder that a photo is from."""
    return photo.parent.parent.name


def read_pair(pair: Pair) -> tuple[Tensor, Tensor]:
    """A photo as 3×H×W uint8 sRGB and its labels as H×W uint8 class ids.

    Raises SemcolorError: NO_FILE, NOT_A_PICTURE, NOT_A_LABEL_PICTURE, SIZE_MISMATCH.
    """
    photo, labels = _read(pair.photo), _read(pair.labels)
    if labels.mode not in ("L", "P"):
        raise SemcolorError(Code.NOT_A_LABEL_PICTURE, file=str(pair.labels), mode=labels.mode)
    if labels.size != photo.size:
        raise SemcolorError(
            Code.SIZE_MISMATCH,
            what=f"{pair.labels} (of {pair.photo})", width=labels.width, height=labels.height,
            photo_width=photo.width, photo_height=photo.height,
        )  # fmt: skip
    rgb = np.array(photo.convert("RGB"))
    ids = _our_ids(pair.labelling)[np.asarray(labels)]
    return torch.from_numpy(rgb).permute(2, 0, 1), torch.from_numpy(ids)


def _pairs_below(folder: Path, labels: tuple[str, ...]) -> list[Pair]:
    own = {"images": dict.fromkeys(labels, OURS)}
    return [
        pair
        for photos, maps in (own if labels != FULLEST else own | _DATASETS).items()
        for images in sorted(folder.rglob(photos))
        for pair in _pairs_of(images, images.parents[photos.count("/")], maps)
    ]


def _pairs_of(images: Path, root: Path, maps: dict[str, str]) -> list[Pair]:
    labelled: dict[str, tuple[Path, str]] = {}
    for place, labelling in maps.items():
        for path in (root / place).glob("*.png"):
            labelled.setdefault(path.stem, (path, labelling))
    return [
        Pair(photo, *labelled[photo.stem])
        for photo in sorted(images.glob("*"))
        if photo.suffix.lower() in _PHOTOS and photo.stem in labelled
    ]


def _what_is_missing(folder: Path) -> Code:
    if not folder.is_dir():
        return Code.NO_DATA_FOLDER
    return Code.MATLAB_LABELS if any(folder.rglob("*.mat")) else Code.NO_PHOTOS


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise SemcolorError(Code.NOT_A_PICTURE, file=str(path)) from error


@cache
def _our_ids(labelling: str) -> npt.NDArray[np.uint8]:
    """256 class ids, one for each pixel value of a label file."""
    ids = np.full(256, UNLABELLED, np.uint8)
    if labelling == OURS:
        ids[:NUM_LABELS] = np.arange(NUM_LABELS)
        return ids
    our_id = {ours.name: ours.id for ours in all_classes()} | {"": UNLABELLED}
    table = resources.files(__package__).joinpath("datasets.tsv").read_text("utf-8")
    for row in csv.DictReader(table.splitlines(), delimiter="\t"):
        if row["labelling"] == labelling:
            ids[int(row["value"])] = our_id[row["class"]]
    return ids
