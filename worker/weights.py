"""Models on disk: safetensors files whose metadata says everything needed to run them.

A *model* is data. Its :class:`ModelSpec` names the network, the network's arguments, the scale
it works at and how lightness and chroma map to the network's numbers. Only this module knows
those conventions; the rest of the worker speaks L* in 0..100 and a*, b* in CIE units.
"""

import dataclasses
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .networks.gridnet import GridNet
from .networks.two_stream_unet import TwoStreamUNet

FORMAT = 1
METADATA_KEY = "semcolor"
NETWORKS: dict[str, type[nn.Module]] = {"gridnet": GridNet, "two_stream_unet": TwoStreamUNet}

Task = Literal["color", "segmentation"]


class WeightsError(Exception):
    """A weight file that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class ModelSpec:
    """What a weight file says about itself."""

    task: Task
    network: str
    arguments: dict[str, Any]  # of the network's constructor
    detail: int  # longest side of the input it was trained for, in pixels
    chroma_scale: float = 110.0  # a*, b* per unit of network output
    classes: str = "pascal-context-59"
    corpus: str = ""
    licence: str = ""
    recipe: str = ""
    steps: int = 0


class Model:
    """A network in evaluation mode together with its conventions."""

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        self.network = network
        self.spec = spec
        self.stride: int = network.stride  # type: ignore[assignment]

    def normalise(self, lightness: Tensor) -> Tensor:
        """L* 0..100 to the network's input, N×1×H×W in [−1, 1]."""
        return lightness / 50 - 1

    def chroma(self, output: Tensor) -> Tensor:
        """The colour network's output to a*, b*."""
        return output * self.spec.chroma_scale

    def target(self, chroma: Tensor) -> Tensor:
        """a*, b* to the colour network's output; the inverse of :meth:`chroma`."""
        return chroma / self.spec.chroma_scale


def build(spec: ModelSpec) -> Model:
    """A model with freshly initialised weights. Raises WeightsError for an unknown network."""
    if spec.network not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise WeightsError(f"unknown network “{spec.network}”: this version knows {known}")
    return Model(NETWORKS[spec.network](**spec.arguments), spec)


def save(path: Path, model: Model, dtype: torch.dtype = torch.float16) -> None:
    """Write a model, atomically: a reader sees the old file or the new one."""
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in model.network.state_dict().items()
    }
    metadata = {"format": FORMAT, **dataclasses.asdict(model.spec)}
    part = path.with_name(path.name + ".part")
    save_file(state, part, {METADATA_KEY: json.dumps(metadata)})
    part.replace(path)


def load(path: Path, device: torch.device | str = "cpu") -> Model:
    """Read a model in evaluation mode, float32, on ``device``.

    Raises WeightsError when the file is missing, is not one of ours, or does not fit its own
    metadata.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            spec = _spec(path, file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read the weights {path}: {error}") from error
    model = build(spec)
    try:
        model.network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its own description: {error}") from error
    model.network.eval().requires_grad_(False)
    model.network.to(device)
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster
    return model


def bundled(task: Task) -> Path:
    """The weights that come with semcolor for a task."""
    return Path(str(resources.files(__package__).joinpath("weights", f"{task}.safetensors")))


def _spec(path: Path, metadata: dict[str, str]) -> ModelSpec:
    if METADATA_KEY not in metadata:
        raise WeightsError(f"{path} is not a semcolor weight file: it carries no description")
    fields = json.loads(metadata[METADATA_KEY])
    version = fields.pop("format", None)
    if version != FORMAT:
        raise WeightsError(f"{path} has format {version}, this version reads {FORMAT}: update it")
    try:
        return ModelSpec(**fields)
    except TypeError as error:
        raise WeightsError(f"{path} has a description that cannot be read: {error}") from error
