"""Make a contact sheet: a row for each photograph, gray | predicted labels | colour.

python docs/contact_sheet.py SHEET.jpg PHOTO… [--weights DIR]

Without a worker, so that weights can be looked at before they are chosen.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from semcolor.photos.photo_files import read_photo
from semcolor.shared.classes import all_classes
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.evaluation import colorize, segment
from semcolor_worker.evaluation.report import painted

CELL = (300, 220)  # pixels
GAP = 6


def main() -> None:
    """Colour every photo with the labels predicted for it, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    engine = Engine.load(options.weights)
    rows = []
    for path in options.photos:
        gray = torch.from_numpy(read_photo(path).gray.copy())
        labels = segment(engine, gray)
        print(path, summary(labels.numpy()))
        panels = gray.expand(3, -1, -1), painted(gray, labels), colorize(engine, gray, labels)
        rows.append([panel.permute(1, 2, 0).numpy() for panel in panels])
    sheet(rows).save(options.sheet, quality=90)


def summary(labels: np.ndarray) -> str:
    """The largest classes and their shares."""
    shares = np.bincount(labels.ravel(), minlength=60) / labels.size
    largest = shares.argsort()[::-1][:5]
    return ", ".join(f"{all_classes()[i].name} {shares[i]:.0%}" for i in largest if shares[i])


def sheet(rows: list[list[np.ndarray]]) -> Image.Image:
    """Cells of equal size, white between them."""
    across, down = CELL[0] + GAP, CELL[1] + GAP
    page = Image.new("RGB", (across * len(rows[0]) - GAP, down * len(rows) - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            cell = ImageOps.pad(Image.fromarray(picture), CELL, color="white")
            page.paste(cell, (x * across, y * down))
    return page


if __name__ == "__main__":
    main()
