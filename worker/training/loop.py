"""One training loop for both networks: resumable, and every file it writes is safetensors."""

import dataclasses
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from .. import weights
from ..weights import Model
from .data import Pair, ResumableSampler, Samples, find_pairs
from .recipes import Recipe

Batch = dict[str, Tensor]
CHECKPOINT_EVERY = 100  # steps
_WARM_UP = 100  # steps


def train(recipe: Recipe, folders: list[Path], out: Path) -> Path:
    """Train ``recipe`` on corpus folders; return the weight file, ``out/<task>.safetensors``.

    ``out/checkpoint.safetensors`` is written every CHECKPOINT_EVERY steps and when the run is
    stopped (Ctrl+C or SIGTERM); the same command goes on from there. Raises FileNotFoundError
    when the folders hold no labelled photo.
    """
    split = find_pairs(folders)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(recipe, out / "checkpoint.safetensors")
    stop = _stop_requested()
    sampler = ResumableSampler(len(split.training), recipe.batch, run.step, recipe.steps)
    samples = Samples(split.training, recipe)
    loader = DataLoader(samples, batch_sampler=sampler, num_workers=1, prefetch_factor=4)
    bar = tqdm(loader, initial=run.step, total=recipe.steps, desc=recipe.model.task, unit="step")
    try:
        for batch in bar:
            loss = run.advance(batch)
            if run.step % 20 == 0:
                bar.set_postfix(loss=f"{loss:.4f}")
            if run.step % CHECKPOINT_EVERY == 0:
                run.save()
            if stop.is_set():
                break
    except RuntimeError:  # the loader's process got the signal too
        if not stop.is_set():
            raise
    run.save()
    if run.step < recipe.steps:
        raise KeyboardInterrupt(f"stopped at step {run.step}; run it again to go on")
    spec = dataclasses.replace(
        recipe.model, recipe=recipe.name, steps=run.step,
        corpus=", ".join(sorted({folder.name for folder in folders})),
    )  # fmt: skip
    path = out / f"{recipe.model.task}.safetensors"
    weights.save(path, Model(run.average.module, spec))
    print(evaluate(path, split.held_out))
    return path


class _Run:
    """Network, optimiser and running average; everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe, checkpoint: Path) -> None:
        torch.manual_seed(0)
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = weights.build(recipe.model)
        self.network = self.model.network.to(self.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.network,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average),
            use_buffers=True,
        )
        self.loss: Callable[[Model, Batch], Tensor] = _LOSSES[recipe.model.task]
        self.step = 0
        if checkpoint.exists():
            self._load()

    def advance(self, batch: Batch) -> float:
        """One optimiser step; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * _schedule(self.step, self.recipe.steps)
        batch = {name: value.to(self.device) for name, value in batch.items()}
        # bfloat16 needs no loss scaling and is about twice as fast where the hardware has it.
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.loss(self.model, batch)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.item()

    def save(self) -> None:
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{k}": v for k, v in moments.items()}
        part = self.checkpoint.with_suffix(".part")
        save_file({k: v.contiguous() for k, v in state.items()}, part, {"step": str(self.step)})
        part.replace(self.checkpoint)

    def _load(self) -> None:
        with safe_open(self.checkpoint, framework="pt") as file:
            self.step = int(file.metadata()["step"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.network.load_state_dict(_below(state, "network."))
        self.average.load_state_dict(_below(state, "average."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(state, "optimiser.").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})


def evaluate(path: Path, pairs: list[Pair]) -> str:
    """One line about a weight file on photos it was not trained on, true labels given."""
    model = weights.load(path)
    recipe = Recipe("", model.spec, 0, 1, 224, (256, 256), empty_labels=0, dropped_class=0)
    samples = Samples(pairs, recipe)
    items = [samples[index, index] for index in range(len(pairs))]
    batches = torch.utils.data.default_collate(items)
    measure = _chroma_figures if model.spec.task == "color" else _accuracy
    with torch.inference_mode():
        return measure(model, batches)


def _chroma_figures(model: Model, batch: Batch) -> str:
    predicted = torch.cat([
        model.chroma(model.network(model.normalise(light), labels))
        for light, labels in zip(batch["lightness"].split(8), batch["labels"].split(8), strict=True)
    ])  # fmt: skip
    true = batch["chroma"]
    error, gray_error = (predicted - true).abs().mean(), true.abs().mean()
    strength = predicted.norm(dim=1).mean() / true.norm(dim=1).mean()
    return f"ab-MAE {error:.2f} (no colour {gray_error:.2f}), mean chroma {strength:.2f} × true"


def _accuracy(model: Model, batch: Batch) -> str:
    predicted = torch.cat([
        model.network(model.normalise(light)).argmax(1) for light in batch["lightness"].split(8)
    ])  # fmt: skip
    labelled = batch["labels"] > 0
    share = (predicted == batch["labels"])[labelled].float().mean()
    return f"pixel accuracy {share:.3f} on labelled pixels"


def _color_loss(model: Model, batch: Batch) -> Tensor:
    """L1 on chroma, colourful pixels counting more: plain L1 settles for the dull median."""
    output = model.network(model.normalise(batch["lightness"]), batch["labels"]).float()
    strength = batch["chroma"].norm(dim=1, keepdim=True)
    weight = 1 + (strength / 15).clamp(max=3)
    loss: Tensor = ((output - model.target(batch["chroma"])).abs() * weight).mean() / weight.mean()
    return loss


def _segmentation_loss(model: Model, batch: Batch) -> Tensor:
    """Cross-entropy (paper §2.2) over labelled pixels."""
    logits: Tensor = model.network(model.normalise(batch["lightness"])).float()
    return F.cross_entropy(logits, batch["labels"], ignore_index=0)


_LOSSES = {"color": _color_loss, "segmentation": _segmentation_loss}


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    warm_up = min(_WARM_UP, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return 0.01 + 0.495 * (1 + float(torch.cos(torch.tensor(torch.pi * progress))))


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _stop_requested() -> threading.Event:
    """Set by Ctrl+C or SIGTERM, so that the step in hand is finished and saved."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
