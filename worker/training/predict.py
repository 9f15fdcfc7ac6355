"""What the segmentation network says of each photo of a corpus, for colour to learn from.

python -m semcolor_worker.training.predict CORPUS… [--weights DIR]

Writes a folder ``labels_predicted`` beside each ``labels``. Training on part of these teaches the
colour network what it meets in use: maps that nobody has corrected yet.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from semcolor.photos.pixels import gray_from_rgb
from semcolor_worker.corpus.datasets import Pair, find_pairs, predicted_path, read_pair
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.evaluation import segment


def predict(pairs: list[Pair], folder: Path | None) -> None:
    """Write the predicted map of every photo; ``folder``: of the model, None for the bundled."""
    for place in {predicted_path(pair.photo).parent for pair in pairs}:
        place.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        written = pool.map(partial(_predict, folder=folder), pairs, chunksize=16)
        list(tqdm(written, total=len(pairs), unit="photo"))


def _predict(pair: Pair, folder: Path | None) -> None:
    rgb, _ = read_pair(pair)
    gray = torch.from_numpy(gray_from_rgb(rgb.permute(1, 2, 0).numpy()))
    ids = segment(_engine(folder), gray)
    Image.fromarray(ids.numpy()).save(predicted_path(pair.photo), optimize=True)


@cache
def _engine(folder: Path | None) -> Engine:
    torch.set_num_threads(1)  # there is a process for each core
    return Engine.load(folder, torch.device("cpu"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, help="folder of the segmentation model")
    options = parser.parse_args()
    predict(find_pairs(options.corpus), options.weights)


if __name__ == "__main__":
    main()
