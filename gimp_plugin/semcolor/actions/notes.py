"""What the user should know about a result that is not as it might be."""

from language import tr
from shared.geometry import Rectangle

_THIN_SPACE = "\u202f"  # between thousands, in any language


def ambiguous_note(pixels: int, whole: Rectangle) -> list[str]:
    """What to tell about so many pixels of a photo's labels that were in between."""
    if not pixels:
        return []
    percent = 100 * pixels / whole.pixels
    share = f"{percent:.1f} %" if percent >= 0.1 else tr("less than 0.1 %")
    message = tr(
        "{pixels} pixels ({share}) of the labels were in between, so each became a class beside "
        "it. The Pencil paints hard edges, which avoids this; Clean Labels makes them hard."
    )
    count = f"{pixels:,}".replace(",", _THIN_SPACE)
    return [message.format(pixels=count, share=share)]


def lowered_note(detail: int) -> list[str]:
    """What to tell about a result at a lowered detail; 0: at the full one."""
    if not detail:
        return []
    message = tr(
        "The worker's memory sufficed for a detail of {detail} pixels only: close other programs "
        "where it runs."
    )
    return [message.format(detail=detail)]
