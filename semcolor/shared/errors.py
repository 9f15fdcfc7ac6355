"""Every failure that a user can meet: a code with parameters, from the engine to the panel.

What it is called in words is made where it is shown: see :mod:`.sentences`.
"""

from collections.abc import Mapping

from .codes import Code as Code  # whoever raises a failure finds these here too
from .codes import Parameter as Parameter
from .sentences import error_sentence


class SemcolorError(Exception):
    """A failure: its code, and the parameters of its sentence, which ``str(error)`` is in English.

    ``parameters`` have the names that the code's sentence has in braces.
    """

    def __init__(self, code: Code, /, **parameters: Parameter) -> None:
        super().__init__(error_sentence(code, parameters))
        self.code = code
        self.parameters: Mapping[str, Parameter] = parameters

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.code, dict(self.parameters))


def _rebuilt(code: Code, parameters: dict[str, Parameter]) -> SemcolorError:
    """From a pickle."""
    return SemcolorError(code, **parameters)


def malformed(detail: str) -> SemcolorError:
    """Something that semcolor's own parts never send each other; ``detail`` is for developers."""
    return SemcolorError(Code.MALFORMED, detail=detail)


def cannot_read(file: object, error: Exception) -> SemcolorError:
    """A file that cannot be read, for the reason that ``error`` tells."""
    return SemcolorError(Code.CANNOT_READ, file=str(file), reason=reason_of(error))


def cannot_write(file: object, error: Exception) -> SemcolorError:
    """A file that cannot be written, for the reason that ``error`` tells."""
    return SemcolorError(Code.CANNOT_WRITE, file=str(file), reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """One line: what the system says, or the last line of what a library does."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
