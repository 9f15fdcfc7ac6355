"""``python -m semcolor.cli``: as the command `semcolor`."""

import sys

from .main import main

sys.exit(main())
