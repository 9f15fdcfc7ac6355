"""The log of a worker that runs for weeks."""

import subprocess
import sys

import pytest

from semcolor_worker.supervisor.log_limit import limit_log

_WRITER = """
import pathlib, sys
from semcolor_worker.supervisor.log_limit import limit_log
log = pathlib.Path(sys.argv[1])
for number in range(100):
    print("line", number, file=sys.stderr, flush=True)
    limit_log(log, 300)
"""


@pytest.mark.posix
def test_a_log_stays_small_and_its_end_is_kept(tmp_path):
    log = tmp_path / "worker.log"
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", _WRITER, log], stderr=file, check=True)
    before = (tmp_path / "worker.log.1").read_text()
    lines = (before + log.read_text()).splitlines()
    assert lines == [f"line {number}" for number in range(100 - len(lines), 100)]
    assert 300 < len(before) < 330
    assert log.stat().st_size <= 300


def test_a_log_of_somebody_else_is_left_alone(tmp_path):
    log = tmp_path / "worker.log"
    log.write_bytes(bytes(1000))
    limit_log(log, 300)
    limit_log(tmp_path / "none.log", 300)
    assert log.read_bytes() == bytes(1000)
    assert len(list(tmp_path.glob("*.log*"))) == 1
