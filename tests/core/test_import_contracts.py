"""The import contracts hold, and each is seen to fail: on a copy, with forbidden imports planted.

What is planted is made from the contracts themselves, so that a new one is tried as well.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from itertools import combinations, permutations
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]
CONTRACTS = {contract["name"]: contract for contract in PROJECT["importlinter"]["contracts"]}
PACKAGES = PROJECT["setuptools"]["packages"]
KEPT = ""  # the case where nothing is planted

# In one process, because to start it takes longer than to check.
LINT = """
import contextlib, io, json, sys
from pathlib import Path
from importlinter.cli import lint_imports

def broken():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        failed = lint_imports("pyproject.toml", no_cache=True, no_logo=True)
    ends = [line.removesuffix(" BROKEN") for line in out.getvalue().splitlines()
            if line.endswith(" BROKEN")]
    assert bool(failed) == bool(ends), out.getvalue()
    return ends

found = {}
for name, plants in json.load(sys.stdin).items():
    before = {path: Path(path).read_bytes() if Path(path).exists() else None for path in plants}
    for path, text in plants.items():
        Path(path).write_bytes((before[path] or b"") + text.encode())
    found[name] = broken()
    for path, content in before.items():
        Path(path).unlink() if content is None else Path(path).write_bytes(content)
json.dump(found, sys.stdout)
"""


def of_layers(contract):
    """Each layer imports each one above it, and those beside it; and a room that nobody listed."""
    for container in contract["containers"]:
        layers = [
            [f"{container}.{name.strip()}" for name in layer.split("|")]
            for layer in contract["layers"]
        ]
        for above, below in combinations(layers, 2):
            yield from ([(low, high)] for low in below for high in above)
        for layer in layers:
            yield from ([pair] for pair in permutations(layer, 2))
        if contract.get("exhaustive"):
            yield [(f"{container}.stranger", "os")]


def of_forbidden(contract):
    """Each source imports each of what is forbidden."""
    for source in contract["source_modules"]:
        yield from ([(source, forbidden)] for forbidden in contract["forbidden_modules"])


def of_acyclic_siblings(contract):
    """In each folder two modules import each other."""
    for package in PACKAGES:
        if package.split(".")[0] in contract["ancestors"]:
            pair = f"{package}.stranger", f"{package}.other_stranger"
            yield list(permutations(pair))


KINDS = {"layers": of_layers, "forbidden": of_forbidden, "acyclic_siblings": of_acyclic_siblings}


def cases(contract):
    """What breaks a contract: lists of (module, what it imports) by a name."""
    found = KINDS[contract["type"]](contract)
    return {", ".join(f"{module} → {other}" for module, other in case): case for case in found}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """The contracts that are broken in each case."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    for package, folder in PROJECT["setuptools"]["package-dir"].items():
        for file in (CHECKOUT / folder).rglob("*.py"):
            target = copy / package / file.relative_to(CHECKOUT / folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    planted = {KEPT: {}}
    for contract in CONTRACTS.values():
        for name, case in cases(contract).items():
            imports = {str(file_of(copy, module)): f"\nimport {what}\n" for module, what in case}
            planted[name] = imports
    lint = subprocess.run(
        [sys.executable, "-P", "-c", LINT], input=json.dumps(planted), text=True, cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "1000"},
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stderr
    return json.loads(lint.stdout)


def file_of(folder, module):
    path = folder / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_every_contract_is_kept(broken):
    assert broken[KEPT] == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_is_broken_by_each_import_that_it_forbids(broken, name):
    tried = cases(CONTRACTS[name])
    assert tried
    assert [case for case in tried if name not in broken[case]] == []
