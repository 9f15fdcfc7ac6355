"""Widgets and dialogs, and nothing that knows of layers or of the bridge.

Imported only where there is a display.
"""

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
