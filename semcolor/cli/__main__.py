"""The command `semcolor`, also as ``python -m semcolor.cli``."""

import sys


def main() -> int:
    """Run one command; returns its exit code. Ctrl+C ends it with a word, however early."""
    try:
        from .main import main as run

        return run()
    except KeyboardInterrupt:
        print("semcolor: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
