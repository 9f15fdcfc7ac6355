"""Is a GPU as right as the CPU, and how much faster?

    python benchmarks/on_gpu.py

On a machine with a GPU that PyTorch can use, colours and segments the sample photos on both,
stroke by stroke too, and prints one table and one JSON line; it fails where they disagree. On a
machine without a GPU it says so.
"""

import sys

import torch
from common import SAMPLE, milliseconds, ratio, report, seconds

from semcolor.photos.photo_files import read_photo
from semcolor.protocol.schema import Colorize, Segment
from semcolor.shared.geometry import Rectangle
from semcolor_worker import color
from semcolor_worker.engine.engine import Engine
from semcolor_worker.evaluation.metrics import ciede2000
from semcolor_worker.models import weights

MEAN, RARE = 0.3, 2.0  # ΔE00 that nobody sees: of the mean, and of one pixel in a thousand
AGREEING = 0.99  # share of pixels with the same class
DETAILS = (0, 1024)
STROKES = 4


def main() -> None:
    """Compare and print; the exit status tells whether they agree."""
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU here: there is nothing to compare")
    device = torch.device("cuda")
    precision = weights.precision_for(device)
    cpu = Engine.load(None, torch.device("cpu"), precision=torch.float32)
    gpu = Engine.load(None, device)
    figures: dict[str, float | str] = {
        "device": torch.cuda.get_device_name(),
        "precision": str(precision),
    }
    agree = True
    for path in sorted(SAMPLE.parent.glob("*.jpg")):
        gray = torch.from_numpy(read_photo(path).gray.copy())
        for engine in (cpu, gpu):
            engine.put_plane(path.stem, gray)
        found, fine = compare(cpu, gpu, path.stem, gray)
        figures |= {f"{path.stem}_{name}": value for name, value in found.items()}
        agree &= fine
    report(figures | {"agree": agree})
    sys.exit(not agree)


def compare(
    cpu: Engine, gpu: Engine, photo: str, gray: torch.Tensor
) -> tuple[dict[str, float], bool]:
    """One photo's figures, and whether they are good enough."""
    whole = Rectangle(0, 0, gray.shape[1], gray.shape[0])
    one, other = (engine.segment(Segment(photo, whole)) for engine in (cpu, gpu))
    figures = {"same_class": round(float((one == other).float().mean()), 5)}
    fine = figures["same_class"] >= AGREEING
    for detail in DETAILS:
        times: dict[Engine, list[float]] = {cpu: [], gpu: []}
        labels = f"{photo} {detail} 0"
        for engine in (cpu, gpu):
            engine.put_plane(labels, one.clone())
            engine.colorize(Colorize(photo, labels, whole, detail))
        for stroke in range(STROKES):
            region = Rectangle(100 + 120 * stroke, 200, 64, 64)
            after = f"{photo} {detail} {stroke + 1}"
            request = Colorize(photo, after, whole, detail)
            pixels = torch.full((region.pixels,), 20 + stroke, dtype=torch.uint8)
            for engine in (cpu, gpu):
                engine.edit_plane(after, labels, region, pixels)
                times[engine].append(seconds(lambda e=engine, r=request: e.colorize(r)))
            labels = after
        lab = [
            color.lab_from_rgb(engine.colorize(request).permute(2, 0, 1).float() / 255)
            for engine in (cpu, gpu)
        ]
        difference = ciede2000(*lab).flatten()
        mean = float(difference.mean())
        rare = float(difference.kthvalue(int(0.999 * len(difference))).values)
        fine &= mean < MEAN and rare < RARE
        figures |= {
            f"difference_at_{detail}": round(mean, 4),
            f"difference_99.9_at_{detail}": round(rare, 3),
            f"gpu_ms_at_{detail}": milliseconds(times[gpu][1:], 2),
            f"cpu_over_gpu_at_{detail}": ratio(times[cpu][1:], times[gpu][1:]),
        }
    return figures, fine


if __name__ == "__main__":
    main()
