"""Whether a worker's memory grows while clients edit for long, and whether it comes back.

    python benchmarks/soak.py [--edits 20000] [--clients 3] [--megapixels 2]

Each client opens photos, one after the other, and paints squares of random size, place and class;
for each photo it comes anew. Prints a table and one JSON line.
"""

import argparse
import itertools
import random
import threading
import time

import numpy as np
from common import engines, memory, own_worker, report, sample

from semcolor.client import local_worker
from semcolor.client.session import Session
from semcolor.shared.classes import NUM_LABELS
from semcolor.shared.geometry import Rectangle

WARM_UP = 0.1  # share of the edits
PHOTO = 50  # edits of one photo
REST_SECONDS = 10  # of an engine that rehearses
LEFT_SECONDS = 70  # after the last client left; this machine's own may come back for a minute


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=2.0)
    options = parser.parse_args()
    with own_worker():
        report(soak(options.edits, options.clients, options.megapixels))


def soak(edits: int, clients: int, megapixels: float) -> dict[str, float]:
    """Memory of engine and supervisor before, after a warm-up, at the end and after it."""
    client = local_worker.start()
    while client.status().state != "ready":
        time.sleep(0.2)
    supervisor = client.hello().pid
    (engine,) = engines(supervisor)
    client.close()
    time.sleep(REST_SECONDS)
    done, count = itertools.count(1), 0
    seen: dict[str, list[float]] = {"before": [memory(engine), memory(supervisor)]}

    def work(seed: int) -> None:
        nonlocal count
        chance = random.Random(seed)
        while count < edits:
            restore(chance, megapixels)
            for _ in range(PHOTO):
                count = next(done)

    def restore(chance: random.Random, megapixels: float) -> None:
        own = local_worker.start()
        gray = sample(megapixels * chance.uniform(0.5, 1))
        session = Session(own, np.roll(gray, chance.randrange(gray.shape[1]), axis=1))
        session.set_labels(np.zeros(gray.shape, np.uint8))
        session.colorize(session.whole, 0, lambda *_: None)
        for _ in range(PHOTO):
            side = chance.randrange(4, min(gray.shape) // 2)
            x, y = (chance.randrange(length - side) for length in gray.shape[::-1])
            ids = np.full((side, side), chance.randrange(1, NUM_LABELS), np.uint8)
            session.edit_labels(Rectangle(x, y, side, side), ids)
            session.recolor(0, lambda *_: None)
        own.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    peak = 0.0
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        peak = max(peak, memory(engine))
        if count > WARM_UP * edits and "warm" not in seen:
            seen["warm"] = [memory(engine), memory(supervisor)]
        print(count, memory(engine), memory(supervisor), flush=True)
    seen["end"] = [memory(engine), memory(supervisor)]
    time.sleep(LEFT_SECONDS)
    seen["left"] = [memory(engine), memory(supervisor)]
    result: dict[str, float] = {"edits": count, "engine_peak_mb": peak}
    for name, (of_engine, of_supervisor) in seen.items():
        result |= {f"engine_{name}_mb": of_engine, f"supervisor_{name}_mb": of_supervisor}
    return result


if __name__ == "__main__":
    main()
