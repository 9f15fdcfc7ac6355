#!/usr/bin/env python3
"""Semantic Color: colour a black-and-white photo from a label map that you can paint on.

GIMP starts this file, in a process of its own, for each procedure that it runs. `procedures` says
what there is, `actions` what it does, `images` knows GIMP's images, `bridge` talks to the worker;
`panel`, with its `windows`, stays open beside an image.

The first line is rewritten when semcolor is set up: it must name a Python that can import `gi`.
"""

import sys

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gimp  # noqa: E402
from images import writer  # noqa: E402

# `procedures` is imported where it is needed: the writer's process starts twice as fast without.


class SemanticColor(Gimp.PlugIn):
    """The plug-in as GIMP sees it."""

    def do_query_procedures(self) -> list[str]:
        """The names of our procedures."""
        from procedures import help_pages
        from procedures.table import PROCEDURES

        help_pages.register(self)
        return [*PROCEDURES, *writer.NAMES]

    def do_set_i18n(self, _name: str) -> bool:
        """Our translations are our own affair; see `language`."""
        return False

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """The procedure of this name."""
        if name in writer.NAMES:
            return writer.create(self, name)
        from procedures.registration import create

        return create(self, name)


Gimp.main(SemanticColor.__gtype__, sys.argv)
