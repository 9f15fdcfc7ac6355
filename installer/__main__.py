"""The set-up's command: `python3 -m installer` in a checkout, `semcolor setup` elsewhere."""

import argparse
import sys

from . import source


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog=source.AGAIN, description="Set up semcolor.")
    add_options(parser)
    return run(parser.parse_args(arguments))


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command `semcolor setup`."""
    parser = commands.add_parser("setup", help="install the worker and the GIMP plug-in")
    add_options(parser)
    parser.set_defaults(run=_run_and_exit)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The set-up's options."""
    parser.add_argument("--uninstall", action="store_true", help="take it out again")


def run(options: argparse.Namespace) -> int:
    """Set up, or take out; what stops it is said in a sentence."""
    # `semcolor` loads this module whatever it is to do.
    from .environment import SetupError
    from .setup import install, uninstall

    try:
        if options.uninstall:
            uninstall()
        else:
            install()
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
    except OSError as error:
        print(
            f"\n{error.filename or 'A file'} can't be written ({error.strerror}). Close GIMP, "
            "make it writable for you, and run this again.",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        print("\nStopped. Run this again to go on.", file=sys.stderr)
    else:
        return 0
    return 1


def _run_and_exit(options: argparse.Namespace) -> None:
    code = run(options)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
