"""The command line: one module for each family of commands, each with `add_commands`.

The worker's families come in through entry points of the group ``semcolor.commands``, so that
nothing here imports the worker.
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    """What argparse's ``add_subparsers`` returns."""
