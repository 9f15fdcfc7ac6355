"""Fixtures: a real GIMP of each version, and a photo."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from semcolor.classes import gimp_palette

from . import roots
from .harness import CHECKOUT, Gimp


@pytest.fixture(scope="session", params=sorted(roots.RELEASES))
def gimp(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gimp]:
    """A GIMP with the plug-in installed, and a worker that ends with the tests."""
    version: str = request.param
    if not shutil.which(f"gimp-console-{version}") and not roots.is_built(version):
        reason = roots.why_impossible()
        if reason:
            pytest.skip(reason)
        roots.build(version)
    gimp = Gimp(version, tmp_path_factory.mktemp(f"gimp-{version}-"))
    gimp.install(gimp_palette())
    yield gimp
    gimp.stop_worker()


@pytest.fixture(scope="session")
def photo_file() -> Path:
    """One of the sample photos."""
    return sorted((CHECKOUT / "samples").glob("*.jpg"))[0]
