"""From the end of a stroke to its colour in the colorized layer, in a real GIMP's window, by stage.

    python benchmarks/gimp_latency.py [--megapixels 2 12 24] [--strokes 20] [--gimp 3.2] [--smart]

Run it as root, which the GIMPs of the tests need (`tests/gimp/roots.py`), with the Python of an
environment that has semcolor and its worker. Prints a table and one JSON line for each size.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.append(str(CHECKOUT))

from semcolor.shared.classes import gimp_palette  # noqa: E402
from tests.gimp import roots  # noqa: E402
from tests.gimp.harness import Gimp  # noqa: E402

SAMPLE = CHECKOUT / "samples" / "dust-bowl-home.jpg"
WARM_UP = 2  # strokes
IDLE_SECONDS = 20
HELD_BACK = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")  # which the worker gets too

# Stages nest: what runs in the engine runs within a request of the bridge, and so on. A moment
# counts for the first of these that is going on.
STAGES = {
    "network": ("network",),
    "engine": ("engine ",),
    "wire": ("wire",),
    "bridge": ("bridge ",),
    "pipes": ("request ",),
    "write": ("write", "flush"),
    "read": ("read", "tiles"),
    "poll": ("tick", "thumbnail"),
}
WAIT = "quiet wait"  # nothing goes on: the stroke may go on, or the next look is not due
OURS = ("poll", "read", "pipes", "bridge", "write")  # the plug-in's and the bridge's own work
INTO_GIMP = ("thumbnail", "read", "write", "flush")  # GIMP does nothing else meanwhile

SCRIPT = """
WIDTH, STROKES, IDLE, SMART = {width}, {strokes}, {idle}, {smart}
TIMINGS = pathlib.Path(os.environ["SEMCOLOR_TIMINGS"])

def watch_gimp(until):
    "The longest time that GIMP took for something trivial, that is, was busy with something else."
    longest = 0
    while not until():
        begin = time.monotonic()
        photo.get_width()
        longest = max(longest, time.monotonic() - begin)
        time.sleep(0.01)
    return longest

def is_done(since):
    "Whether colour was shown after this moment, and the bridge has had no job for a second."
    lines = [line.split("\\t") for line in TIMINGS.read_text().splitlines()[-500:]]
    shown = any(name == "flush" and float(begin) > since for name, begin, _ in lines)
    jobs = [line for line in lines if line[0].startswith("request ") and "status" not in line[0]]
    return shown and float(jobs[-1][2]) < time.monotonic() - 1

def cpu_seconds(pid):
    threads = pathlib.Path(f"/proc/{{pid}}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

def panel_cpu_seconds():
    "Of GIMP, the plug-in and the bridge."
    (bridge,) = bridges()
    plugin = int(status(bridge)["PPid"])
    return sum(map(cpu_seconds, (int(status(plugin)["PPid"]), plugin, bridge)))

def xdotool(words):
    return subprocess.run(["xdotool", *words.split()], check=True, capture_output=True).stdout

def middle(window):
    lines = xdotool(f"getwindowgeometry --shell {{window}}").decode().split()
    place = {{name: int(value) for name, _, value in (line.partition("=") for line in lines)}}
    return place["X"] + place["WIDTH"] // 2, place["Y"] + place["HEIGHT"] // 2

def paint(number):
    "A stroke in a class that is another one than the stroke before; returns when it ended."
    Gimp.context_set_foreground(Gegl.Color.new(list(PALETTE.values())[number % 3]))
    steps = [f"mousemove {{x + step}} {{y + (number % 7 - 3) * 10}}" for step in range(-40, 41, 10)]
    xdotool(steps[0] + " mousedown 1 sleep 0.03 " + " sleep 0.03 ".join(steps[1:]))
    end = time.monotonic()
    xdotool("mouseup 1")
    return end

image = load_gray({photo!r}, 8, WIDTH)
photo = image.get_layers()[0]
show(image)
panel = open_panel(image)
start = time.monotonic()
if SMART:
    press("alt+m", lambda: preferences()["smart"])
press("alt+v", lambda: True)
result["colorize stall"] = watch_gimp(lambda: len(image.get_layers()) == 3)
labels, colors, _ = image.get_layers()
wait(lambda: is_done(start))
time.sleep(IDLE)  # it takes a while to become drowsy
before = panel_cpu_seconds()
time.sleep(IDLE)
result["idle"] = (panel_cpu_seconds() - before) / IDLE
x, y = middle(activate_image())
Gimp.context_set_brush(Gimp.Brush.get_by_name("2. Hardness 100"))
Gimp.context_set_brush_size(WIDTH / 40)
press("n", lambda: True)  # the Pencil
result["ends"], result["stalls"] = [], []
for number in range(STROKES):
    end = paint(number)
    result["ends"].append(end)
    result["stalls"].append(watch_gimp(lambda: is_done(end)))
result["size"] = [photo.get_width(), photo.get_height()]
"""


class Span(NamedTuple):
    """A stage that was going on from begin to end, in seconds."""

    stage: str
    begin: float
    end: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[2, 12, 24])
    parser.add_argument("--strokes", type=int, default=20)
    parser.add_argument("--gimp", choices=sorted(roots.RELEASES), default=max(roots.RELEASES))
    parser.add_argument("--smart", action="store_true", help="let strokes label objects")
    options = parser.parse_args()
    for megapixels in options.megapixels:
        figures = measure(options.gimp, megapixels, options.strokes, options.smart)
        for name, value in figures.items():
            print(f"{name:28} {value}")
        print(json.dumps(figures), flush=True)


def measure(version: str, megapixels: float, strokes: int, smart: bool) -> dict[str, Any]:
    """Paint strokes with the mouse in a window; the medians in ms."""
    with tempfile.TemporaryDirectory() as folder:
        gimp = Gimp(version, Path(folder))
        gimp.install(gimp_palette())
        gimp.environment |= {name: os.environ[name] for name in HELD_BACK if name in os.environ}
        timings = Path(folder) / "timings"
        width = round((megapixels * 1e6 * 1024 / 788) ** 0.5)  # the sample's sides
        script = SCRIPT.format(
            width=width,
            strokes=WARM_UP + strokes,
            idle=IDLE_SECONDS,
            smart=smart,
            photo=gimp.path(SAMPLE),
        )
        try:
            result = gimp.run_in_window(script, SEMCOLOR_TIMINGS=str(timings))
        finally:
            gimp.stop_worker()
        spans = list(read(timings))
    ends = result["ends"]
    latencies = [
        by_stage(spans, end, following)
        for end, following in zip(ends, [*ends[1:], float("inf")], strict=True)
    ][WARM_UP:]
    medians = {
        stage: statistics.median(latency[stage] for latency in latencies)
        for stage in (WAIT, *reversed(STAGES))
    }
    longest = max(
        span.end - span.begin for span in spans if span.begin > ends[0] and span.stage in INTO_GIMP
    )
    totals = [sum(latency.values()) for latency in latencies]
    return {
        "gimp": version,
        "megapixels": round(result["size"][0] * result["size"][1] / 1e6, 1),
        "strokes": strokes,
        "stroke_to_colour_ms": ms(statistics.median(totals)),
        "slowest_ms": ms(max(totals)),
        **{f"{stage.replace(' ', '_')}_ms": ms(median) for stage, median in medians.items()},
        "plugin_and_bridge_ms": ms(sum(medians[stage] for stage in OURS)),
        "longest_call_into_gimp_ms": ms(longest),
        "gimp_busy_at_most_ms": ms(max(result["stalls"])),
        "gimp_busy_in_colorize_ms": ms(result["colorize stall"]),
        "idle_cores": round(result["idle"], 4),
    }


def read(timings: Path) -> Iterator[Span]:
    """What the processes of semcolor have written (see `semcolor.shared.timings`)."""
    for line in timings.read_text("utf-8").splitlines():
        stage, begin, end = line.split("\t")
        yield Span(stage, float(begin), float(end))


def by_stage(spans: list[Span], begin: float, following: float) -> dict[str, float]:
    """Seconds that each stage took between the end of a stroke and its colour on the screen.

    `following`: when the next stroke ended.
    """
    written = max(span.end for span in spans if span.stage == "write" and span.end < following)
    assert written > begin, "no colour followed this stroke"
    end = min(span.end for span in spans if span.stage == "flush" and span.begin > written)
    spans = [span for span in spans if span.end > begin and span.begin < end]
    edges = sorted({begin, end, *(min(max(t, begin), end) for span in spans for t in span[1:])})
    seconds = dict.fromkeys((WAIT, *STAGES), 0.0)
    for left, right in pairwise(edges):
        active = [span.stage for span in spans if span.begin <= left and span.end >= right]
        seconds[_innermost(active)] += right - left
    return seconds


def _innermost(active: list[str]) -> str:
    for stage, prefixes in STAGES.items():
        if any(name.startswith(prefixes) for name in active):
            return stage
    return WAIT


def ms(seconds: float) -> float:
    """Milliseconds, to a tenth."""
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
