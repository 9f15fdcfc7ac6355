"""TIFFs as scanners and other programs write them, byte by byte."""

import struct

SHORT, LONG = 3, 4
GRAY, RGB = 1, 2  # photometric interpretation, TIFF 6.0


def write_tiff(path, pixels, kinds, order="<"):
    """A TIFF of one strip, H×W×channels, whose last channels are of these kinds."""
    height, width, channels = pixels.shape
    photometric = RGB if channels - len(kinds) == 3 else GRAY
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    tags = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [pixels.itemsize * 8] * channels),
        259: (SHORT, [1]), 262: (SHORT, [photometric]), 273: (LONG, [8]), 277: (SHORT, [channels]),
        278: (LONG, [height]), 279: (LONG, [len(data)]), 284: (SHORT, [1]),
    }  # fmt: skip
    if kinds:
        tags[338] = (SHORT, list(kinds))
    first = 8 + len(data) + len(data) % 2
    after, entries, values = first + 2 + 12 * len(tags) + 4, b"", b""
    for tag, (kind, numbers) in tags.items():
        value = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        if len(value) > 4:
            place = struct.pack(order + "I", after + len(values))
            values, value = values + value, place
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    header = mark + struct.pack(order + "HI", 42, first)
    count, end = struct.pack(order + "H", len(tags)), struct.pack(order + "I", 0)
    path.write_bytes(header + data.ljust(first - 8, b"\0") + count + entries + end + values)


def join(first, second, both):
    """Two little-endian TIFFs of one page as one of two: the second one's offsets are moved."""
    one, other = first.read_bytes(), bytearray(second.read_bytes())
    (entries_at,) = struct.unpack("<I", other[4:8])
    (entries,) = struct.unpack("<H", other[entries_at : entries_at + 2])
    for entry in range(entries_at + 2, entries_at + 2 + 12 * entries, 12):
        tag, kind, count, value = struct.unpack("<HHII", other[entry : entry + 12])
        if tag == 273 or count * {3: 2, 4: 4}[kind] > 4:  # the pixels' place, or a value elsewhere
            other[entry + 8 : entry + 12] = struct.pack("<I", value + len(one))
    (at,) = struct.unpack("<I", one[4:8])
    (count,) = struct.unpack("<H", one[at : at + 2])
    link = at + 2 + 12 * count
    next_page = struct.pack("<I", entries_at + len(one))
    both.write_bytes(one[:link] + next_page + one[link + 4 :] + other)
