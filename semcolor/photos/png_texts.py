"""A PNG's texts, carried from file to file as they are, and IPTC among them.

PNG 1.2, section 4.2.3: chunks tEXt, zTXt and iTXt. IPTC has no chunk of its own; it is a text in
hexadecimal digits, as ImageMagick writes it and ExifTool reads it.
"""

import binascii
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD_BYTES = len(_SIGNATURE) + 25  # with the first chunk, IHDR
_KINDS = (b"tEXt", b"zTXt", b"iTXt")
_IPTC = b"Raw profile type iptc"
_XMP = b"XML:com.adobe.xmp"  # carried in another way
_LARGEST_TEXT = 10_000_000  # bytes
_BLOCK = 1 << 24  # bytes that are moved at a time


def read_texts(path: Path) -> tuple[tuple[bytes, ...], bytes]:
    """Its texts, each the kind and content of a chunk, and IPTC data as they are in a resource.

    Both empty for what is no PNG, or has none. Raises OSError.
    """
    texts, resource = [], b""
    with path.open("rb") as file:
        for kind, content in _chunks(file):
            key, _, rest = content.partition(b"\0")
            if key == _IPTC:
                resource = _from_profile(kind, rest)
            elif key != _XMP:
                texts.append(kind + content)
    return tuple(texts), resource


def write_texts(path: Path, texts: Iterable[bytes], resource: bytes) -> None:
    """Put them into a PNG that has none, before its pixels. Raises OSError."""
    chunks = [*texts, *([_profile(resource)] if resource else [])]
    added = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", binascii.crc32(chunk))
        for chunk in chunks
    )
    if not added:
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end > _HEAD_BYTES:  # from behind, as it all moves back
            begin = max(_HEAD_BYTES, end - _BLOCK)
            file.seek(begin)
            block = file.read(end - begin)
            file.seek(begin + len(added))
            file.write(block)
            end = begin
        file.seek(_HEAD_BYTES)
        file.write(added)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each text chunk; as far as the file is whole."""
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _KINDS and length <= _LARGEST_TEXT:
            content = file.read(length)
            if len(content) < length:
                return
            yield kind, content
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _profile(resource: bytes) -> bytes:
    digits = resource.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    text = f"\niptc\n{len(resource):8}\n{lines}\n".encode()
    return b"zTXt" + _IPTC + b"\0\0" + zlib.compress(text)


def _from_profile(kind: bytes, content: bytes) -> bytes:
    """Empty for what is damaged."""
    try:
        text = zlib.decompress(content[1:]) if kind == b"zTXt" else content
        _, length, digits = text.split(maxsplit=2)
        return bytes.fromhex(b"".join(digits.split()).decode("ascii"))[: int(length)]
    except (ValueError, zlib.error):
        return b""
