"""Run by the Windows Python: the plug-in's own end of the bridge, as GIMP's Python runs it.

`python plugin_side.py PLUGIN_FOLDER RESULT STATE_FOLDER`: a restorer's story, as facts in RESULT.
"""

import json
import sys
import time
import types
from pathlib import Path

import psutil  # GIMP's Python lacks it; for looking at processes only

plugin, result = map(Path, sys.argv[1:3])
sys.path.insert(0, str(plugin))

# What the bridge's end needs of GIMP's own library: the user's languages.
gi = types.ModuleType("gi")
repository = types.ModuleType("gi.repository")
repository.GLib = types.SimpleNamespace(get_language_names=lambda: ["C"])
sys.modules |= {"gi": gi, "gi.repository": repository}

from bridge.process import BridgeProcess  # noqa: E402 (found only now)
from shared.bridge_schema import GRAY_U8  # noqa: E402
from shared.classes import all_classes  # noqa: E402

SIZE = 256
gray = bytes((x * y // 97 + x // 3) % 256 for y in range(SIZE) for x in range(SIZE))
whole = {"x": 0, "y": 0, "width": SIZE, "height": SIZE}
facts = {}


def engines_of(pid):
    return [child for child in psutil.Process(pid).children() if child.name() == "python.exe"]


def colored(bridge):
    bridge.request("begin_photo", width=SIZE, height=SIZE, format=GRAY_U8)
    bridge.request("rows", gray)
    bridge.request("segment", detail=0)
    bridge.request("colorize", detail=0, depth=8)
    return bridge.request("color_rows", first_row=0, rows=SIZE)[1]


with BridgeProcess(lambda fraction, stage: None) as bridge:
    first = colored(bridge)
    facts["bytes"] = len(first)
    facts["status"] = bridge.request("status")[0]
    labels = bridge.request("label_rows", first_row=0, rows=SIZE)[1]
    # A stroke: a part of the label layer in another class's colour.
    piece = {"x": 32, "y": 32, "width": 64, "height": 64}
    other = labels[-4:] if labels[:4] != labels[-4:] else bytes((0, 128, 0, 255))
    answer, colors = bridge.request(
        "stroke", other * 64 * 64, by_hand=True, detail=0, depth=8, **piece
    )
    facts["stroke"] = [answer["width"], answer["height"], len(colors)]

    by_color = {bytes(one.rgb): one.id for one in all_classes()}
    fields = {"class_id": by_color[other[:3]], "selected": False, "locked": []}
    facts["snapped"] = bridge.request("snap_labels", **fields, **whole)[0]["type"]
    facts["refined"] = bridge.request("refine_labels", **fields, everywhere=False)[0]["type"]
    # A library that is loaded only now, while a thread waits at stdin.
    picture = bridge.request("encode_labels")[1]
    facts["labels of a file"] = bridge.request("decode_labels", picture, name="labels.png")[0]

    state = Path(sys.argv[3])
    connection = json.loads((state / "worker.json").read_text("utf-8"))
    supervisor = int((state / "worker.pid").read_text("utf-8"))
    facts["children"] = len(engines_of(supervisor))
    for engine in engines_of(supervisor):
        engine.kill()
    facts["same after the engine was killed"] = colored(bridge) == first
    engine = engines_of(supervisor)[0].pid
    psutil.Process(supervisor).kill()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(engine) and time.monotonic() < deadline:
        time.sleep(0.1)
    facts["engine outlived its supervisor"] = psutil.pid_exists(engine)
    facts["same with another worker"] = colored(bridge) == first
    facts["another supervisor"] = int((state / "worker.pid").read_text("utf-8")) != supervisor

result.write_text(json.dumps(facts), "utf-8")
