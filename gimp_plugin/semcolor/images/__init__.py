"""GIMP's images: which layer is what, pixels in and out, and every change of an image.

A *photo* is a plain raster layer that semcolor only ever reads. Above it lie its *colorized layer*,
the layer of *chosen colours* when the user has chosen some, and, on top, its *label layer*.

Pixels travel in strips of full rows, tightly packed, in native byte order. Results are collected in
a `Gegl.Buffer` (which can swap to disk) before the image is touched, so that a plug-in which is
killed while it waits leaves the image as it was.
"""

import os

import gi

# Converting 8-bit RGBA to 16 bits of another colour space, babl halves the colours once it has made
# itself a table, which it does after some thousand pixels.
os.environ.setdefault("BABL_LUT", "0")
gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
