"""Set-up of semcolor on a person's machine: `python3 -m installer` in a checkout, `semcolor setup`.

Standard library only, because it runs before anything is installed; of semcolor, what is in
`semcolor.shared`, which the checkout has beside it.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (pip isn't there yet to refuse an older one)
    # Here and not in __main__, because the other modules don't even compile on an older one.
    raise SystemExit(
        "semcolor needs Python 3.11 or newer, and this is {}.{}. Install a newer one, and start "
        "the set-up with it, as in `python3.11 -m installer`.".format(*sys.version_info[:2])
    )
