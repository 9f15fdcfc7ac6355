"""CUDA graphs: the many small operators that colour a small picture, as one.

A GPU is done with each of them before Python has launched the next. A graph holds all of them, and
their memory, for arguments of one size.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from semcolor_worker.lru import LruCache

from .memory_errors import ran_out

_KEPT = 4  # graphs; each holds all that is computed in it
_WARM_UP = 3  # runs before one is recorded: in the first ones libraries prepare themselves


class _Graph(NamedTuple):
    graph: torch.cuda.CUDAGraph
    arguments: tuple[Tensor, ...]
    results: tuple[Tensor, ...]


class Graphs:
    """A function of tensors on one GPU, recorded for each of the last few sizes of its arguments.

    ``function`` must run the same operators whatever the values are, and never wait for the GPU.
    What cannot be recorded all the same runs as it is.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._graphs: LruCache[_Graph] = LruCache(_KEPT)
        self._failed = False

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """What the function returns, as new tensors."""
        graph = self._graph(arguments)
        if graph is None:
            return self._function(*arguments)
        for kept, argument in zip(graph.arguments, arguments, strict=True):
            kept.copy_(argument)
        graph.graph.replay()
        return tuple(result.clone() for result in graph.results)

    def clear(self) -> None:
        """Let go all graphs and their memory."""
        self._graphs.clear()

    def _graph(self, arguments: tuple[Tensor, ...]) -> _Graph | None:
        sizes = tuple(argument.shape for argument in arguments)
        graph = self._graphs.get(sizes)
        if graph is not None or self._failed:
            return graph
        try:
            return self._graphs.put(sizes, self._recorded(arguments))
        except RuntimeError as error:
            if ran_out(error):
                raise
            logging.warning("going on without CUDA graphs: %s", error)
            self._failed = True
            return None

    def _recorded(self, arguments: tuple[Tensor, ...]) -> _Graph:
        kept = tuple(argument.clone() for argument in arguments)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                self._function(*kept)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = self._function(*kept)
        return _Graph(graph, kept, results)
