"""One training loop for all networks, on one device or, started by torchrun, on many.

Every file it writes is safetensors: ``checkpoint.safetensors`` to go on from, and
``<task>.safetensors``, the weights that did best on held-out photos so far.
"""

import dataclasses
import math
import os
import signal
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate
from tqdm import tqdm

from semcolor.shared.atomic_files import replacing
from semcolor_worker import resources
from semcolor_worker.corpus.datasets import Pair, find_pairs
from semcolor_worker.corpus.series import split
from semcolor_worker.evaluation import evaluation
from semcolor_worker.models import onednn, weights
from semcolor_worker.models.networks.efficientnet_lite0 import EfficientNetLite0
from semcolor_worker.models.weights import Model, WeightsError

from . import pictures
from .imagenet import begin_with_imagenet
from .losses import LOSSES, Batch
from .recipes import Recipe
from .samples import LoaderError, ResumableSampler, Samples, shares

CHECKPOINT_EVERY = 100  # steps
VALIDATE_EVERY = 200
VALIDATION_PHOTOS = 64
_WARM_UP = 100  # steps


def train(
    recipe: Recipe, folders: list[Path], out: Path, start: Path | None = None,
    until: float = math.inf, without: Collection[str] = (),
) -> Path:  # fmt: skip
    """Train ``recipe`` on corpus folders; return the weight file, ``out/<task>.safetensors``.

    ``start``: weights to begin from, where names and shapes are the same; all else is fresh.
    ``without``: names of corpus folders that are held out as a whole.
    The run is saved every CHECKPOINT_EVERY steps and when it is stopped: by Ctrl+C, by SIGTERM, or
    because ``time.monotonic()`` has passed ``until``. That raises KeyboardInterrupt, and the same
    call goes on from there. Raises SemcolorError as :func:`find_pairs` and :func:`read_pair` do,
    WeightsError when ``start`` cannot be read or ``out`` holds another recipe's run.
    """
    photos = split(find_pairs(folders, recipe.labels), without)
    out.mkdir(parents=True, exist_ok=True)
    fabric = _fabric(out)
    run = Run(recipe, fabric, out, start)
    corpus = ", ".join(sorted({folder.name for folder in folders}))
    stop = stop_requested()
    try:
        validation = _validation_batches(photos.held_out, recipe)
        for batch in _batches(run, photos.training):
            run.advance(batch)
            if run.step % VALIDATE_EVERY == 0 or run.step == recipe.steps:
                run.validate(validation, corpus)
            stopped = _anywhere(fabric, stop.is_set() or time.monotonic() > until)
            if run.step % CHECKPOINT_EVERY == 0 or stopped or run.finished:
                run.save()
            if stopped or run.finished:
                break
    except LoaderError as error:
        raise error.failure() from error
    except RuntimeError:
        if not stop.is_set():
            raise
        run.save()  # the loader's process got the signal too
    if not run.finished:
        raise KeyboardInterrupt(f"stopped at step {run.step}; run it again to go on")
    if fabric.is_global_zero:
        print(evaluation.summary(weights.load(run.best_weights), photos.held_out))
    return run.best_weights


class Run:
    """Network, optimiser and running average: everything that a checkpoint holds."""

    def __init__(self, recipe: Recipe, fabric: Fabric, out: Path, start: Path | None) -> None:
        torch.manual_seed(0)
        self.recipe, self.fabric = recipe, fabric
        self.checkpoint = out / "checkpoint.safetensors"
        self.best_weights = out / f"{recipe.model.task}.safetensors"
        self.step = 0
        self.loss = torch.tensor(math.nan)  # of the last step
        self.best = math.inf  # validation loss
        self.earlier_steps = 0  # of the weights it started from
        self.network = weights.build(recipe.model).network
        self.network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not self.checkpoint.exists():
            self._initialise(start)
        self._average = torch.optim.swa_utils.AveragedModel(
            self.network,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average),
            use_buffers=True,
        )
        optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        if self.checkpoint.exists():
            self._load(optimiser)
        objective = _Objective(Model(self.network, recipe.model), recipe)
        self._objective, self._optimiser = fabric.setup(objective, optimiser)

    @property
    def finished(self) -> bool:
        """All steps are done."""
        return self.step >= self.recipe.steps

    def advance(self, batch: Batch) -> None:
        """One optimiser step."""
        rate = self.recipe.learning_rate * self._rate()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        loss = self._objective(batch)
        self._optimiser.zero_grad()
        self.fabric.backward(loss)
        self.loss = loss.detach()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self._average.update_parameters(self.network)
        self.step += 1
        if self.step % 20 == 0:
            self.fabric.log_dict({"loss": self.loss, "learning rate": rate}, self.step)

    def validate(self, batches: list[Batch], corpus: str) -> None:
        """Measure the running average on held-out photos, and keep it if it is the best so far."""
        if self.fabric.is_global_zero:
            loss = self._validation_loss(batches, corpus)
            self.fabric.log("validation loss", loss, self.step)
        else:
            loss = math.nan
        self.best = min(self.best, self.fabric.broadcast(loss))

    def save(self) -> None:
        """Write the checkpoint, atomically."""
        if not self.fabric.is_global_zero:
            return
        state = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self._average.state_dict().items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{k}": v for k, v in moments.items()}
        progress = {name: str(getattr(self, name)) for name in _PROGRESS}
        with replacing(self.checkpoint) as part:
            save_file({k: v.contiguous() for k, v in state.items()}, part, progress)

    def _validation_loss(self, batches: list[Batch], corpus: str) -> float:
        average = self._average.module.eval()
        model = Model(average, self.recipe.model)
        loss = LOSSES[self.recipe.loss]
        batches = [self.fabric.to_device(batch) for batch in batches]
        with torch.inference_mode(), self.fabric.autocast():
            value = float(torch.stack([loss(model, batch) for batch in batches]).mean())
            sheet = pictures.sheet(model, batches[0])
        self.fabric.logger.experiment.add_image("held out", sheet, self.step)  # type: ignore[attr-defined]
        if value < self.best:
            spec = dataclasses.replace(
                self.recipe.model, recipe=self.recipe.name, corpus=corpus,
                steps=self.earlier_steps + self.step,
            )  # fmt: skip
            weights.save(self.best_weights, Model(average, spec))
        return value

    def _rate(self) -> float:
        return _schedule(self.step, self.recipe.steps) if self.recipe.decay else 1.0

    def _initialise(self, start: Path | None) -> None:
        if self.recipe.imagenet:
            modules = self.network.modules()
            encoder = next(m for m in modules if isinstance(m, EfficientNetLite0))
            begin_with_imagenet(encoder)
        if start is not None:
            model = weights.load(start)
            own, given = self.network.state_dict(), model.network.state_dict()
            fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
            self.network.load_state_dict(fitting, strict=False)
            self.earlier_steps = model.spec.steps
            self.fabric.print(f"{start}: {len(fitting)} of {len(own)} tensors taken")

    def _load(self, optimiser: torch.optim.Optimizer) -> None:
        with safe_open(self.checkpoint, framework="pt") as file:
            progress = file.metadata()
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, kind in _PROGRESS.items():
            setattr(self, name, kind(progress[name]))
        try:
            self.network.load_state_dict(_below(state, "network."))
        except RuntimeError as error:
            raise WeightsError(self.checkpoint, "it is of a run with another recipe") from error
        self._average.load_state_dict(_below(state, "average."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(state, "optimiser.").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})


_PROGRESS = {"step": int, "best": float, "earlier_steps": int}


class _Objective(nn.Module):
    """Batch → loss as a module, so that gradients of several processes are averaged."""

    def __init__(self, model: Model, recipe: Recipe) -> None:
        super().__init__()
        self.network = model.network  # so that its parameters are known
        self._model = model
        self._loss = LOSSES[recipe.loss]

    def forward(self, batch: Batch) -> Tensor:
        return self._loss(self._model, batch)


def _fabric(out: Path) -> Fabric:
    """One device, or what torchrun says; bfloat16 where the hardware computes with it."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    nodes = int(os.environ.get("WORLD_SIZE", 1)) // processes
    fast = torch.cuda.is_available() or onednn.computes_bfloat16()
    fabric = Fabric(
        devices=processes,
        num_nodes=nodes,
        strategy="ddp" if processes * nodes > 1 else "auto",
        precision="bf16-mixed" if fast else "32-true",
        loggers=TensorBoardLogger(out, name="tensorboard", version=""),
    )
    fabric.launch()
    return fabric


def _batches(run: Run, pairs: list[Pair]) -> Iterator[Batch]:
    """Training batches from the run's step on; each process gets its share of every batch."""
    fabric, recipe = run.fabric, run.recipe
    sampler = ResumableSampler(
        shares(pairs), recipe.batch, run.step, recipe.steps, fabric.global_rank, fabric.world_size
    )
    workers = max(1, resources.cores() // fabric.world_size - 1)
    loader: DataLoader[Batch] = DataLoader(
        Samples(pairs, recipe), batch_sampler=sampler, num_workers=workers, prefetch_factor=4
    )
    bar = tqdm(
        loader, initial=run.step, total=recipe.steps, desc=recipe.model.task, unit="step",
        disable=not fabric.is_global_zero,
    )  # fmt: skip
    for batch in bar:
        yield fabric.to_device(batch)
        if run.step % 20 == 0:
            bar.set_postfix(loss=f"{float(run.loss):.4f}")


def _validation_batches(pairs: list[Pair], recipe: Recipe) -> list[Batch]:
    """Crops of held-out photos, evenly chosen and as they are."""
    step = max(1, len(pairs) // VALIDATION_PHOTOS)
    samples = Samples(pairs[::step], recipe.unspoilt())
    keys = [(index, index) for index in range(len(samples))]
    chunks = [keys[first : first + 16] for first in range(0, len(keys), 16)]
    return [default_collate([samples[key] for key in chunk]) for chunk in chunks]


def _anywhere(fabric: Fabric, flag: bool) -> bool:
    """Whether any process says so: all of them have to stop after the same step."""
    if fabric.world_size == 1:
        return flag
    total = torch.tensor(float(flag), device=fabric.device)
    torch.distributed.all_reduce(total)
    return bool(total > 0)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    warm_up = min(_WARM_UP, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return 0.01 + 0.495 * (1 + math.cos(math.pi * progress))


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def stop_requested() -> threading.Event:
    """Set by Ctrl+C or SIGTERM, so that the step in hand is finished and saved."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
