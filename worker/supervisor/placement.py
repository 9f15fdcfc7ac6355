"""Which engine holds which photo."""

from collections.abc import Sequence

from semcolor_worker.lru import LruCache

_PHOTOS = 64  # those of long ago are forgotten


class PhotoPlacement:
    """A photo stays with its engine until that is lost."""

    def __init__(self) -> None:
        self._engines: LruCache[int] = LruCache(_PHOTOS)

    def find(self, photo: str, engines: Sequence[int]) -> int:
        """The engine of a photo; of a new one, that of ``engines`` with the fewest photos."""
        known = self._engines.get(photo)
        if known is not None:
            return known
        held = [engine for _, engine in self._engines.items()]
        return self._engines.put(photo, min(engines, key=held.count))

    def lose(self, engine: int) -> None:
        """An engine has lost all it held."""
        for photo, held in self._engines.items():
            if held == engine:
                self._engines.pop(photo)
