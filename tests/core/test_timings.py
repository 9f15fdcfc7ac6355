"""What the processes of semcolor write down about their stages, when they are asked to."""

import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
from semcolor.shared.timings import timed
with timed("outer"):
    with timed("inner"):
        pass
"""


def test_stages_of_several_processes_are_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "timings"
    begin = time.monotonic()
    for _ in range(2):
        environment = os.environ | {"SEMCOLOR_TIMINGS": str(file)}
        subprocess.run([sys.executable, "-P", "-c", SCRIPT], env=environment, check=True)
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    assert [stage for stage, _, _ in lines] == ["inner", "outer"] * 2
    for inner, outer in (lines[:2], lines[2:]):
        times = [begin, *map(float, (outer[1], inner[1], inner[2], outer[2])), time.monotonic()]
        assert times == sorted(times)
