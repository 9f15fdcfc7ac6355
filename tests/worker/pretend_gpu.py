"""A GPU for machines that have none: tensors that say they are on it, while the CPU computes them.

What mixes the GPU's tensors with the host's fails as it does there, and so does what waits for the
GPU while a graph is recorded. It shows mistakes in where tensors are, not what a GPU computes.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda:0")
_MEMORY = 8 << 30
_MOVES = {"aten::copy_", "aten::_to_copy", "aten::to"}
_WAITS = {
    "aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal",
    "aten::_unique2",
}  # fmt: skip


class OnGpu(Tensor):
    """``held``: its values. To PyTorch's own code it is on "meta", where nothing is computed."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnGpu":
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device="meta",
        )  # fmt: skip

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @property
    def device(self) -> torch.device:
        return GPU

    @property
    def data(self) -> Tensor:
        return self

    @data.setter
    def data(self, value: Tensor) -> None:
        assert isinstance(value, OnGpu)
        assert value.dtype == self.dtype
        self.held = value.held

    def new_tensor(self, values: Any) -> Tensor:
        return OnGpu(torch.tensor(values, dtype=self.dtype))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} without the pretended GPU")


class PretendGpu(TorchDispatchMode):
    """While it is entered. ``largest``: bytes that no tensor on it may exceed; ``free``: bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = self.free = _MEMORY
        self.recording: _Graph | None = None
        self.recorded = self.replays = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name == "aten::_has_compatible_shallow_copy_type":
            return isinstance(args[0], OnGpu) == isinstance(args[1], OnGpu)
        args, kwargs, target = _without_device(args, kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        involved = any(isinstance(tensor, OnGpu) for tensor in tensors)
        on_gpu = involved if target is None else target.type in ("cuda", "meta")
        if involved:
            _check_places(name, tensors)
        if self.recording is not None and (involved or on_gpu):
            _check_waits(name, tensors, on_gpu)

        def run() -> Any:
            return func(*tree_map(_held, args), **tree_map(_held, kwargs))

        results = run()
        if not on_gpu:
            return results
        known = {id(_held(tensor)): tensor for tensor in tensors}
        results = tree_map(lambda result: self._placed(result, known), results)
        if self.recording is not None:
            self.recording.tape.append((run, results))
        return results

    def _placed(self, result: Any, known: dict[int, Tensor]) -> Any:
        """On the GPU; what the operator was given and returns, as in-place ones do, stays that."""
        if not isinstance(result, Tensor):
            return result
        if result.nbytes > self.largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        given = known.get(id(result))
        if isinstance(given, OnGpu):
            return given
        return OnGpu(result if given is None else result.clone())  # from the host: a copy


class _Graph:
    """As ``torch.cuda.CUDAGraph``: does the same again in the same memory."""

    def __init__(self, gpu: PretendGpu) -> None:
        self.tape: list[tuple[Any, Any]] = []
        self._gpu = gpu

    def replay(self) -> None:
        self._gpu.replays += 1
        with torch.utils._python_dispatch._disable_current_modes():
            for run, results in self.tape:
                for kept, new in zip(tree_leaves(results), tree_leaves(run()), strict=True):
                    if isinstance(new, Tensor) and kept.held.data_ptr() != new.data_ptr():
                        kept.held.copy_(new)


class _Stream:
    def wait_stream(self, other: "_Stream") -> None:
        """The CPU does one thing after the other."""


@contextlib.contextmanager
def pretended_gpu(patch: pytest.MonkeyPatch) -> Iterator[PretendGpu]:
    """PyTorch has a GPU meanwhile."""
    gpu = PretendGpu()

    @contextlib.contextmanager
    def record(graph: _Graph) -> Iterator[None]:
        gpu.recording = graph
        gpu.recorded += 1
        try:
            yield
        finally:
            gpu.recording = None

    for name, value in {
        "_lazy_init": lambda: None,
        "mem_get_info": lambda device=None: (gpu.free, _MEMORY),
        "empty_cache": lambda: None,
        "get_device_capability": lambda device=None: (7, 0),
        "CUDAGraph": lambda: _Graph(gpu),
        "graph": record,
        "Stream": _Stream,
        "current_stream": _Stream,
        "stream": contextlib.nullcontext,
    }.items():
        patch.setattr(torch.cuda, name, value)
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with gpu:
            yield gpu
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnGpu) else value


def _without_device(
    args: Any, kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any], torch.device | None]:
    """Arguments by which the host does it, and the device that was named in them, if any."""
    named = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.device)]

    def on_host(value: Any) -> Any:
        return torch.device("cpu") if isinstance(value, torch.device) else value

    kept = {key: on_host(value) for key, value in kwargs.items() if key != "pin_memory"}
    return [on_host(value) for value in args], kept, named[0] if named else None


def _check_places(name: str, tensors: list[Tensor]) -> None:
    """Numbers may come from the host, and so may the indices of something on the GPU."""
    if name in _MOVES:
        return
    indexed = name.startswith("aten::index") and isinstance(tensors[0], OnGpu)
    for tensor in tensors:
        if not isinstance(tensor, OnGpu) and tensor.ndim and not indexed:
            places = [(str(one.device), tuple(one.shape)) for one in tensors]
            raise RuntimeError(f"{name}: expected all tensors to be on the same device: {places}")


def _check_waits(name: str, tensors: list[Tensor], on_gpu: bool) -> None:
    """What the host would have to wait for cannot be recorded."""
    crosses = not all(isinstance(tensor, OnGpu) or not tensor.ndim for tensor in tensors)
    by_mask = name.startswith("aten::index") and any(
        tensor.dtype == torch.bool for tensor in tensors[1:]
    )
    if not on_gpu or crosses or by_mask or name in _WAITS:
        raise RuntimeError(f"{name}: operation not permitted when stream is capturing")
