"""Make `docs/images/triptych.jpg`: a photograph, its labels over it, and the colour.

python docs/triptych.py [PHOTO]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.photos.label_colors import palette
from semcolor.photos.photo_files import read_photo

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "dust-bowl-home.jpg"
WIDTH = 560  # pixels of one panel
GAP = 8


def main() -> None:
    """Colour a photo with the labels predicted for it, and put the three side by side."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    gray = read_photo(path).gray
    session = Session(local_worker.connect(), gray)
    labels = session.segment(session.whole, 0, lambda *_: None).map
    session.set_labels(labels)
    colour = session.colorize(session.whole, 0, lambda *_: None).rgb
    before = np.repeat(gray[..., None], 3, axis=2)
    mixed = (0.5 * before + 0.5 * palette()[labels]).astype(np.uint8)
    out = ROOT / "docs" / "images" / "triptych.jpg"
    side_by_side([before, mixed, colour]).save(out, quality=90)
    print(out)


def side_by_side(pictures: list[np.ndarray]) -> Image.Image:
    """Panels of equal width in a row, white between them."""
    panels = [Image.fromarray(picture) for picture in pictures]
    height = round(WIDTH * panels[0].height / panels[0].width)
    sheet = Image.new("RGB", (3 * WIDTH + 2 * GAP, height), "white")
    for number, panel in enumerate(panels):
        fitted = ImageOps.fit(panel, (WIDTH, height), Image.Resampling.LANCZOS)
        sheet.paste(fitted, (number * (WIDTH + GAP), 0))
    return sheet


if __name__ == "__main__":
    main()
