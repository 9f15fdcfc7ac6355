"""`semcolor doctor`."""

import argparse
import json
import sys
from dataclasses import asdict

from semcolor.doctor import Level, as_text, examine, without_private


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    parser = commands.add_parser("doctor", help="find out what is wrong, and what to do")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="a list of findings, for programs")
    shape.add_argument(
        "--report", action="store_true",
        help="to be sent to somebody: without names, paths, addresses or keys",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Exit code 1 where there is a problem."""
    findings = []
    for finding in examine():
        findings.append(finding)
        if not options.json and not options.report:
            print(as_text(finding), flush=True)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    elif options.report:
        print(without_private(findings))
    if any(finding.level is Level.PROBLEM for finding in findings):
        sys.exit(1)
