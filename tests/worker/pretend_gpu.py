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
        name, target = func._schema.name, None
        if name == "aten::_has_compatible_shallow_copy_type":
            return isinstance(args[0], OnGpu) == isinstance(args[1], OnGpu)
        kwargs = dict(kwargs or {})
        kwargs.pop("pin_memory", None)
        if "device" in kwargs:
            target = kwargs["device"]
            kwargs["device"] = torch.device("cpu")
        args = list(args)
        for place, value in enumerate(args):
            if isinstance(value, torch.device):
                target, args[place] = value, torch.device("cpu")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = [isinstance(tensor, OnGpu) for tensor in tensors]
        if any(there):
            _check(name, tensors)
        on_gpu = any(there) if target is None else target.type in ("cuda", "meta")
        if self.recording is not None and any(there):
            leaves = not on_gpu or (name == "aten::copy_" and not there[0])
            if leaves or name in _WAITS or _selects_by_mask(name, tensors):
                raise RuntimeError(f"{name}: operation not permitted when stream is capturing")

        def run() -> Any:
            return func(*tree_map(_held, args), **tree_map(_held, kwargs))

        results = run()
        known = {id(_held(tensor)): tensor for tensor in tensors}

        def wrap(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if leaf.nbytes > self.largest:
                raise torch.OutOfMemoryError("CUDA out of memory")
            known_one = known.get(id(leaf))
            if isinstance(known_one, OnGpu):
                return known_one
            return OnGpu(leaf.clone() if known_one is not None else leaf)  # it has moved

        if not on_gpu:
            return results
        wrapped = tree_map(wrap, results)
        if self.recording is not None:
            self.recording.tape.append((run, wrapped))
        return wrapped


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


def _check(name: str, tensors: list[Tensor]) -> None:
    """Numbers may come from the host, and so may the indices of something on the GPU."""
    if name in _MOVES:
        return
    indexed = name.startswith("aten::index") and isinstance(tensors[0], OnGpu)
    for tensor in tensors:
        if not isinstance(tensor, OnGpu) and tensor.ndim and not indexed:
            places = [(str(one.device), tuple(one.shape)) for one in tensors]
            raise RuntimeError(f"{name}: expected all tensors to be on the same device: {places}")


def _selects_by_mask(name: str, tensors: list[Tensor]) -> bool:
    masks = any(tensor.dtype == torch.bool for tensor in tensors[1:])
    return name.startswith("aten::index") and masks
