"""`semcolor doctor`: what there is on this machine, what is wrong with it, and what to do.

Each room of checks gives findings; none changes anything but that the worker may be started.
"""

from .examination import examine as examine
from .findings import Finding as Finding
from .findings import Level as Level
from .report import as_text as as_text
from .report import without_private as without_private
