"""What two have changed at the same time."""


def newer_kept(made: bytes, before: bytes, now: bytes) -> bytes:
    """Pixels that were made of those before, but for where others have come meanwhile.

    Args:
        made: RGBA u8, as the others, which are as long.
    """
    if now == before:
        return made
    kept = bytearray(made)
    pixels = memoryview(kept).cast("I")
    pairs = zip(memoryview(before).cast("I"), memoryview(now).cast("I"), strict=True)
    for place, (was, is_now) in enumerate(pairs):
        if was != is_now:
            pixels[place] = is_now
    return bytes(kept)
