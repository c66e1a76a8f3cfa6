"""The result of a completed job as Celery's backend stores it.

It is one ASCII string: the task's meta data as Celery defines it, in which `items` describes the
blocks (`jobs.model.item_blocks`) and the result has null in place of its items; a line break; the
blocks. `lua_scripts/complete.lua` writes it. Version 0.1 stored the meta data with all items in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.model.item_blocks import decode_block


@dataclass(frozen=True)
class BlockInfo:
    """Position and size of a block."""

    #: The number of items in it.
    count: int
    #: Its offset in the stored string, and its length, in bytes.
    offset: int
    length: int
    #: The size of its items as text, in bytes.
    text_bytes: int


#: Celery's state of a running job: `update_state(state=PROGRESS, meta=…)`.
PROGRESS = "PROGRESS"


@dataclass(frozen=True)
class StoredResult:
    """A stored result without its blocks."""

    #: A Celery state, or PROGRESS.
    state: str

    #: The result, with null in place of its items; with its items, if version 0.1 stored it.
    result: Mapping[str, Any]
    #: The name of the items in the result; empty if they are in it.
    collection: str = ""
    blocks: Sequence[BlockInfo] = ()

    @property
    def text_bytes(self) -> int:
        """The size of the items in the blocks as text, in bytes."""
        return sum(block.text_bytes for block in self.blocks)


def parse_header(header: str) -> StoredResult:
    """Parse a stored result up to its line break.

    Args:
        header: The meta data (JSON), in ASCII.
    """
    meta = json.loads(header)
    if "items" not in meta:
        return StoredResult(meta.get("status", ""), meta["result"])
    blocks: list[BlockInfo] = []
    offset = len(header) + 1
    for count, length, text_bytes in meta["items"]["blocks"]:
        blocks.append(BlockInfo(count, offset, length, text_bytes))
        offset += length
    return StoredResult(meta["status"], meta["result"], meta["items"]["name"], blocks)


def decode_result(stored: str) -> Mapping[str, Any]:
    """Return a stored result with all its items."""
    parsed = parse_header(stored.partition("\n")[0])
    if not parsed.collection:
        return parsed.result
    items = [
        json.loads(item)
        for block in parsed.blocks
        for item in decode_block(stored[block.offset : block.offset + block.length])
    ]
    return {**parsed.result, parsed.collection: items}


def decode_meta(stored: str) -> dict[str, Any]:
    """Return a task's meta data as Celery knows it, with all items in the result."""
    meta: dict[str, Any] = json.loads(stored.partition("\n")[0])
    if meta.pop("items", None):
        meta["result"] = decode_result(stored)
    return meta
