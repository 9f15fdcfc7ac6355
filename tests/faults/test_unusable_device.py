"""A graphics card that PyTorch counts and can't use, in a real worker.

Here the build of PyTorch has no CUDA: a card that is counted all the same is as unusable as one
whose driver is too old, and fails in the same place.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from semcolor.client import local_worker, settings
from semcolor.client.session import Session
from semcolor.shared.errors import Code
from semcolor.shared.states import WorkerState

from .helpers import wait_until

# Runs in every Python that finds it: once torch is there, it counts one card.
_COUNTS_A_CARD = """\
import builtins, sys
imported = builtins.__import__
def counting(name, *rest, **more):
    module = imported(name, *rest, **more)
    cuda = sys.modules.get("torch.cuda")
    if hasattr(cuda, "device_count"):
        cuda.device_count = lambda: 1
    return module
builtins.__import__ = counting
"""


@pytest.fixture
def counted_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(_COUNTS_A_CARD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.parametrize("chosen", [[], ["cuda:0"]])
@pytest.mark.usefixtures("counted_card")
def test_the_processor_goes_on_and_says_why(home, sample_gray, chosen):
    settings.set_devices(chosen)
    client = local_worker.start()
    try:
        session = Session(client, sample_gray)
        assert session.colorize(session.whole, 0, lambda *_: None).rgb.shape[2] == 3
        wait_until(lambda: client.status().state is WorkerState.READY)
        status = client.status()
        (engine,) = status.engines
        assert status.restarts == 0
        assert status.device == "cpu"
        assert engine.fault.error.code == Code.DEVICE_UNUSABLE
        said = subprocess.run(
            [sys.executable, "-m", "semcolor.cli", "worker", "status"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "cuda:0 can't be used (Torch not compiled with CUDA enabled)" in said
        assert "graphics driver" in said
    finally:
        client.close()
        local_worker.stop()
