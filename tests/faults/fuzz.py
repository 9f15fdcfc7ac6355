"""Looks for inputs that nothing withstands; not a test, since it ends when it is told to.

    python tests/faults/fuzz.py guided --runs 1000000     # headers, frames, keys; needs atheris
    python tests/faults/fuzz.py socket --messages 200000  # to a worker that runs for it only

What the first feeds must end in a SemcolorError or in a message; anything else, and more memory
than the input is worth, stops it. The second tells what it cost the worker.
"""

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

UNDER_WAY = 100  # messages without an answer
MOST_BYTES = 1 << 20  # that a message may allocate before it is refused, beside what it is long


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(required=True)
    guided = modes.add_parser("guided")
    guided.add_argument("--runs", type=int, default=1_000_000)
    guided.set_defaults(run=lambda options: fuzz_guided(options.runs))
    socket = modes.add_parser("socket")
    socket.add_argument("--messages", type=int, default=200_000)
    socket.set_defaults(run=lambda options: fuzz_socket(options.messages))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = home
        options.run(options)


def fuzz_guided(runs: int) -> None:
    """Headers of requests and replies, compressed labels, plane edits, key files, invitations."""
    import atheris

    with atheris.instrument_imports(include=["semcolor", "semcolor_worker"]):
        from semcolor.client import keys
        from semcolor.protocol import codec, planes, schema
        from semcolor.shared.errors import SemcolorError
        from semcolor_worker import clients

        golden = import_golden()
    key = clients._authorized_folder() / "anna.key"
    key.parent.mkdir(parents=True)

    def one_input(data: bytes) -> None:
        kind, data = data[:1], data[1:]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            match kind[0] % 5 if kind else 0:
                case 0:
                    codec.decode_request(data, len(data))
                case 1:
                    codec.decode_reply(data, schema.Status())
                case 2:
                    planes.unpack_labels(data, 4096)
                case 3:
                    keys.decode_invitation("semcolor-2-" + data.decode("latin-1"))
                case 4:
                    key.write_bytes(data)
                    clients.authorized()
        except SemcolorError:
            pass
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak < MOST_BYTES + 64 * len(data), f"{peak} bytes for {len(data)}"

    seeds = Path(os.environ["XDG_STATE_HOME"], "seeds")
    seeds.mkdir()
    for name, header in golden().items():
        kind = 0 if name.islower() else 1
        (seeds / name).write_bytes(bytes([kind]) + header)
    tracemalloc.start()
    options = [f"-atheris_runs={runs}", "-max_len=4096", "-rss_limit_mb=2048", str(seeds)]
    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


def fuzz_socket(messages: int) -> None:
    """Mutations of every message, with and without frames, by one guest of a real worker."""
    from helpers import children, raw_socket

    from semcolor.client import local_worker

    def resident(pid: int) -> float:
        (line,) = (
            line
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
        return round(int(line.split()[1]) / 1024, 1)

    client = local_worker.start()
    supervisor = client.hello().pid
    while client.status().state != "ready":
        pass
    (engine,) = children(supervisor)
    before = resident(supervisor), resident(engine)
    golden = import_golden()()
    chance, ended = random.Random(0), ("stop", "leave")
    headers = [header for op, header in golden.items() if op.islower() and op not in ended]
    dealer = raw_socket(client.connection)
    answered = 0
    for number in range(messages):
        frames = [mutated(chance, chance.choice(headers))]
        if chance.random() < 0.5:
            frames.append(chance.randbytes(chance.randrange(1, 5000)))
        dealer.send_multipart(frames)
        while number - answered > UNDER_WAY and dealer.poll(60_000):
            dealer.recv_multipart()
            answered += 1
    assert client.hello().pid == supervisor
    print(json.dumps({
        "messages": messages, "answered": answered, "engine_restarts": client.status().restarts,
        "supervisor_mb": [before[0], resident(supervisor)],
        "engine_mb": [before[1], resident(engine)],
    }))  # fmt: skip
    local_worker.stop()


def import_golden() -> Callable[[], dict[str, bytes]]:
    """One message of each kind."""
    sys.path.append(str(Path(__file__).parents[1] / "core"))
    module = importlib.import_module("golden_messages")
    golden: Callable[[], dict[str, bytes]] = module.golden
    return golden


def mutated(chance: random.Random, header: bytes) -> bytes:
    """Some bytes other, fewer or more."""
    data = bytearray(header)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(3):
            case 0:
                data[place : place + 1] = chance.randbytes(1)
            case 1:
                del data[place : place + chance.randrange(1, 4)]
            case 2:
                data[place:place] = chance.randbytes(chance.randrange(1, 4))
    return bytes(data)


if __name__ == "__main__":
    main()
