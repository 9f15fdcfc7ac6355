"""What the set-up installs from: a checkout of the repository, or the installed package."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent.parent
CHECKOUT: Path | None = _HERE if (_HERE / "pyproject.toml").is_file() else None
PLUGIN = _HERE / "gimp_plugin" / "semcolor" if CHECKOUT else _HERE / "semcolor_gimp_plugin"
SHARED = _HERE / "semcolor" / "shared"
SAMPLE = _HERE / ("samples" if CHECKOUT else "semcolor_samples") / "dust-bowl-home.jpg"
AGAIN = "python3 -m installer" if CHECKOUT else "semcolor setup"
"""The command that runs the set-up again."""
INSTALLED = [*_HERE.glob("semcolor*")]
"""Everything of an installed semcolor."""
