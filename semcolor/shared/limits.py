"""What pictures and settings may be at most, everywhere in semcolor."""

SIDE_LIMIT = 65_500  # pixels
PIXEL_LIMIT = 250_000_000
DETAIL_LIMIT = 4096  # pixels, the longest side of a network's input; 0 is the model's own
DETAIL_STEP = 32  # what detail is chosen by


def is_too_large(width: int, height: int) -> bool:
    """Whether a picture has more pixels, or a longer side, than semcolor takes."""
    return max(width, height) > SIDE_LIMIT or width * height > PIXEL_LIMIT
