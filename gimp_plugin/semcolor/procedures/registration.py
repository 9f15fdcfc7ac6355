"""Every procedure as GIMP sees it: how it is registered, and what becomes of what happens in it.

Progress, messages and return values are GIMP's; all that goes wrong becomes one message.
"""

import traceback
from typing import Any

from actions.action import Outcome
from gi.repository import Gegl, Gimp, GLib, GObject
from images.photo import LayerError, Photo
from images.roles import find_photo
from language import error_text, is_our_mistake, stage_text
from shared.classes import PALETTE_NAME
from shared.states import Stage

from .procedure import Call, Procedure, Value
from .table import PROCEDURES

_TILE_CACHE_BYTES = 128 * 2**20
_FLAGS = GObject.ParamFlags.READWRITE
_TYPES = {
    "int": GObject.TYPE_INT,
    "string": GObject.TYPE_STRING,
    "string_array": GObject.TYPE_STRV,
    "layer": Gimp.Layer,
}


def create(plug_in: Gimp.PlugIn, name: str) -> Gimp.Procedure:
    """The procedure of this name, with its menu entry and documentation."""
    ours, kind = PROCEDURES[name], Gimp.PDBProcType.PLUGIN
    if ours.for_image:
        procedure = Gimp.ImageProcedure.new(plug_in, name, kind, _run_for_image, ours)
        _for_any_image(procedure)
    else:
        procedure = Gimp.Procedure.new(plug_in, name, kind, _run_for_nothing, ours)
        mode = Gimp.RunMode.NONINTERACTIVE
        procedure.add_enum_argument(
            "run-mode", "Run mode", "Whether to ask the user", Gimp.RunMode, mode, _FLAGS
        )
    for value in ours.arguments:
        _add(procedure, "argument", value)
    for value in ours.returns:
        _add(procedure, "return_value", value)
    # An action that has a label but no place in the menu can be searched, and given a key.
    if ours.label:
        procedure.set_menu_label(ours.label)
    if ours.menu:
        procedure.add_menu_path(ours.menu)
    procedure.set_documentation(ours.blurb, ours.text, name)
    procedure.set_attribution("The semcolor authors", "The semcolor authors", "2026")
    return procedure


def _for_any_image(procedure: Gimp.ImageProcedure) -> None:
    """Whatever is selected: a sentence says more than a greyed menu entry."""
    procedure.set_image_types("*")
    procedure.set_sensitivity_mask(
        Gimp.ProcedureSensitivityMask.DRAWABLE
        | Gimp.ProcedureSensitivityMask.DRAWABLES
        | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
    )


def _add(procedure: Gimp.Procedure, what: str, value: Value) -> None:
    add = getattr(procedure, f"add_{value.kind}_{what}")
    add(value.name, value.label, value.text, *value.options, _FLAGS)


def _run_for_image(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    ours: Procedure,
) -> Gimp.ValueArray:
    _start_gegl()
    try:
        photo = find_photo(image, drawables)
    except LayerError as error:
        return _failure(procedure, error)
    return _run(procedure, run_mode, photo, config, ours)


def _run_for_nothing(
    procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, ours: Procedure
) -> Gimp.ValueArray:
    _start_gegl()
    return _run(procedure, config.get_property("run-mode"), None, config, ours)


def _run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    photo: Photo | None,
    config: Gimp.ProcedureConfig,
    ours: Procedure,
) -> Gimp.ValueArray:
    """Run a procedure for GIMP. All that goes wrong becomes one message."""
    interactive = run_mode != Gimp.RunMode.NONINTERACTIVE
    if interactive and ours.before_painting:
        _select_palette()
    try:
        outcome = ours.run(Call(photo, config, interactive, _report))
    except Exception as error:
        if is_our_mistake(error):  # the user gets a sentence, stderr the traceback
            traceback.print_exc()
        return _failure(procedure, error)
    if outcome is None:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    if interactive:
        for note in outcome.notes:
            Gimp.message(note)
    Gimp.displays_flush()
    return _success(procedure, ours, outcome)


def _start_gegl() -> None:
    Gegl.init(None)
    # A large photo's labels and colours wait in GEGL's swap file rather than in memory.
    Gegl.config().set_property("tile-cache-size", _TILE_CACHE_BYTES)


def _report(fraction: float, stage: Stage) -> None:
    Gimp.progress_set_text(stage_text(stage))
    Gimp.progress_update(fraction)


def _success(procedure: Gimp.Procedure, ours: Procedure, outcome: Outcome) -> Gimp.ValueArray:
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    for index, value in enumerate(ours.returns, start=1):
        values.remove(index)
        values.insert(index, _boxed(value.kind, outcome.values[value.name]))
    return values


def _boxed(kind: str, content: Any) -> GObject.Value:
    if kind != "double_array":
        return GObject.Value(_TYPES[kind], content)
    value = GObject.Value(Gimp.DoubleArray.__gtype__)
    Gimp.value_set_double_array(value, content)
    return value


def _failure(procedure: Gimp.Procedure, error: Exception) -> Gimp.ValueArray:
    message = GLib.Error(error_text(error))
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, message)


def _select_palette() -> None:
    """Show our palette to the user, who is about to paint labels."""
    palette = Gimp.Palette.get_by_name(PALETTE_NAME)
    if palette:
        Gimp.context_set_palette(palette)
