#!/usr/bin/env python3
"""Semantic Color: colour a black-and-white photo from a label map that you can paint on.

This file registers the procedures with GIMP and turns what happens in them into progress, messages
and return values. `actions` does the work, `layers` knows GIMP's images, `bridge_client` talks to
the worker.

The first line is rewritten when semcolor is set up: it must name a Python that can import `gi`.
"""

import sys
import traceback
from collections.abc import Callable

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
import actions  # noqa: E402
from bridge_client import BridgeError  # noqa: E402
from gi.repository import Gegl, Gimp, GLib, GObject  # noqa: E402
from layers import LayerError, find_photo  # noqa: E402

PALETTE = "Semantic Color: PASCAL-Context 59"
ADD_LABELS = "plug-in-semcolor-add-label-layer"
COLORIZE = "plug-in-semcolor-colorize"
PANEL = "plug-in-semcolor-panel"
CONNECT = "plug-in-semcolor-connect"
TILE_CACHE_BYTES = 128 * 2**20
MENU = "<Image>/Filters/Semantic Color"

Action = Callable[..., actions.Outcome]


class SemanticColor(Gimp.PlugIn):
    """The plug-in as GIMP sees it."""

    def do_query_procedures(self) -> list[str]:
        """The names of our procedures."""
        return [ADD_LABELS, COLORIZE, PANEL, CONNECT]

    def do_set_i18n(self, _name: str) -> bool:
        """There are no translations yet."""
        return False

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """The procedure of this name, with its menu entry and documentation."""
        if name == CONNECT:
            return self._connect_procedure()
        if name == PANEL:
            return self._panel_procedure()
        if name == ADD_LABELS:
            return self._procedure(
                name,
                "_Add Label Layer",
                "Find out what is where in a photo, as a layer to paint on",
                "Labels every part of the selected photo with one of 59 classes (sky, water, "
                "person, …) and adds the labels as a half-transparent layer above it, in the "
                f"colours of the palette “{PALETTE}”. Correct them with the Pencil, then run "
                "Colorize.",
                ("label-layer", "Label layer", "The new label layer"),
                actions.add_label_layer,
            )
        return self._procedure(
            name,
            "_Colorize",
            "Colour a black-and-white photo from its label layer",
            "Gives the selected photo the colours that its label layer asks for, in a layer of "
            "their own: the photo itself is never changed. Run it again after changing labels. A "
            "photo without a label layer gets one first.",
            ("colorized-layer", "Colorized layer", "The new or updated layer"),
            actions.colorize,
        )

    def _procedure(
        self,
        name: str,
        label: str,
        blurb: str,
        help_text: str,
        returns: tuple[str, str, str],
        action: Action,
    ) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, _run, action)
        _for_any_image(procedure)
        _describe(procedure, label, blurb, help_text)
        procedure.add_int_argument(
            "detail",
            "_Detail",
            "Longest side, in pixels, at which the network looks at the photo; a multiple of 32. "
            "0 is the model's default",
            0,
            4096,
            0,
            GObject.ParamFlags.READWRITE,
        )
        procedure.add_layer_return_value(*returns, False, GObject.ParamFlags.READWRITE)
        return procedure

    def _panel_procedure(self) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, PANEL, Gimp.PDBProcType.PLUGIN, _run_panel, None)
        _for_any_image(procedure)
        _describe(
            procedure,
            "Semantic Color _Panel…",
            "Pick classes to paint, and let colour follow each stroke",
            "Opens a window that stays beside the image while you paint on its label layer. It "
            "ends with the window or the image.",
        )
        return procedure

    def _connect_procedure(self) -> Gimp.Procedure:
        procedure = Gimp.Procedure.new(self, CONNECT, Gimp.PDBProcType.PLUGIN, _run_connect, None)
        _describe(
            procedure,
            "Connect to a _Worker…",
            "Let a worker on another machine do the work",
            "Takes the line that “semcolor worker invite NAME” printed on that machine; “local” "
            "goes back to this machine's own worker.",
        )
        flags = GObject.ParamFlags.READWRITE
        mode = Gimp.RunMode.NONINTERACTIVE
        procedure.add_enum_argument("run-mode", "Run mode", "Run mode", Gimp.RunMode, mode, flags)
        procedure.add_string_argument(
            "invitation", "_Invitation", "The line, for scripts; a window asks the user", "", flags
        )
        return procedure


def _for_any_image(procedure: Gimp.ImageProcedure) -> None:
    """Whatever is selected: a sentence says more than a greyed menu entry."""
    procedure.set_image_types("*")
    procedure.set_sensitivity_mask(
        Gimp.ProcedureSensitivityMask.DRAWABLE
        | Gimp.ProcedureSensitivityMask.DRAWABLES
        | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
    )


def _describe(procedure: Gimp.Procedure, label: str, blurb: str, help_text: str) -> None:
    procedure.set_menu_label(label)
    procedure.add_menu_path(MENU)
    procedure.set_documentation(blurb, help_text, procedure.get_name())
    procedure.set_attribution("The semcolor authors", "The semcolor authors", "2026")


def _run_connect(
    procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, _data: None
) -> Gimp.ValueArray:
    """Ask for the invitation, unless it was given, and tell how it went."""
    interactive = config.get_property("run-mode") == Gimp.RunMode.INTERACTIVE
    invitation = config.get_property("invitation")
    if interactive:
        from connect_dialog import ask_for_invitation

        invitation = ask_for_invitation()
        if invitation is None:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    try:
        message = actions.connect(invitation, _report)
    except BridgeError as error:
        return _failure(procedure, str(error))
    if interactive:
        Gimp.message(message)
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def _run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    action: Action,
) -> Gimp.ValueArray:
    """Run an action for GIMP. All that goes wrong becomes one message."""
    _start_gegl()
    Gimp.progress_init(procedure.get_menu_label().replace("_", ""))
    try:
        outcome = action(image, drawables, config.get_property("detail"), _report)
    except (LayerError, BridgeError) as error:
        return _failure(procedure, str(error))
    except Exception as error:  # a fault of ours: the user gets a sentence, stderr the traceback
        traceback.print_exc()
        return _failure(procedure, f"semcolor made a mistake ({error!r}). Please report it.")
    if run_mode == Gimp.RunMode.INTERACTIVE:
        _select_palette()
        for note in outcome.notes:
            Gimp.message(note)
    Gimp.displays_flush()
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    values.remove(1)
    values.insert(1, GObject.Value(Gimp.Layer, outcome.layer))
    return values


def _run_panel(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    _config: Gimp.ProcedureConfig,
    _data: None,
) -> Gimp.ValueArray:
    """Open the panel and stay until it is closed."""
    if run_mode == Gimp.RunMode.NONINTERACTIVE:
        return _failure(procedure, "The panel needs a window: scripts use the other procedures.")
    from session import run

    _start_gegl()
    try:
        photo = find_photo(image, drawables)
        _select_palette()
        run(image, photo)
    except LayerError as error:
        return _failure(procedure, str(error))
    # After a success GIMP would write down the arguments in the image, which may be closed by now.
    return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)


def _start_gegl() -> None:
    Gegl.init(None)
    # A large photo's labels and colours wait in GEGL's swap file rather than in memory.
    Gegl.config().set_property("tile-cache-size", TILE_CACHE_BYTES)


def _report(fraction: float, text: str) -> None:
    Gimp.progress_set_text(text)
    Gimp.progress_update(fraction)


def _failure(procedure: Gimp.Procedure, message: str) -> Gimp.ValueArray:
    error = GLib.Error(message)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def _select_palette() -> None:
    """Show our palette to the user, who is about to paint labels."""
    palette = Gimp.Palette.get_by_name(PALETTE)
    if palette:
        Gimp.context_set_palette(palette)


Gimp.main(SemanticColor.__gtype__, sys.argv)
