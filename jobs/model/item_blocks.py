"""Items of a job as compressed blocks, the form in which Redis stores them.

A block is `SIZE:DATA`: the size in bytes of its text, and the text compressed with zlib, in Base64.
The text is the items as JSON, one on each line. Base64 keeps every value in Redis plain ASCII, so
one client that decodes text serves for all of them.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: A block that is larger is closed: so much text of one reader is in memory at a time.
_MAX_BLOCK_BYTES = 128 * 1024


@dataclass(frozen=True)
class ItemBlock:
    """Some consecutive items."""

    #: The number of items.
    count: int
    #: The block as it is stored.
    data: str


def encode_items(items: Iterable[Mapping[str, Any]]) -> Iterator[ItemBlock]:
    """Yield the blocks that hold these items, in order."""
    lines: list[bytes] = []
    size = 0
    for item in items:
        line = json.dumps(item, ensure_ascii=False).encode()
        if lines and size + len(line) > _MAX_BLOCK_BYTES:
            yield _encode_block(lines)
            lines = []
            size = 0
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield _encode_block(lines)


def decode_block(data: str) -> list[str]:
    """Return the items of a stored block, each as a JSON object.

    What version 0.1 stored is one JSON object, not a block.
    """
    if data.startswith("{"):
        return [data]
    compressed = data.partition(":")[2]
    return zlib.decompress(b64decode(compressed)).decode().split("\n")


def _encode_block(lines: list[bytes]) -> ItemBlock:
    text = b"\n".join(lines)
    compressed = b64encode(zlib.compress(text)).decode()
    return ItemBlock(len(lines), f"{len(text)}:{compressed}")
