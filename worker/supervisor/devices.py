"""The devices of a worker, and which of them has which photo."""

from collections.abc import Callable, Iterator, Sequence

import zmq

from semcolor.protocol.results import EngineStatus

from .device_slot import DeviceSlot
from .engine_process import EngineChild
from .placement import PhotoPlacement


class Devices:
    """A slot for each device; ``engine`` makes the engine of one.

    Without ``names`` there is one at first, whose engine chooses a device and says which there are.
    """

    def __init__(self, engine: Callable[[str], EngineChild], names: Sequence[str]) -> None:
        self._engine = engine
        self._finds_others = not names
        self._slots = [DeviceSlot(engine(name)) for name in names or [""]]
        self._placement = PhotoPlacement()

    def __iter__(self) -> Iterator[DeviceSlot]:
        return iter(tuple(self._slots))

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Where engines are heard."""
        return [slot.engine.socket for slot in self._slots if slot.engine.socket is not None]

    @property
    def engines(self) -> list[EngineStatus]:
        """How each engine is."""
        return [slot.status for slot in self._slots]

    @property
    def models(self) -> list[str]:
        """What the engines have loaded."""
        return next(filter(None, (slot.engine.models for slot in self._slots)), [])

    @property
    def is_one_up(self) -> bool:
        """Whether any engine can take a job now, or soon."""
        return any(slot.is_up for slot in self._slots)

    def others_up(self, slot: DeviceSlot) -> bool:
        """Whether any other engine can take a job now, or soon."""
        return any(other.is_up for other in self._slots if other is not slot)

    def start(self) -> None:
        """Start all engines; they are ready some seconds later. Raises OSError."""
        for slot in self._slots:
            self.start_engine(slot)

    def start_engine(self, slot: DeviceSlot) -> None:
        """Start one; cores and memory are for those that are in use. Raises OSError."""
        slot.start(sum(not other.fault for other in self._slots))

    def stop(self) -> None:
        """End all engines."""
        for slot in self._slots:
            slot.engine.stop()

    def found(self, names: Sequence[str]) -> None:
        """An engine says what there is; the first one took the first of them itself."""
        if not self._finds_others:
            return
        self._finds_others = False
        for name in names[1:]:
            self._slots.append(DeviceSlot(self._engine(name)))
            self.start_engine(self._slots[-1])

    def slot_of(self, photo: str) -> DeviceSlot:
        """The one that holds a photo; for a new photo, one that can begin at once if possible."""
        able = [i for i, slot in enumerate(self._slots) if not slot.fault]
        up = [i for i in able if self._slots[i].is_up]
        loaded = [i for i in up if self._slots[i].engine.models]
        return self._slots[self._placement.find(photo, loaded or up or able)]

    def lost(self, slot: DeviceSlot) -> None:
        """An engine has ended; its photos may go to another."""
        self._placement.lose(self._slots.index(slot))
