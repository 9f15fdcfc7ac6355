"""What pictures and settings may be at most, everywhere in semcolor."""

SIDE_LIMIT = 65_500  # pixels
PIXEL_LIMIT = 250_000_000
DETAIL_LIMIT = 4096  # pixels
