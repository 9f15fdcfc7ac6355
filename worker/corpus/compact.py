"""A small copy of a corpus, to carry to the machine that trains.

python -m semcolor_worker.corpus.compact CORPUS… -o COPY --side 192

The copy is a corpus folder like any other: photos as WebP and label maps (already in semcolor's
classes) as PNG, both at most ``side`` pixels long, numbered in the order that decides which photos
are held out, with their series. What is held out in the corpus is held out in the copy.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch.nn import functional as F
from tqdm import tqdm

from .datasets import Pair, find_pairs, read_pair
from .series import FILE, series


def compact(pairs: list[Pair], out: Path, side: int, quality: int) -> None:
    """Write ``pairs`` below ``out``; photos smaller than ``side`` pixels keep their size."""
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    shrink = partial(_shrink, out=out, side=side, quality=quality)
    with ProcessPoolExecutor() as pool:
        numbered = list(enumerate(pairs))
        list(tqdm(pool.map(shrink, numbered, chunksize=32), total=len(pairs), unit="photo"))
    lines = [f"{number:06}\t{of:06}\n" for number, of in enumerate(series(pairs))]
    (out / FILE).write_text("".join(lines), "utf-8")


def _shrink(numbered: tuple[int, Pair], out: Path, side: int, quality: int) -> None:
    torch.set_num_threads(1)
    number, pair = numbered
    rgb, labels = read_pair(pair)
    scale = min(1.0, side / max(labels.shape))
    size = [round(scale * length) for length in labels.shape]
    labels = F.interpolate(labels[None, None], size)[0, 0]  # nearest: ids do not mix
    photo = Image.fromarray(rgb.permute(1, 2, 0).numpy())
    photo = photo.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    photo.save(out / "images" / f"{number:06}.webp", quality=quality)
    Image.fromarray(labels.numpy()).save(out / "labels" / f"{number:06}.png", optimize=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=256, help="longest side in pixels")
    parser.add_argument("--quality", type=int, default=75, help="of WebP, 1 to 100")
    options = parser.parse_args()
    compact(find_pairs(options.corpus), options.output, options.side, options.quality)


if __name__ == "__main__":
    main()
