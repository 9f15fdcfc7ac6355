"""The words that the user reads, in the user's language.

`translations.py` beside the plug-in collects all that is written in a call of `tr`, and what
`shared.sentences` has.
"""

import gettext
from pathlib import Path

from gi.repository import GLib
from shared.errors import Code, SemcolorError
from shared.sentences import STAGES, STATES, error_sentence
from shared.states import Stage, WorkerState

# Not GIMP's own way: the C library's gettext finds nothing on a system without that locale.
tr = gettext.translation(
    "semcolor", Path(__file__).parent / "locale", GLib.get_language_names(), fallback=True
).gettext


# Where a menu entry does what the command line's sentence asks for.
_IN_GIMP = {
    Code.UNREACHABLE: tr(
        "The worker on {machine} does not answer. Is that machine on, and in the same network? "
        "“local” in Connect to a Worker… goes back to this machine's own."
    ),
    Code.NO_SUCH_HOST: tr(
        "No machine is found under the name {machine}. Is this one in the same network? An "
        "invitation with an address instead of a name helps: ask the worker's owner."
    ),
    Code.KEY_REFUSED: tr(
        "The worker on {machine} does not let this GIMP in. Ask its owner for a new invitation, "
        "and paste that in Connect to a Worker…."
    ),
    Code.NOT_RUNNING: tr("No worker runs on this machine. It starts as soon as it is needed."),
    Code.INVITATION: tr(
        "This is not a whole invitation. Paste the one line that was sent to you, and nothing else."
    ),
}


class UserError(Exception):
    """Something about which the user can do something: the message is translated, and says what."""


def error_text(error: Exception) -> str:
    """What to tell the user about anything that went wrong."""
    if isinstance(error, SemcolorError):
        if error.code in _IN_GIMP:
            return _IN_GIMP[error.code].format(machine=_machine(error))
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


def _machine(error: SemcolorError) -> str:
    """Of an address as “tcp://name:7777”."""
    address = str(error.parameters.get("address", ""))
    return address.rpartition("://")[2].rpartition(":")[0] or address
