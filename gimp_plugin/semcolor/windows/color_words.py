"""Words for colours, as restorers say them."""

from language import tr

# Colours as photographs of old things have them, and what these are called.
_WORDS = {
    "#f5f5f2": tr("white"),
    "#d8d2c4": tr("cream"),
    "#c9c9c9": tr("light gray"),
    "#8f8b85": tr("warm gray"),
    "#85898f": tr("cool gray"),
    "#4a4a4a": tr("dark gray"),
    "#161616": tr("black"),
    "#dcbc84": tr("sand"),
    "#b08d62": tr("tan"),
    "#8a6a48": tr("light brown"),
    "#5f4630": tr("brown"),
    "#3a2a20": tr("dark brown"),
    "#6b6a45": tr("khaki"),
    "#4d5230": tr("olive"),
    "#5e7d3a": tr("grass green"),
    "#2f5233": tr("dark green"),
    "#8fae86": tr("pale green"),
    "#3d8f87": tr("teal"),
    "#a9c4de": tr("pale blue"),
    "#6f9bd1": tr("sky blue"),
    "#3f62a8": tr("blue"),
    "#5d6c84": tr("slate blue"),
    "#1f2c4f": tr("navy"),
    "#bcbaca": tr("lavender gray"),
    "#7d6ca3": tr("violet"),
    "#55304f": tr("plum"),
    "#c78fa0": tr("pink"),
    "#e6b3b3": tr("rose"),
    "#eeb08f": tr("peach"),
    "#b67d5f": tr("copper"),
    "#d9755f": tr("salmon"),
    "#c0392f": tr("red"),
    "#7a2330": tr("burgundy"),
    "#a4543a": tr("brick red"),
    "#d07f3a": tr("orange"),
    "#d6b24a": tr("golden"),
    "#ece08a": tr("pale yellow"),
}


def word_for(color: str) -> str:
    """What a `#rrggbb` is called."""
    return _WORDS[min(_WORDS, key=lambda known: _distance(known, color))]


def _distance(one: str, other: str) -> float:
    """Between two colours, by how they look: light counts less than hue."""
    light, *opponents = (a - b for a, b in zip(_seen(one), _seen(other), strict=True))
    return 0.5 * light**2 + sum(4 * part**2 for part in opponents)


def _seen(color: str) -> tuple[float, float, float]:
    """Light, red against green, yellow against blue."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return (2 * red + 5 * green + blue) / 8, (red - green) / 2, (red + green - 2 * blue) / 4
