"""Which weights the worker loads, and on which devices."""

import shutil
from pathlib import Path

import pytest

from semcolor.cli import main as cli
from semcolor.client import local_worker, settings
from semcolor_worker.models import weights


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a colour model but no segmentation."""
    folder = tmp_path / "own"
    folder.mkdir()
    shutil.copy(weights.bundled("color"), folder)
    return folder


def test_the_choice_is_kept_beside_other_settings(tmp_path):
    settings.set_devices(["cpu"])
    assert settings.weights_folder() is None
    settings.set_weights_folder(tmp_path)
    assert settings.weights_folder() == tmp_path
    settings.set_weights_folder(None)
    assert settings.weights_folder() is None
    assert settings.devices() == ["cpu"]


def test_use_restarts_the_worker_with_the_chosen_weights(own, monkeypatch, capsys):
    monkeypatch.chdir(own.parent)
    before = local_worker.start().hello().pid
    try:
        assert cli.main(["weights", "use", "own"]) == 0
        assert "restarted" in capsys.readouterr().out
        client = local_worker.running()
        assert client.hello().pid != before
        while not (status := client.status()).models:
            assert status.state in ("starting", "loading")
        models = status.models
        assert models[0].endswith(f"from {own}")
        assert "from" not in models[1]  # the bundled one
        assert cli.main(["worker", "status"]) == 0
        assert f"from {own}" in capsys.readouterr().out
    finally:
        local_worker.stop()


def test_use_without_a_worker_starts_none(own, capsys):
    assert cli.main(["weights", "use", str(own)]) == 0
    assert settings.weights_folder() == own
    assert cli.main(["weights", "use", "bundled"]) == 0
    assert settings.weights_folder() is None
    assert local_worker.running() is None


def test_weights_that_do_not_load_are_not_chosen(own, tmp_path, capsys):
    cli.main(["weights", "use", str(own)])
    other = tmp_path / "other"
    other.mkdir()
    assert cli.main(["weights", "use", str(other)]) == 1
    assert "holds neither" in capsys.readouterr().err
    (other / "color.safetensors").write_bytes((own / "color.safetensors").read_bytes()[:-100])
    assert cli.main(["weights", "use", str(other)]) == 1
    assert "cannot be used as weights: it cannot be read" in capsys.readouterr().err
    shutil.copy(weights.bundled("segmentation"), other / "color.safetensors")
    assert cli.main(["weights", "use", str(other)]) == 1
    assert "is a model for segmentation" in capsys.readouterr().err
    assert settings.weights_folder() == own


def test_the_papers_network_is_chosen_by_name(capsys):
    assert cli.main(["weights", "use", "gridnet"]) == 0
    assert "gridnet gridnet" in capsys.readouterr().out
    assert weights.load_for("segmentation", settings.weights_folder()).spec.network == "gridnet"


def test_all_bundled_weights_fit_their_budget():
    folder = weights.bundled("color").parent
    assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) <= 60e6


def test_devices_are_kept_until_others_are_chosen(capsys):
    assert settings.devices() == []
    assert cli.main(["worker", "devices", "cuda:0,cuda:1,cpu"]) == 0
    assert settings.devices() == ["cuda:0", "cuda:1", "cpu"]
    assert "no worker was running" in capsys.readouterr().out
    assert cli.main(["worker", "devices", "cuda:0;rocm"]) == 1
    assert "is no device" in capsys.readouterr().err
    assert len(settings.devices()) == 3
    assert cli.main(["worker", "devices", "all"]) == 0
    assert settings.devices() == []
