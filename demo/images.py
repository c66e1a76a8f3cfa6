"""Images of the site: one pixel each, stretched by the pages."""

import zlib

_HEADER = b"GIF89a\x01\x00\x01\x00\x80\x00\x00"
_TRAILER = b"\xff\xff\xff\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b"


def make_image(name: str) -> bytes:
    """Return a GIF of one colour, always the same for a name."""
    colour = zlib.crc32(name.encode()).to_bytes(4)[:3]
    return _HEADER + colour + _TRAILER
