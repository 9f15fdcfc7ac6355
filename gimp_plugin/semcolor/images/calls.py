"""Our own procedures, called: each runs in a process of its own, which GIMP may kill."""

from typing import Any

from gi.repository import Gimp

from .photo import ImageChangedError, LayerError, Photo

PREFIX = "plug-in-semcolor-"


def call(name: str, **arguments: Any) -> None:
    """Run a procedure and wait for it; a list is of drawables, a tuple of strings.

    Args:
        name: whole.

    Raises:
        LayerError: what it says against that.
        ImageChangedError: GIMP has killed it, or what served it.
    """
    procedure = Gimp.get_pdb().lookup_procedure(name)
    if procedure is None:  # killed just now
        raise ImageChangedError
    config = procedure.create_config()
    for key, value in arguments.items():
        if isinstance(value, list):
            config.set_core_object_array(key, value)
        elif isinstance(value, tuple):
            config.set_property(key, list(value))
        else:
            config.set_property(key.replace("_", "-"), value)
    result = procedure.run(config)
    if result.index(0) == Gimp.PDBStatusType.SUCCESS:
        return
    message = result.index(1) if result.length() > 1 else None
    raise LayerError(message) if message else ImageChangedError


def call_for(photo: Photo, name: str, **arguments: Any) -> None:
    """The same, of one of our procedures that is for a photo."""
    call(PREFIX + name, image=photo.image, drawables=[photo.layer], **arguments)
