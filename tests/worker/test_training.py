import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from semcolor_worker import weights
from semcolor_worker.training import loop
from semcolor_worker.training.data import ResumableSampler, find_pairs
from semcolor_worker.training.loop import train
from semcolor_worker.training.recipes import recipe


@pytest.fixture
def corpus(tmp_path):
    """Two classes whose colours can be learnt in seconds: blue sky above green grass."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(45):
        labels = np.full((64, 80), 36, np.uint8)
        labels[: rng.integers(20, 44)] = 50
        rgb = np.where(labels[..., None] == 50, (90, 130, 220), (70, 150, 50))
        rgb = (rgb * rng.uniform(0.8, 1.1, (64, 80, 1))).clip(0, 255).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{number:02}.png")
    return folder


def tiny(task, steps):
    model = recipe(task, "fast").model
    arguments = model.arguments | {"widths": (8, 8)}
    return dataclasses.replace(
        recipe(task, "fast"), model=dataclasses.replace(model, arguments=arguments),
        steps=steps, batch=4, crop=32, scale=(40, 80), average=0.9,
    )  # fmt: skip


def test_colour_is_learnt_from_labels(corpus, tmp_path, capsys):
    path = train(tiny("color", 100), [corpus], tmp_path / "run")
    model = weights.load(path)
    assert model.spec.steps == 100
    figures = capsys.readouterr().out.split()
    error, gray_error = float(figures[1]), float(figures[4].rstrip("),"))
    assert error < 0.5 * gray_error


def test_segmentation_runs_and_saves(corpus, tmp_path, capsys):
    path = train(tiny("segmentation", 30), [corpus], tmp_path / "run")
    assert weights.load(path).spec.task == "segmentation"
    assert "pixel accuracy" in capsys.readouterr().out


class StopAfter:
    """Stands for a signal that comes in the middle of a run."""

    def __init__(self, checks):
        self.checks = checks

    def is_set(self):
        self.checks -= 1
        return self.checks < 0


def test_a_stopped_run_goes_on_where_it_was(corpus, tmp_path, monkeypatch):
    whole = weights.load(train(tiny("color", 12), [corpus], tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_stop_requested", lambda: StopAfter(4))
        with pytest.raises(KeyboardInterrupt, match="stopped at step 5"):
            train(tiny("color", 12), [corpus], tmp_path / "cut")
    cut = weights.load(train(tiny("color", 12), [corpus], tmp_path / "cut"))
    for one, other in zip(
        whole.network.state_dict().values(), cut.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_sigterm_saves_the_run(corpus, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "semcolor.cli", "train", "color", "--data", str(corpus)]
    process = subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True)
    seen = ""
    assert process.stderr is not None
    while " 1/" not in seen:  # the bar: one step is done
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert process.returncode == 130
    from safetensors import safe_open

    with safe_open(out / "checkpoint.safetensors", "pt") as file:
        assert int(file.metadata()["step"]) >= 1


def test_samples_do_not_depend_on_where_a_run_was_cut():
    whole = list(ResumableSampler(100, 4, 0, 6))
    assert list(ResumableSampler(100, 4, 4, 6)) == whole[4:]


def test_held_out_photos_are_not_trained_on(corpus):
    split = find_pairs([corpus])
    assert len(split.held_out) == 2
    assert not set(split.held_out) & set(split.training)


def test_a_folder_without_photos_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        find_pairs([tmp_path])
