"""Fixtures: a real GIMP of each version, a photo, and a model that suggests colours."""

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import torch

from semcolor.client import settings
from semcolor.photos.pixels import LabelMap
from semcolor.shared.classes import gimp_palette
from semcolor_worker import color
from semcolor_worker.models import weights

from . import roots
from .drawing import draw
from .harness import CHECKOUT, Gimp, own_crashes
from .panel_script import LIVE, WIDTH

# The first test of a table makes all of it, maybe on a busy machine.
_TIMEOUT_SECONDS = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting GIMP takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was tried once more."""
    for version in sorted(set(own_crashes)):
        times = own_crashes.count(version)
        terminalreporter.line(f"GIMP {version} crashed at its own start or end, times: {times}")


@pytest.fixture(scope="session", params=sorted(roots.RELEASES))
def gimp(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gimp]:
    """A GIMP with the plug-in installed, and a worker that ends with the tests."""
    version: str = request.param
    if not shutil.which(f"gimp-console-{version}") and not roots.is_built(version):
        reason = roots.why_impossible()
        if reason:
            pytest.skip(reason)
        roots.build(version)
    gimp = Gimp(version, tmp_path_factory.mktemp(f"gimp-{version}-"))
    gimp.install(gimp_palette())
    yield gimp
    gimp.stop_worker()


@pytest.fixture(scope="session")
def photo_file() -> Path:
    """One of the sample photos."""
    return sorted((CHECKOUT / "samples").glob("*.jpg"))[0]


@pytest.fixture(scope="session")
def drawn() -> LabelMap:
    """A label map; see `drawing`."""
    return draw()


@pytest.fixture
def live(request: pytest.FixtureRequest, gimp: Gimp, photo_file: Path) -> str:
    """The start of a script, see `panel_script`; a parameter is the photo's width."""
    (gimp.profile / "plug-in-settings/semcolor.json").unlink(missing_ok=True)
    return LIVE.format(photo=gimp.path(photo_file), width=getattr(request, "param", WIDTH))


@pytest.fixture
def here(gimp: Gimp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line uses the worker of this GIMP."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, gimp.environment[name])


@pytest.fixture
def suggesting_model(gimp: Gimp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the worker use a colour model that finds red likely, and blue, whatever it sees."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, gimp.environment[name])
    centres = color.chroma_bins()
    arguments = {"widths": [4, 6, 8, 8], "bins": len(centres)}
    torch.manual_seed(0)
    model = weights.build(weights.ModelSpec("color", "two_stream_unet", arguments, detail=64))
    head = model.network.bins_head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-20)
        for chroma, logit in (((60.0, 50.0), 1.0), ((20.0, -60.0), 0.8)):
            nearest = ((centres - torch.tensor(chroma)) ** 2).sum(dim=1).argmin()
            head.bias[nearest] = logit
    weights.save(tmp_path / "color.safetensors", model)
    bundled = resources.files("semcolor_worker") / "models/bundled/segmentation.safetensors"
    (tmp_path / "segmentation.safetensors").write_bytes(bundled.read_bytes())
    gimp.stop_worker()
    settings.set_weights_folder(tmp_path)
    yield
    settings.set_weights_folder(None)
    gimp.stop_worker()
