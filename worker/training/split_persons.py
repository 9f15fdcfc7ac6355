"""Label maps in which persons are split into skin and hair, and clothes.

python -m semcolor_worker.training.split_persons CORPUS… --weights RUN

Where a source labels whole persons as *person*, a network that has learnt the parts of persons
(recipe `parts`) says which of their pixels are garments: these become *clothes*. Where it hesitates
nothing is labelled. The maps, `labels_split/`, come before all others from then on. Photos whose
parts are labelled already are left alone.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from semcolor.shared.classes import UNLABELLED, all_classes
from semcolor_worker.color import lab_from_rgb
from semcolor_worker.coloring.detail import detail_size
from semcolor_worker.corpus.datasets import Pair, find_pairs, has_parts, labels_path, read_pair
from semcolor_worker.models import weights
from semcolor_worker.models.weights import Model

FOLDER = "labels_split"
GARMENT = 3  # of the parts; 1 is skin, 2 hair
_SURE = 0.65
_IDS = {entry.name: entry.id for entry in all_classes()}
PERSON, CLOTHES = _IDS["person"], _IDS["clothes"]


def split_persons(labels: Tensor, garment: Tensor, own: Tensor) -> Tensor:
    """A label map (H×W uint8) whose persons are split.

    ``garment``, ``own``: H×W probabilities of being one, and of being skin or hair.
    """
    total = garment + own
    parts = torch.full_like(labels, UNLABELLED)
    parts[own > _SURE * total] = PERSON
    parts[garment > _SURE * total] = CLOTHES
    return torch.where(labels == PERSON, parts, labels)


def parts(model: Model, rgb: Tensor) -> Tensor:
    """5×H×W probabilities of a photo's pixels (3×H×W uint8 sRGB): none, skin, hair, garment, …"""
    height, width = rgb.shape[1:]
    size = detail_size(rgb.shape[1:], 0, model)
    small = F.interpolate(rgb[None].float() / 255, size, mode="bilinear", antialias=True)
    lightness = lab_from_rgb(small[0].clamp(0, 1))[None, :1]
    logits = model.network(model.network_input(lightness))
    return F.interpolate(logits, (height, width), mode="bilinear")[0].softmax(0)


def _split(pair: Pair, folder: Path) -> None:
    if has_parts(pair):
        return
    rgb, labels = read_pair(pair)
    if not (labels == PERSON).any():
        return
    with torch.inference_mode():
        shares = parts(_model(folder), rgb)
    new = split_persons(labels, shares[GARMENT], shares[1:GARMENT].sum(0))
    Image.fromarray(new.numpy()).save(labels_path(pair.photo, FOLDER), optimize=True)


@cache
def _model(folder: Path) -> Model:
    torch.set_num_threads(1)  # there is a process for each core
    return weights.load_for("segmentation", folder)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, required=True, help="folder of the parts network")
    options = parser.parse_args()
    pairs = find_pairs(options.corpus)
    for place in {labels_path(pair.photo, FOLDER).parent for pair in pairs}:
        place.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        done = pool.map(partial(_split, folder=options.weights), pairs, chunksize=16)
        list(tqdm(done, total=len(pairs), unit="photo"))


if __name__ == "__main__":
    main()
