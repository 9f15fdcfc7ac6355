"""Colours that the user chooses for the selection."""

from bridge.exchange import Exchange
from images import fills
from images.photo import LayerError, Photo
from images.roles import find_label_layer
from language import tr
from shared.geometry import Rectangle

from .action import Action, Outcome


def suggest(
    photo: Photo, detail: int, edit: Rectangle | None = None
) -> Action[list[tuple[str, float]]]:
    """Find colours that the selection may have; arguments as `edits.snap`, `coloring.colorize`.

    Raises:
        LayerError: there is no label layer, or nothing is selected.
    """
    label_layer = find_label_layer(photo)
    area = photo.selection.clip(photo.whole)
    if not area:
        raise LayerError(tr("Select an object first, with any of GIMP's selection tools."))

    def ask(exchange: Exchange) -> list[tuple[str, float]]:
        exchange.send_labels(label_layer, edit)
        return exchange.suggest(area, detail)

    def apply(answer: list[tuple[str, float]]) -> Outcome:
        colors, shares = [color for color, _ in answer], [share for _, share in answer]
        likely = ", ".join(f"{color} ({share:.0%})" for color, share in answer)
        return Outcome(
            {"colors": colors, "shares": shares},
            [tr("Likely colours: {colors}.").format(colors=likely)],
        )

    return Action(ask, apply)


def choose_color(photo: Photo, color: str) -> Outcome:
    """Give the selection the hue and chroma of this `#rrggbb`: one undo step.

    Raises:
        LayerError: nothing is selected, or the layer of chosen colours is locked.
    """
    return Outcome({"layer": fills.choose_color(photo, color)})
