"""Our own procedures, called: each runs in a process of its own, which GIMP may kill."""

from typing import Any

from gi.repository import Gimp
from language import tr

from .photo import LayerError, Photo

PREFIX = "plug-in-semcolor-"

_CHANGED = tr("The image was changed meanwhile. Please try again.")


def call(name: str, **arguments: Any) -> None:
    """Run a procedure and wait for it; a list is of drawables, a tuple of strings.

    Args:
        name: whole.

    Raises:
        LayerError: what it says against that, or that GIMP has killed it.
    """
    procedure = Gimp.get_pdb().lookup_procedure(name)
    if procedure is None:  # killed just now
        raise LayerError(_CHANGED)
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
    raise LayerError(message or _CHANGED)


def call_for(photo: Photo, name: str, **arguments: Any) -> None:
    """The same, of one of our procedures that is for a photo."""
    call(PREFIX + name, image=photo.image, drawables=[photo.layer], **arguments)
