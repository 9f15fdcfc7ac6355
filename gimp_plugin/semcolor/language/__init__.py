"""The words that the user reads, in the user's language.

`translations.py` beside the plug-in collects all that is written in a call of `tr`, and what
`shared.sentences` has.
"""

import gettext
from pathlib import Path

from gi.repository import GLib
from shared.errors import SemcolorError
from shared.sentences import STAGES, STATES, error_sentence
from shared.states import Stage, WorkerState

# Not GIMP's own way: the C library's gettext finds nothing on a system without that locale.
tr = gettext.translation(
    "semcolor", Path(__file__).parent / "locale", GLib.get_language_names(), fallback=True
).gettext


class UserError(Exception):
    """Something about which the user can do something: the message is translated, and says what."""


def error_text(error: Exception) -> str:
    """What to tell the user about anything that went wrong."""
    if isinstance(error, SemcolorError):
        return error_sentence(error.code, error.parameters, tr)
    if isinstance(error, UserError):
        return str(error)
    return tr("semcolor made a mistake ({error}). Please report it.").format(error=repr(error))


def is_our_mistake(error: Exception) -> bool:
    """Whether it is worth a traceback."""
    return not isinstance(error, (SemcolorError, UserError))


def stage_text(stage: Stage) -> str:
    """What is being done."""
    return tr(STAGES[stage])


def state_text(state: WorkerState) -> str:
    """What the worker is doing, and what follows."""
    return tr(STATES[state])
