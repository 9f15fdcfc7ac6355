import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

from semcolor.shared.classes import UNLABELLED
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker.color import chroma_bins
from semcolor_worker.corpus.compact import compact
from semcolor_worker.corpus.datasets import Pair, find_pairs, read_pair
from semcolor_worker.corpus.series import split
from semcolor_worker.models import weights
from semcolor_worker.models.networks.efficientnet_lite0 import EfficientNetLite0
from semcolor_worker.training import loop
from semcolor_worker.training.imagenet import begin_with_imagenet
from semcolor_worker.training.loop import train
from semcolor_worker.training.make_weights import make_weights
from semcolor_worker.training.predict import predict
from semcolor_worker.training.recipes import RECIPES, recipe
from semcolor_worker.training.samples import ResumableSampler, Samples, shares
from semcolor_worker.training.split_persons import CLOTHES, PERSON, split_persons
from semcolor_worker.training.split_persons import main as split_main

EQUAL = np.full(100, 0.01)
PARTS_RECIPE = ("segmentation", "parts")


@pytest.fixture
def corpus(tmp_path):
    """Two classes whose colours can be learnt in seconds: blue sky above green grass."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    told = "".join(f"{number:02}\t{number}\n" for number in range(45))
    (folder / "series.tsv").write_text(told)  # they are alike, but meant as different photos
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


def tiny(task, steps, **changes):
    """The bundled colour recipe without its encoder, or a GridNet; small and quick to learn."""
    name = {"color": "fast", "segmentation": "gridnet"}[task]
    arguments = {"widths": (8, 8, 8)}
    if task == "color":
        arguments |= {"label_encoding": "embedding", "slope": 0.1, "bins": len(chroma_bins())}
    chosen = recipe(task, name)
    return dataclasses.replace(
        chosen, model=dataclasses.replace(chosen.model, arguments=arguments), imagenet=False,
        steps=steps, batch=4, crop=32, scale=(40, 80), average=0.9, **changes,
    )  # fmt: skip


def test_colour_is_learnt_from_labels(corpus, tmp_path):
    path = train(tiny("color", 120), [corpus], tmp_path / "run")
    model = weights.load(path)
    assert model.spec.steps == 120
    pairs = find_pairs([corpus])
    samples = Samples(split(pairs).held_out, tiny("color", 0).unspoilt())
    sample = samples[0, 0]
    with torch.inference_mode():
        output = model.network(model.normalise(sample["lightness"][None]), sample["labels"][None])
    error = (model.chroma(output)[0] - sample["chroma"]).abs().mean()
    assert error < 0.5 * sample["chroma"].abs().mean()


def test_segmentation_runs_and_saves(corpus, tmp_path):
    path = train(tiny("segmentation", 30), [corpus], tmp_path / "run")
    assert weights.load(path).spec.task == "segmentation"


def test_the_encoder_begins_with_imagenet(corpus, tmp_path):
    small = dataclasses.replace(recipe("segmentation", "fast"), steps=1, batch=2, crop=64)
    small = dataclasses.replace(small, learning_rate=0)
    model = weights.load(train(small, [corpus], tmp_path / "run"))
    published = EfficientNetLite0()
    begin_with_imagenet(published)
    for name, weight in published.named_parameters():
        assert torch.allclose(model.network.encoder.get_parameter(name), weight, atol=2e-3)


def test_a_run_starts_from_weights(corpus, tmp_path):
    first = train(tiny("color", 5), [corpus], tmp_path / "first")
    still = tiny("color", 1, learning_rate=0.0)
    second = weights.load(train(still, [corpus], tmp_path / "second", start=first))
    assert second.spec.steps == 6
    for name, value in weights.load(first).network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])


def test_tensorboard_gets_figures_and_pictures(corpus, tmp_path):
    train(tiny("color", 20), [corpus], tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert {"loss", "learning rate", "validation loss"} <= set(events.Tags()["scalars"])
    assert events.Images("held out")[0].width == 4 * 32


def test_two_processes_train_one_model(corpus, tmp_path):
    """Started by torchrun; both end with the same weights, from half of each batch."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    script = Path(__file__).parent / "train_two_processes.py"
    out = tmp_path / "run"
    done = subprocess.run(
        [*torchrun, str(script), str(corpus), str(out)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ranks = [load_file(out / f"rank{rank}.safetensors") for rank in (0, 1)]
    assert ranks[0].keys() == ranks[1].keys()
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])
    assert weights.load(out / "color.safetensors").spec.steps == 6


def test_a_photo_that_cannot_be_read_is_named(corpus, tmp_path):
    for photo in (corpus / "images").iterdir():
        if photo.name != "00.png":  # the one that is held out
            photo.write_bytes(b"not a picture")
    with pytest.raises(SemcolorError, match=r"\.png cannot be read as a picture") as caught:
        train(tiny("color", 5), [corpus], tmp_path / "run")
    assert caught.value.code == Code.NOT_A_PICTURE


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
        patch.setattr(loop, "stop_requested", lambda: StopAfter(4))
        with pytest.raises(KeyboardInterrupt, match="stopped at step 5"):
            train(tiny("color", 12), [corpus], tmp_path / "cut")
    cut = weights.load(train(tiny("color", 12), [corpus], tmp_path / "cut"))
    for one, other in zip(
        whole.network.state_dict().values(), cut.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_weights_are_made_in_shares_of_the_time(corpus, tmp_path):
    """Called with no time left, each recipe takes a step and is saved; then all go on."""
    recipes = {
        Path("color.safetensors"): tiny("color", 3),
        Path("gridnet/segmentation.safetensors"): tiny("segmentation", 3),
    }
    assert not make_weights(recipes, [corpus], tmp_path, end=time.monotonic())
    for run in ("color-fast", "segmentation-gridnet"):
        with safe_open(tmp_path / run / "checkpoint.safetensors", "pt") as file:
            assert int(file.metadata()["step"]) == 1
    assert make_weights(recipes, [corpus], tmp_path, end=time.monotonic() + 1000)
    assert {weights.load(tmp_path / "weights" / name).spec.steps for name in recipes} == {3}


def test_a_compact_corpus_is_the_same_corpus(corpus, tmp_path):
    """Smaller, in the same order, with the same labels, so that the same photos are held out."""
    pairs = find_pairs([corpus])
    compact(pairs, tmp_path / "copy", side=40, quality=90)
    small = find_pairs([tmp_path / "copy"])
    assert len(small) == len(pairs)
    for one, other in zip(pairs[:5], small[:5], strict=True):
        rgb, labels = read_pair(one)
        small_rgb, small_labels = read_pair(other)
        assert small_labels.shape == (32, 40)
        assert torch.equal(small_labels, F.interpolate(labels[None, None], (32, 40))[0, 0])
        assert abs(small_rgb.float().mean() - rgb.float().mean()) < 3


def test_colour_learns_from_predicted_maps_where_there_are_any(corpus, tmp_path):
    """The engine's predictions lie beside the labels, and a share of the samples shows them."""
    small = tiny("segmentation", 60)
    train(small, [corpus], tmp_path / "run")
    pairs = find_pairs([corpus])
    predict(pairs[:20], tmp_path / "run")
    assert find_pairs([corpus]) == pairs
    by_share = {}
    for share in (0.0, 0.5, 1.0):
        chosen = dataclasses.replace(tiny("color", 0).unspoilt(), predicted_labels=share)
        samples = Samples(pairs, chosen)
        by_share[share] = [samples[index, index]["labels"] for index in range(30)]

    def unlike(share, indices):
        return sum(not torch.equal(by_share[share][i], by_share[0.0][i]) for i in indices)

    assert unlike(1.0, range(20, 30)) == 0  # nothing was predicted for these
    assert unlike(1.0, range(20)) > 10
    assert 0 < unlike(0.5, range(20)) < unlike(1.0, range(20))


def test_another_recipes_run_is_not_gone_on_with(corpus, tmp_path):
    train(tiny("color", 1), [corpus], tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(SemcolorError, match="another recipe"):
        train(tiny("segmentation", 1), [corpus], tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


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
    with safe_open(out / "checkpoint.safetensors", "pt") as file:
        assert int(file.metadata()["step"]) >= 1


def test_samples_do_not_depend_on_where_a_run_was_cut():
    whole = list(ResumableSampler(EQUAL, 4, 0, 6))
    assert list(ResumableSampler(EQUAL, 4, 4, 6)) == whole[4:]


def test_processes_share_a_batch():
    whole = next(iter(ResumableSampler(EQUAL, 4, 0, 1)))
    shares = [next(iter(ResumableSampler(EQUAL, 4, 0, 1, rank, 2))) for rank in (0, 1)]
    assert sorted(shares[0] + shares[1]) == sorted(whole)


def test_the_paper_recipe_is_the_paper():
    """§2.3: five levels, slope 0.01, one channel of labels; "Training details"."""
    paper, ablation = recipe("color", "paper"), recipe("color", "paper-without-instance-norm")
    network = weights.build(paper.model).network
    assert len(network.encoder) == 5
    assert network.decoder[0].conv1.in_channels == 1024
    assert (network.slope, network.embedding, network.instance_norm) == (0.01, None, True)
    assert (paper.batch, paper.learning_rate, paper.average) == (16, 1e-4, 0)
    assert (paper.crop, paper.scale, paper.squashed) == (352, (360, 360), True)
    assert not weights.build(ablation.model).network.instance_norm
    assert dataclasses.replace(ablation, name="paper", model=paper.model) == paper


def test_small_sources_and_persons_are_seen_more_often(tmp_path):
    large, small, people = (tmp_path / name for name in ("large", "small", "people"))
    pairs = [
        *(Pair(large / "images" / f"{n}.png", Path("x")) for n in range(400)),
        *(Pair(small / "images" / f"{n}.png", Path("x")) for n in range(100)),
        *(Pair(people / "images" / f"{n}.png", Path("x")) for n in range(100)),
    ]
    (people / "labels_parts").mkdir(parents=True)
    for n in range(100):
        (people / "labels_parts" / f"{n}.png").touch()
    of_large, of_small, of_people = shares(pairs)[[0, 400, 500]]
    assert of_small == pytest.approx(2 * of_large)
    assert of_people == pytest.approx(2 * of_small)
    batch = next(iter(ResumableSampler(shares(pairs), 10_000, 0, 1)))
    seen = np.bincount([index // 100 for index, _ in batch], minlength=6) / 10_000
    assert seen[:4].sum() == pytest.approx(2 / 5, abs=0.03)
    assert seen[5] == pytest.approx(2 / 5, abs=0.03)


def test_where_tone_is_evened_a_faded_photo_is_no_other(corpus):
    evened = recipe("segmentation", "fast").unspoilt()
    own = dataclasses.replace(evened, model=dataclasses.replace(evened.model, tone="own"))
    pairs = find_pairs([corpus])
    before = [Samples(pairs, chosen)[0, 7]["lightness"] for chosen in (evened, own)]
    with Image.open(pairs[0].photo) as image:
        faded = np.asarray(image) * 0.5 + 100
    Image.fromarray(faded.astype(np.uint8)).save(pairs[0].photo)
    after = [Samples(pairs, chosen)[0, 7]["lightness"] for chosen in (evened, own)]
    changes = [float((a - b).abs().mean()) for a, b in zip(after, before, strict=True)]
    assert changes[0] < changes[1] / 2


def test_persons_are_split_where_a_network_is_sure():
    labels = torch.tensor([[PERSON, PERSON, PERSON, 50]], dtype=torch.uint8)
    garment = torch.tensor([[0.9, 0.1, 0.3, 0.9]])
    own = torch.tensor([[0.05, 0.8, 0.3, 0.0]])
    assert split_persons(labels, garment, own).tolist() == [[CLOTHES, PERSON, UNLABELLED, 50]]


def test_maps_with_split_persons_come_first(corpus, tmp_path, monkeypatch):
    """By a parts network, here an untrained one, as its command writes them."""
    (corpus / "labels_parts").mkdir()
    done = corpus / "labels_parts" / "01.png"
    Image.new("L", (80, 64), 1).save(done)
    for name in ("00", "01"):
        Image.new("L", (80, 64), PERSON).save(corpus / "labels" / f"{name}.png")
    run = tmp_path / "run"
    run.mkdir()
    weights.save(run / "segmentation.safetensors", weights.build(recipe(*PARTS_RECIPE).model))
    monkeypatch.setattr("sys.argv", ["split", str(corpus), "--weights", str(run)])
    split_main()
    assert [path.stem for path in (corpus / "labels_split").iterdir()] == ["00"]
    first, second = find_pairs([corpus])[:2]
    assert first.labels.parent.name == "labels_split"
    assert second.labels.parent.name == "labels"
    assert set(read_pair(first)[1].unique().tolist()) <= {UNLABELLED, PERSON, CLOTHES}


@pytest.mark.parametrize("entry", RECIPES, ids=lambda entry: f"{entry.model.task}-{entry.name}")
def test_every_recipe_takes_a_step(entry, corpus, tmp_path):
    """With its own network and loss, on small crops."""
    if entry.name == "parts":
        (corpus / "labels").rename(corpus / "labels_parts")
        for path in (corpus / "labels_parts").iterdir():
            Image.new("L", (80, 64), 1 + int(path.stem) % 4).save(path)
    small = dataclasses.replace(entry, steps=1, batch=2, crop=64, scale=(64, 80))
    model = weights.load(train(small, [corpus], tmp_path))
    assert all(value.isfinite().all() for value in model.network.state_dict().values())
