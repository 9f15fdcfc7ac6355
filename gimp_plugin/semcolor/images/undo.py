"""What is set aside while the image is changed, and put back after it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from gi.repository import Gegl, Gimp

from .roles import check_unlocked

_STEP = "plug-in-semcolor-step"

T = TypeVar("T")


def as_step(name: str, change: Callable[[], T]) -> T:
    """Change an image as if a procedure of this name did: GIMP names the undo step after it.

    Only in a panel, whose own name the steps would have otherwise.
    """
    plug_in, kind, key = Gimp.get_plug_in(), Gimp.PDBProcType.TEMPORARY, f"{_STEP}-{os.getpid()}"
    found: list[T] = []
    errors: list[Exception] = []

    def run(procedure: Gimp.Procedure, _config: Gimp.ProcedureConfig, _data: None) -> object:
        try:
            found.append(change())
        except Exception as error:
            errors.append(error)
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)

    procedure = Gimp.Procedure.new(plug_in, key, kind, run, None)
    procedure.set_menu_label(name)
    plug_in.add_temp_procedure(procedure)
    try:
        step = Gimp.get_pdb().lookup_procedure(key)
        step.run(step.create_config())
    finally:
        plug_in.remove_temp_procedure(key)
    if errors:
        raise errors[0]
    return found[0]


@contextlib.contextmanager
def one_undo_step(image: Gimp.Image) -> Iterator[None]:
    """All changes in the block become one undo step."""
    image.undo_group_start()
    try:
        yield
    finally:
        image.undo_group_end()


@contextlib.contextmanager
def no_undo_step(image: Gimp.Image) -> Iterator[None]:
    """No undo step is made in the block, which changes only how the image is seen.

    Nothing of the user's may happen in it: so it takes no time, and the pointer is in our window.
    """
    image.undo_freeze()
    try:
        yield
    finally:
        image.undo_thaw()


@contextlib.contextmanager
def filling(image: Gimp.Image, layer: Gimp.Layer) -> Iterator[None]:
    """One undo step in which the selection may be changed, with GIMP's own settings for filling.

    Raises:
        LayerError: the layer is locked.
    """
    check_unlocked(layer)
    with one_undo_step(image), selection_kept(image), all_writable(image, layer):
        Gimp.context_push()
        try:
            Gimp.context_set_defaults()
            yield
        finally:
            Gimp.context_pop()


@contextlib.contextmanager
def selection_kept(image: Gimp.Image) -> Iterator[None]:
    """The same selection after the block as before it, whatever the block does."""
    if Gimp.Selection.is_empty(image):
        yield
        if not Gimp.Selection.is_empty(image):
            Gimp.Selection.none(image)
        return
    # Not saved as a channel, as is usual: after undo, GIMP 3.2 would have no layer selected.
    mask = image.get_selection()
    saved = Gegl.Buffer.new("Y u16", 0, 0, mask.get_width(), mask.get_height())
    copy_all(mask.get_buffer(), saved)
    try:
        yield
    finally:
        copy_all(saved, mask.get_buffer())
        mask.update(0, 0, mask.get_width(), mask.get_height())


@contextlib.contextmanager
def exact_choice() -> Iterator[None]:
    """What is selected by colour in the block has exactly that colour, or is as transparent."""
    Gimp.context_push()
    try:
        Gimp.context_set_defaults()
        Gimp.context_set_antialias(False)
        Gimp.context_set_sample_threshold(0.0)
        Gimp.context_set_sample_transparent(True)
        yield
    finally:
        Gimp.context_pop()


@contextlib.contextmanager
def all_writable(image: Gimp.Image, layer: Gimp.Layer) -> Iterator[None]:
    """Every channel in the block, also those that the user has switched off or locked."""
    channels = (Gimp.ChannelType.RED, Gimp.ChannelType.GREEN, Gimp.ChannelType.BLUE)
    switched_off = [c for c in channels if not image.get_component_active(c)]
    locked = layer.get_lock_alpha()
    for channel in switched_off:
        image.set_component_active(channel, True)
    layer.set_lock_alpha(False)
    try:
        yield
    finally:
        layer.set_lock_alpha(locked)
        for channel in switched_off:
            image.set_component_active(channel, False)


def copy_all(pixels: Gegl.Buffer, target: Gegl.Buffer) -> None:
    """Copy a buffer's whole extent."""
    area = pixels.get_extent()
    pixels.copy(area, Gegl.AbyssPolicy.NONE, target, area)
    target.flush()
