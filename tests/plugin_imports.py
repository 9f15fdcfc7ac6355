"""The GIMP plug-in imports `gi`, the standard library, `shared` and its own folders: nothing else.

GIMP's Python has no more, and differs on every platform. Prints what is wrong, and then exits with
1. import-linter, which checks the direction between the folders (`gimp_plugin/importlinter.toml`),
knows no list of what is allowed, and does not look into a file that is in no package.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PLUGIN = Path(__file__).resolve().parent.parent / "gimp_plugin/semcolor"
OWN = {path.parent.name for path in PLUGIN.glob("*/__init__.py")} | {"shared"}
ALLOWED = OWN | {"gi"} | sys.stdlib_module_names


def main() -> int:
    """Check every file of the plug-in."""
    wrong = [
        f"{file}:{line}: the plug-in may not import {name}"
        for file in sorted(PLUGIN.rglob("*.py"))
        for line, name in imports(ast.parse(file.read_text("utf-8")))
        if name.partition(".")[0] not in ALLOWED
    ]
    print("\n".join(wrong) or f"{len(OWN)} folders import what they may")
    return bool(wrong)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every import, wherever it stands, but for those within a folder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, node.module or ""


if __name__ == "__main__":
    sys.exit(main())
