"""``python -m semcolor.bridge``: what the GIMP plug-in starts."""

from .server import main

main()
