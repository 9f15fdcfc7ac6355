"""Filling what is selected, or a region, in one of our layers."""

from collections.abc import Collection

from gi.repository import Gegl, Gimp
from language import tr

from .photo import LayerError
from .undo import exact_choice, filling


def fill_selection(
    image: Gimp.Image, layer: Gimp.Layer, color: str | None, kept: Collection[str] = ()
) -> int:
    """Fill the selection in the label layer with a class's colour; None: clear it. One undo step.

    Args:
        kept: colours that stay.

    Returns:
        How many pixels were filled.

    Raises:
        LayerError: nothing is selected, or the layer is locked.
    """
    _require_selection(image, layer)
    with filling(image, layer), exact_choice():
        Gimp.Selection.sharpen(image)  # a soft edge would make colours of no class
        for other in kept:
            image.select_color(Gimp.ChannelOps.SUBTRACT, layer, Gegl.Color.new(other))
        if Gimp.Selection.is_empty(image):  # which would mean everything
            return 0
        return _fill_selected(layer, color)


def fill_region(image: Gimp.Image, layer: Gimp.Layer, color: str | None, x: int, y: int) -> int:
    """Fill the connected region of one colour around a pixel of the layer: one undo step.

    Returns:
        How many pixels the region has.
    """
    _, layer_x, layer_y = layer.get_offsets()
    with filling(image, layer), exact_choice():
        image.select_contiguous_color(Gimp.ChannelOps.REPLACE, layer, x + layer_x, y + layer_y)
        return _fill_selected(layer, color)


def _require_selection(image: Gimp.Image, layer: Gimp.Layer) -> None:
    if Gimp.Selection.is_empty(image) or not layer.mask_intersect()[0]:
        raise LayerError(
            tr("Select an area of the photo first, with any of GIMP's selection tools.")
        )


def _fill_selected(layer: Gimp.Layer, color: str | None) -> int:
    """Fill, or clear, and return how many pixels of the layer are selected."""
    if color is None:
        layer.edit_clear()
    else:
        Gimp.context_set_foreground(Gegl.Color.new(color))
        layer.edit_fill(Gimp.FillType.FOREGROUND)
    return int(layer.histogram(Gimp.HistogramChannel.ALPHA, 0.0, 1.0).pixels)
