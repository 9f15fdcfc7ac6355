"""How many strokes a label map takes, with *Smart* and without, in a real GIMP's window.

    python benchmarks/restoring.py PHOTO LABELS [PHOTO LABELS ...] [--gimp 3.2] [--shots FOLDER]

LABELS is the map that the restorer has in mind, of the photo's size, as `semcolor segment` writes
it; what is unlabelled in it may be anything. He adds the label layer, switches Live on, and then
corrects the largest fault with one stroke of the Pencil along its middle, nearly as wide as it is,
waits for the colours, and looks again, until 97 % are right. Run it as root, which the GIMPs of the
tests need (`tests/gimp/roots.py`). Prints one JSON line for each photo and way; `--shots` keeps a
picture of the screen after each stroke.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.append(str(CHECKOUT))

from semcolor.shared.classes import all_classes, gimp_palette  # noqa: E402
from tests.gimp import roots  # noqa: E402
from tests.gimp.harness import Gimp  # noqa: E402

WIDTH, CELL = 640, 8  # pixels
MOST_STROKES = 60
MARKS = (0.90, 0.95, 0.97)  # shares of the photo that are right

SCRIPT = """
WIDTH, CELL, SMART, SHOTS, MOST = {width}, {cell}, {smart}, {shots!r}, {most}
TARGET, COLORS = {target}, {colors}
ROWS, COLUMNS = len(TARGET), len(TARGET[0])
CELLS = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]

def seen():
    "The label layer's colours in the middle of each cell, as #rrggbb."
    area = Gegl.Rectangle.new(0, 0, WIDTH, labels.get_height())
    rgba = labels.copy().get_buffer().get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE)
    def color(row, column):
        at = 4 * ((row * CELL + CELL // 2) * WIDTH + column * CELL + CELL // 2)
        return "#" + rgba[at : at + 3].hex()
    return {{cell: color(*cell) for cell in CELLS}}

def wrong(now):
    return {{
        cell for cell in CELLS
        if TARGET[cell[0]][cell[1]] and now[cell] != COLORS[TARGET[cell[0]][cell[1]]]
    }}

def around(cell):
    row, column = cell
    return [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]

def reach(start, cells):
    "Cells that can be reached from here, with the cell before each, nearest first."
    before, queue = {{start: None}}, [start]
    for cell in queue:
        for other in around(cell):
            if other in cells and other not in before:
                before[other] = cell
                queue.append(other)
    return before

def largest_fault(cells):
    "The largest connected part in which one class is lacking."
    left, parts = set(cells), []
    while left:
        start = next(iter(left))
        lacking = TARGET[start[0]][start[1]]
        part = set(reach(start, {{c for c in left if TARGET[c[0]][c[1]] == lacking}}))
        left -= part
        parts.append(part)
    return max(parts, key=lambda part: (len(part), min(part)))

def depths(part):
    "How deep in the part each cell lies; 1 at its border."
    depth, ring, level = {{}}, set(part), 0
    while ring:
        level += 1
        outer = {{cell for cell in ring if any(other not in ring for other in around(cell))}}
        depth |= dict.fromkeys(outer, level)
        ring -= outer
    return depth

def spine(depth):
    "A path along the deepest cells."
    deepest = max(depth.values())
    middle = {{cell for cell, level in depth.items() if level >= 0.6 * deepest}}
    start = min(cell for cell in middle if depth[cell] == deepest)
    end = list(reach(start, middle))[-1]
    before = reach(end, middle)
    cell, path = list(before)[-1], []
    while cell:
        path.append(cell)
        cell = before[cell]
    return path, deepest

image = load_gray({photo!r}, 8, WIDTH)
photo = image.get_layers()[0]
show(image)
panel = open_panel(image)
if SMART:
    press("alt+m", lambda: preferences()["smart"])
press("alt+v", lambda: len(image.get_layers()) == 3)
labels, colors, _ = image.get_layers()
settle(colors)
Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 100"))
result["right"], begin = [], time.monotonic()
known = sum(bool(entry) for row in TARGET for entry in row)
for stroke_number in range(MOST + 1):
    faults = wrong(seen())
    result["right"].append(1 - len(faults) / known)
    if SHOTS:
        subprocess.run(["scrot", "-o", f"{{SHOTS}}/{{stroke_number:02}}.png"])
    if result["right"][-1] >= 0.97 or len(result["right"]) > MOST:
        break
    part = largest_fault(faults)
    path, deepest = spine(depths(part))
    row, column = path[0]
    Gimp.context_set_foreground(Gegl.Color.new(COLORS[TARGET[row][column]]))
    Gimp.context_set_brush_size(max(CELL, (2 * deepest - 1) * CELL))
    points = [half for row, column in path for half in ((column + 0.5) * CELL, (row + 0.5) * CELL)]
    Gimp.pencil(labels, points if len(points) > 2 else points + [points[0] + 1, points[1]])
    Gimp.displays_flush()
    settle(colors)
result["seconds"] = time.monotonic() - begin
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--gimp", choices=sorted(roots.RELEASES), default=max(roots.RELEASES))
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    for photo, labels in zip(options.files[::2], options.files[1::2], strict=True):
        for smart in (False, True):
            shots = (
                options.shots and options.shots / f"{photo.stem}-{'smart' if smart else 'plain'}"
            )
            right = restore(options.gimp, photo, labels, smart, shots)
            strokes = {
                f"{mark:.0%}": next((n for n, share in enumerate(right) if share >= mark), None)
                for mark in MARKS
            }
            shares = {"at first": round(right[0], 3), "at last": round(right[-1], 3)}
            line = {"photo": photo.name, "smart": smart, "strokes to": strokes, **shares}
            print(json.dumps(line | {"strokes": len(right) - 1}), flush=True)


def restore(
    version: str, photo: Path, labels: Path, smart: bool, shots: Path | None
) -> list[float]:
    """What share of the photo is right before the first stroke and after each."""
    with tempfile.TemporaryDirectory() as folder:
        gimp = Gimp(version, Path(folder))
        gimp.install(gimp_palette())
        if shots:
            shots.mkdir(parents=True, exist_ok=True)
        script = SCRIPT.format(
            width=WIDTH,
            cell=CELL,
            smart=smart,
            most=MOST_STROKES,
            shots=shots and gimp.path(shots.resolve()),
            target=cells_of(labels),
            colors=[entry.hex for entry in all_classes()],
            photo=gimp.path(photo.resolve()),
        )
        try:
            result: dict[str, Any] = gimp.run_in_window(script)
        finally:
            gimp.stop_worker()
    shares: list[float] = result["right"]
    return shares


def cells_of(labels: Path) -> list[list[int]]:
    """The class in the middle of each cell, where all of the cell has it; else 0, unlabelled."""
    with Image.open(labels) as opened:
        height = round(WIDTH * opened.height / opened.width)
        ids = np.asarray(opened.resize((WIDTH, height), Image.Resampling.NEAREST))
    rows, columns = height // CELL, WIDTH // CELL
    cells = ids[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    lowest, highest = cells.min(axis=(1, 3)), cells.max(axis=(1, 3))
    whole: list[list[int]] = np.where(lowest == highest, lowest, 0).tolist()
    return whole


if __name__ == "__main__":
    main()
