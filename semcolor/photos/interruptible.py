"""Work of libraries in C that Ctrl+C can end."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def interruptible(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; meanwhile a signal's exception comes through at once.

    In the main thread it may arise in a callback of the library, where it is only printed. In a
    thread of its own the library may go on for a while, on what nobody looks at any more.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
