"""A cache that keeps what was used last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class LruCache(Generic[V]):
    """Values by key; beyond ``budget`` the least recently used go. ``cost``: of one value, now."""

    def __init__(self, budget: int, cost: Callable[[V], int] = lambda _: 1) -> None:
        self._budget, self._cost = budget, cost
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """The value, now the most recently used."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def __getitem__(self, key: Hashable) -> V:
        """The value, now the most recently used. Raises KeyError."""
        self._values.move_to_end(key)
        return self._values[key]

    def __contains__(self, key: Hashable) -> bool:
        """Whether the value is here; that does not use it."""
        return key in self._values

    def items(self) -> list[tuple[Hashable, V]]:
        """All values by key, the least recently used first; that does not use them."""
        return list(self._values.items())

    def pop(self, key: Hashable) -> V | None:
        """Remove a value and return it, if it is here."""
        return self._values.pop(key, None)

    def pop_where(self, is_meant: Callable[[Any], bool]) -> None:
        """Remove the values whose keys are meant."""
        for key in [key for key in self._values if is_meant(key)]:
            del self._values[key]

    def put(self, key: Hashable, value: V) -> V:
        """Keep a value, and return it; the newest is kept whatever it costs."""
        self._values[key] = value
        self._values.move_to_end(key)
        self.trim()
        return value

    def trim(self) -> None:
        """Let go what is beyond the budget; values may have grown since they were put."""
        while len(self._values) > 1 and sum(map(self._cost, self._values.values())) > self._budget:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Let go everything."""
        self._values.clear()
