"""One panel for each photo, although every panel is a process of its own.

An open panel has a procedure in GIMP whose name names the photo and which raises its window. GIMP
forgets it as soon as that process ends, however it ends, and the image is not touched.
"""

from collections.abc import Callable

from gi.repository import Gimp
from images.photo import Photo


def raise_other(photo: Photo) -> bool:
    """Bring the window of this photo's panel to the front; whether there is one."""
    procedure = Gimp.get_pdb().lookup_procedure(_name(photo))
    return procedure is not None and _succeeds(procedure)


def be_the_one(photo: Photo, raise_window: Callable[[], None]) -> None:
    """From now on, `raise_other` of another process calls `raise_window` in this one's loop."""

    def run(procedure: Gimp.Procedure, _config: Gimp.ProcedureConfig, _data: None) -> object:
        raise_window()
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)

    plug_in, kind = Gimp.get_plug_in(), Gimp.PDBProcType.TEMPORARY
    name = _name(photo)
    procedure = Gimp.Procedure.new(plug_in, name, kind, run, None)
    procedure.set_documentation("Raise the Semantic Color Panel of a photo", None, name)
    plug_in.add_temp_procedure(procedure)
    plug_in.persistent_enable()


def _name(photo: Photo) -> str:
    return f"plug-in-semcolor-raise-panel-{photo.image.get_id()}-{photo.layer.get_tattoo()}"


def _succeeds(procedure: Gimp.Procedure) -> bool:
    result = procedure.run(procedure.create_config())
    return bool(result.index(0) == Gimp.PDBStatusType.SUCCESS)
