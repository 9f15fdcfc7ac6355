"""The paper authors' published checkpoints: import, and proof that we compute what they compute.

The checkpoints are ``{"G": state dict}``, written by torch.save. Theirs are names for the same
layers, and conventions of their own, which :class:`~.weights.ModelSpec` can say:
gray is BT.601 luma (of a gray photo: its own values), [0, 1] for GridNet and [−1, 1] for the
colour network; chroma is OpenCV's 8-bit a*, b*, so a* = 127.5·output − 0.5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from semcolor.shared.errors import Code, SemcolorError, cannot_write
from semcolor_worker import color

from . import weights
from .weights import Model, ModelSpec, Task, WeightsError

TERMS = "non-commercial and research use only"
DIFFERENCE = 1e-4  # allowed to a network's output, in standard deviations of the recorded one
SHARE = 1e-3  # allowed to the classes: of the pixels
_NAMED = 3  # how many names of each kind an error lists
# The published names of GridNet's layers, by their place in our sequences.
_PLAIN = {0: "conv1", 1: "batch1", 3: "conv2", 4: "batch2"}
_BLOCK = {0: "batch1", 2: "conv1", 3: "batch2", 5: "conv2"}

SPECS: dict[Task, ModelSpec] = {
    "color": ModelSpec(
        task="color",
        network="two_stream_unet",
        arguments={"widths": (32, 64, 128, 256, 512, 512), "slope": 0.1},
        detail=352,
        gray="luma",
        chroma_scale=127.5,
        chroma_offset=-0.5,
        corpus="PASCAL-Context",
        licence=TERMS,
        recipe="published",
    ),
    "segmentation": ModelSpec(
        task="segmentation",
        network="gridnet",
        arguments={"widths": (16, 32, 64, 128, 256), "columns": 6},
        detail=352,
        gray="luma",
        black=0.0,
        corpus="PASCAL-Context",
        licence=TERMS,
        recipe="published",
    ),
}


def import_checkpoints(checkpoints: Mapping[Task, Path], folder: Path) -> list[Path]:
    """Turn checkpoints into weight files ``folder/<task>.safetensors``, float32; returns these.

    Nothing is written unless all of them can be read. Raises SemcolorError: NO_FILE, CANNOT_WRITE,
    BAD_WEIGHTS with what differs from the published layout if that is the reason.
    """
    models = {task: _model(task, path) for task, path in checkpoints.items()}
    paths = []
    for task, model in models.items():
        path = folder / f"{task}.safetensors"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            weights.save(path, model, torch.float32)
        except (OSError, SafetensorError) as error:
            raise cannot_write(path, error) from error
        paths.append(path)
    return paths


@dataclass(frozen=True)
class Comparison:
    """One output of one network beside its recorded values."""

    name: str  # of the recorded array
    shape: tuple[int, ...]  # of what was compared
    difference: float  # the largest, in standard deviations; of classes the share of pixels
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is small enough; NaN never is."""
        return self.difference <= self.allowed


def verify(folder: Path, recorded: Path) -> list[Comparison]:
    """Run the weights in ``folder`` on recorded inputs, float32 on the CPU, and compare.

    ``recorded``: an .npz file with, for each picture K = 0, 1 …, ``grayK`` (H×W uint8, sRGB curve)
    and ``labelsK`` (H×W uint8), and what the authors' code made of them: ``color_outputK`` (2×H×W
    float32), ``seg_logitsK`` (60×H×W float32) and ``seg_argmaxK`` (H×W uint8). Of the outputs,
    every n-th pixel is enough. Raises SemcolorError: NO_FILE, BAD_WEIGHTS, BAD_RECORDING.
    """
    models = {task: weights.load_for(task, folder) for task in weights.in_folder(folder)}
    if not models:
        raise SemcolorError(Code.NO_FILE, file=f"{folder}/color.safetensors (or segmentation)")
    arrays = _read_recorded(recorded)
    pictures = sorted(name.removeprefix("gray") for name in arrays if name.startswith("gray"))
    try:
        if not pictures:
            raise KeyError("gray0")
        return [
            _compare(name + picture, output.numpy(), arrays[name + picture])
            for picture in pictures
            for model in models.values()
            for name, output in _outputs(model, arrays, picture).items()
        ]
    except KeyError as error:
        raise _bad_recording(recorded, f"it has no array “{error.args[0]}”") from error
    except ValueError as error:
        raise _bad_recording(recorded, str(error)) from error


@torch.inference_mode()
def _outputs(model: Model, arrays: Mapping[str, np.ndarray], picture: str) -> dict[str, Tensor]:
    """What a model makes of a picture, by the name it is recorded under."""
    gray = _plane(f"gray{picture}", arrays, model.stride)
    seen = model.normalise(color.gray_lightness(gray))[None, None]
    if model.spec.task == "color":
        labels = _plane(f"labels{picture}", arrays, model.stride)
        return {"color_output": model.network(seen, labels.long()[None])[0]}
    logits: Tensor = model.network(seen)[0]
    return {"seg_logits": logits, "seg_argmax": logits.argmax(0)}


def _plane(name: str, arrays: Mapping[str, np.ndarray], stride: int) -> Tensor:
    """A recorded input. Raises KeyError, and ValueError for one that no network takes."""
    plane = arrays[name]
    fits = all(side % stride == 0 and side > stride for side in plane.shape)
    if plane.dtype != np.uint8 or plane.ndim != 2 or not fits:
        raise ValueError(f"{name} is not H×W uint8 with sides of 2, 3, 4 … times {stride} pixels")
    return torch.from_numpy(plane)


def _compare(name: str, output: np.ndarray, recorded: np.ndarray) -> Comparison:
    step = max(1, output.shape[-1] // max(1, recorded.shape[-1]))
    output = output[..., ::step, ::step]
    if output.shape != recorded.shape:
        raise ValueError(
            f"{name} is recorded as {_times(recorded.shape)}, the network gives "
            f"{_times(output.shape)}"
        )
    if name.startswith("seg_argmax"):
        return Comparison(name, output.shape, float((output != recorded).mean()), SHARE)
    difference = float(np.abs(output - recorded).max() / recorded.std())
    return Comparison(name, output.shape, difference, DIFFERENCE)


def _read_recorded(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as file:  # never unpickles, by default
            return dict(file)
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except Exception as error:  # damaged bytes can fail in any way
        raise _bad_recording(path, "it is not an .npz file of arrays") from error


def _bad_recording(path: Path, reason: str) -> SemcolorError:
    return SemcolorError(Code.BAD_RECORDING, file=str(path), reason=reason)


def _model(task: Task, path: Path) -> Model:
    """The published checkpoint of a task as a model."""
    model = weights.build(SPECS[task])
    own = model.network.state_dict()
    published = _color_name if task == "color" else _segmentation_name
    names = {name: published(name) for name in own}
    state = _read_checkpoint(path)
    differences = _differences({names[name]: value for name, value in own.items()}, state)
    if differences:
        raise WeightsError(
            path, f"it is not the authors' {task} checkpoint: it {' and '.join(differences)}"
        )
    model.network.load_state_dict({name: state[names[name]] for name in own})
    return model


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise SemcolorError(Code.NO_FILE, file=str(path)) from error
    except UnpicklingError as error:
        raise WeightsError(
            path,
            "it is no checkpoint, or holds more than tensors, and semcolor runs no code from "
            "weight files; fetch it from its authors again",
        ) from error
    except Exception as error:  # damaged bytes can fail in any way
        raise WeightsError(
            path, "it cannot be read as a checkpoint; if it did not arrive whole, fetch it again"
        ) from error
    state = checkpoint.get("G") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(path, "it is not the authors' checkpoint: it holds no tensors under “G”")
    return state


def _differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``found`` from being ``expected``, as ends of a sentence that begins with it."""
    missing = [name for name in expected if name not in found]
    unexpected = [str(name) for name in found if name not in expected]
    misshapen = [
        f"{name} as {_times(found[name].shape)} instead of {_times(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    texts = {"lacks": missing, "has the unexpected": unexpected, "has": misshapen}
    return [f"{verb} {_listed(names)}" for verb, names in texts.items() if names]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"


def _color_name(ours: str) -> str:
    """The published name of a tensor of the colour network."""
    return re.sub(r"^(enc|dec)oder\.(\d)", lambda m: f"{m[1]}{int(m[2]) + 1}", ours)


def _segmentation_name(ours: str) -> str:
    """The published name of a tensor of GridNet, whose blocks are named by where they lead."""
    part, *indices, leaf = ours.split(".")
    if not indices:
        return f"batchNormInitial.{leaf}"
    *place, layer = map(int, indices)
    if not place:
        name = "firstConv" if part == "stem" else "lastConv"
        return f"{name}.{_PLAIN[layer]}.{leaf}"
    row, column = place
    name = {
        "lateral": f"convSequence{row}_{column}to{row}_{column + 1}",
        "down": f"subSamplingSequence{row}_{column}to{row + 1}_{column}",
        "up": f"upSamplingSequence{row + 1}_{column + 3}to{row}_{column + 3}",
    }[part]
    layers = _BLOCK | {2: "convTranspose1"} if part == "up" else _BLOCK
    return f"{name}.{layers[layer]}.{leaf}"
