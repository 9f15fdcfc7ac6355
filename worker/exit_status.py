"""How an engine's process ends, for those who started it."""

OUT_OF_MEMORY = 71
"""It can compute nothing any more for lack of memory."""
