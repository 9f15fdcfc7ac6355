"""The words that the user reads, in the user's language.

`translations.py` beside this folder collects all that is written in a call of `tr`.
"""

import gettext
from pathlib import Path

from gi.repository import GLib

# Not GIMP's own way: the C library's gettext finds nothing on a system without that locale.
tr = gettext.translation(
    "semcolor", Path(__file__).parent / "locale", GLib.get_language_names(), fallback=True
).gettext

# What the bridge says most often. Its other sentences are shown as they come, in English.
_SAID_OFTEN = (
    tr("The worker starts as soon as it is needed."),
    tr("The worker is starting."),
    tr("The worker is loading its models."),
    tr("The worker is ready."),
    tr("The worker is working."),
    tr("The worker's engine ended by itself: the next job starts it again."),
    tr("Looking for the worker."),
    tr("Waiting for the worker."),
    tr("Sending the photo."),
    tr("Sending the labels."),
    tr("Sending the selection."),
    tr("Segmenting."),
    tr("Colorizing."),
    tr("Finding the edges."),
    tr("Looking for colours."),
)
