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
    return join_items(json.dumps(item, ensure_ascii=False).encode() for item in items)


def join_items(texts: Iterable[bytes]) -> Iterator[ItemBlock]:
    """Yield the blocks that hold items, in order.

    Args:
        texts: Each item as JSON, without line breaks.
    """
    lines: list[bytes] = []
    size = 0
    for line in texts:
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
    return decode_text(data).decode().split("\n")


def decode_text(data: str) -> bytes:
    """Return the text of a stored block: the items as JSON, one on each line."""
    if data.startswith("{"):
        return data.encode()
    return decompress(data)


def block_size(data: str) -> int:
    """Return the size of a stored block's text, in bytes."""
    size = data.partition(":")[0]
    return len(data) if data.startswith("{") else int(size)


def compress(text: bytes) -> str:
    """Return a text in UTF-8 in the form of a block."""
    return f"{len(text)}:{b64encode(zlib.compress(text)).decode()}"


def decompress(data: str) -> bytes:
    """Return the text that `compress` was given.

    Raises:
        ValueError: The data has another size than it says.
        zlib.error: It is not compressed.
    """
    size, _, compressed = data.partition(":")
    # No more than the block says: a foreign one may expand to any size.
    text = zlib.decompressobj().decompress(b64decode(compressed), int(size) + 1)
    if len(text) != int(size):
        message = "the block has another size than it says"
        raise ValueError(message)
    return text


def _encode_block(lines: list[bytes]) -> ItemBlock:
    return ItemBlock(len(lines), compress(b"\n".join(lines)))
