"""Models on disk: safetensors files whose metadata says everything needed to run them.

A *model* is data. Its :class:`ModelSpec` names the network, the network's arguments, the scale
it works at and how lightness and chroma map to the network's numbers. Only this module knows
those conventions; the rest of the worker speaks L* in 0..100 and a*, b* in CIE units.
"""

import dataclasses
import json
import textwrap
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from semcolor.shared.atomic_files import replacing
from semcolor.shared.errors import Code, SemcolorError
from semcolor_worker import color, tone
from semcolor_worker.models import onednn
from semcolor_worker.models.networks.efficientnet_fpn import EfficientNetFPN
from semcolor_worker.models.networks.gridnet import GridNet
from semcolor_worker.models.networks.refiner import Refiner
from semcolor_worker.models.networks.two_stream_unet import TwoStreamUNet

FORMAT = 1
METADATA_KEY = "semcolor"
NETWORKS: dict[str, type[nn.Module]] = {
    "efficientnet_fpn": EfficientNetFPN,
    "gridnet": GridNet,
    "refiner": Refiner,
    "two_stream_unet": TwoStreamUNet,
}

Task = Literal["color", "segmentation", "refinement"]
TASKS: tuple[Task, ...] = ("color", "segmentation")  # that users choose weights for
VARIANTS = ("gridnet",)  # bundled beside the defaults, in folders of their own


class WeightsError(SemcolorError):
    """Weights that cannot be used: which file or folder, and why (technical, in English)."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(Code.BAD_WEIGHTS, file=str(file), reason=reason)


@dataclass(frozen=True)
class ModelSpec:
    """What a weight file says about itself."""

    task: Task
    network: str
    arguments: dict[str, Any]  # of the network's constructor
    detail: int  # longest side of the input it was trained for, in pixels
    gray: Literal["lightness", "luma"] = "lightness"  # L*, or the photo's own sRGB curve
    tone: Literal["own", "evened"] = "own"  # of the photo, as the network sees it
    mirrored: bool = False  # it is shown the mirror image, too: the same photo, the same colours
    black: float = -1.0  # what the network sees for black; for white it is 1
    chroma_scale: float = 110.0  # a*, b* per unit of network output
    chroma_offset: float = 0.0  # a*, b* at output 0
    saturation: float = 1.0  # of what users get; regression alone comes out a little dull
    corpus: str = ""
    licence: str = ""
    recipe: str = ""
    steps: int = 0


class Model:
    """A network in evaluation mode together with its conventions."""

    def __init__(self, network: nn.Module, spec: ModelSpec, path: Path | None = None) -> None:
        self.network = network
        self.spec = spec
        self.path = path
        self.stride: int = network.stride  # type: ignore[assignment]

    @property
    def title(self) -> str:
        """For people: recipe, network and, unless it came with semcolor, the folder."""
        name = f"{self.spec.recipe} {self.spec.network}"
        if self.path is None or self.path == bundled(self.spec.task):
            return name
        return f"{name} from {self.path.parent}"

    def network_input(self, lightness: Tensor) -> Tensor:
        """A whole picture's L* 0..100 to the network's input, in the tone that it learnt from."""
        evened = self.spec.tone == "evened"
        return self.normalise(tone.evened(lightness) if evened else lightness)

    def normalise(self, lightness: Tensor) -> Tensor:
        """L* 0..100 to the network's input, from the spec's ``black`` to 1; any shape."""
        luma = self.spec.gray == "luma"
        share = color.gray_from_lightness(lightness) if luma else lightness / 100
        return self.spec.black + (1 - self.spec.black) * share

    def chroma(self, output: Tensor) -> Tensor:
        """The colour network's output to a*, b*, at the spec's saturation."""
        return self.spec.saturation * (output * self.spec.chroma_scale + self.spec.chroma_offset)

    def target(self, chroma: Tensor) -> Tensor:
        """a*, b* to what the network learns to put out; saturation is no part of that."""
        return (chroma - self.spec.chroma_offset) / self.spec.chroma_scale


def build(spec: ModelSpec) -> Model:
    """A model with freshly initialised weights.

    Raises ValueError for a network or an argument that this version does not know.
    """
    if spec.network not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise ValueError(f"its network is “{spec.network}”, and this version knows {known}")
    try:
        return Model(NETWORKS[spec.network](**spec.arguments), spec)
    except TypeError as error:
        raise ValueError(f"its network cannot be built as described ({error})") from error


def save(path: Path, model: Model, dtype: torch.dtype = torch.float16) -> None:
    """Write a model, atomically: a reader sees the old file or the new one."""
    state = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in model.network.state_dict().items()
    }
    metadata = {"format": FORMAT, **dataclasses.asdict(model.spec)}
    with replacing(path) as part:
        save_file(state, part, {METADATA_KEY: json.dumps(metadata)})


def precision_for(device: torch.device) -> torch.dtype:
    """For colour: bfloat16 where the processor multiplies it faster than float32, else float32."""
    if device.type == "cuda":
        faster = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        able = torch.cpu.get_capabilities()
        faster = able.get("amx_bf16", False) or able.get("avx512_bf16", False)
        faster = faster and onednn.computes_bfloat16()  # it may be held back, or lacking
    return torch.bfloat16 if faster else torch.float32


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
        raise WeightsError(path, f"it cannot be read ({error})") from error
    try:
        model = build(spec)
        model.network.load_state_dict(state)
    except ValueError as error:
        raise WeightsError(path, str(error)) from error
    except RuntimeError as error:
        differences = textwrap.shorten(str(error), 200)  # it lists every tensor
        raise WeightsError(path, f"it does not fit its own description ({differences})") from error
    model.path = path
    model.network.eval().requires_grad_(False)
    model.network.to(device)
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster
    return model


def bundled(task: Task) -> Path:
    """The weights that come with semcolor for a task."""
    return _bundled_folder() / f"{task}.safetensors"


def folder_named(name: str) -> Path | None:
    """The folder that a user means: None for “bundled”, semcolor's own variants by their names."""
    if name == "bundled":
        return None
    variant = _bundled_folder() / name
    return variant if name in VARIANTS else Path(name).absolute()


def _bundled_folder() -> Path:
    return Path(str(resources.files(__package__).joinpath("bundled")))


def load_for(task: Task, folder: Path | None, device: torch.device | str = "cpu") -> Model:
    """The model for a task: ``folder``'s if there is one, else the bundled one.

    Raises WeightsError as :func:`load` does, for a folder without any weights, and for a file
    that is for the other task.
    """
    path = bundled(task)
    if folder is not None:
        own = in_folder(folder)
        if not own:
            raise WeightsError(
                folder, "it holds neither color.safetensors nor segmentation.safetensors"
            )
        path = own.get(task, path)
    model = load(path, device)
    if model.spec.task != task:
        raise WeightsError(path, f"it is a model for {model.spec.task}, and named otherwise")
    return model


def in_folder(folder: Path) -> dict[Task, Path]:
    """The weight files of a folder, which are named after their tasks."""
    paths = {task: folder / f"{task}.safetensors" for task in TASKS}
    return {task: path for task, path in paths.items() if path.exists()}


def _spec(path: Path, metadata: dict[str, str]) -> ModelSpec:
    if METADATA_KEY not in metadata:
        raise WeightsError(path, "it carries no description, so it is not of semcolor's")
    try:
        fields = json.loads(metadata[METADATA_KEY])
        version = fields.pop("format", None)
        if version != FORMAT:
            raise WeightsError(path, f"its format is {version}, and this version reads {FORMAT}")
        fields.pop("classes", None)  # of files that were written when it was always the same
        return ModelSpec(**fields)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(path, f"its description cannot be read ({error})") from error
