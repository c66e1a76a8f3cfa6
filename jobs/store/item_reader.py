"""Read a job's items from wherever they are stored (asynchronous, for the API).

Until a job is completed its items are a list of blocks (`jobs.model.item_blocks`); then they are
part of its result (`jobs.model.stored_result`). Version 0.1 stored one item in each element of the
list, and a second copy of all items in the result.
"""

import zlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from celery import states
from redis.asyncio import Redis

from jobs.model.decoding import DECODE_ERRORS, check_json
from jobs.model.item_blocks import decode_block, decode_text
from jobs.model.stored_result import PROGRESS, StoredResult, parse_header
from jobs.redis import keys
from jobs.redis.async_client import UnreadableDataError, redis_deadline
from jobs.redis.replies import parse_number

#: The part of a result that is read first: it holds the header of all but very large results.
_HEADER_BYTES = 4096
#: Blocks are read together until they have this number of items: those of version 0.1 have one.
_MIN_ITEMS = 50


class ItemsExpiredError(Exception):
    """The items have expired since the job's record was read."""


@dataclass(frozen=True)
class _Layout:
    """The position of a job's items at one moment."""

    #: The number of items up to and including each block.
    totals: Sequence[int]
    #: The result of a completed job; None if the items are in the list.
    result: StoredResult | None

    @classmethod
    def of_result(cls, result: StoredResult) -> "_Layout":
        return cls(list(accumulate(block.count for block in result.blocks)), result)

    @property
    def total(self) -> int:
        return self.totals[-1] if self.totals else 0

    def find_block(self, item: int) -> int:
        """Return the index of the block that holds an item."""
        return bisect_right(self.totals, item)

    def first_item(self, block: int) -> int:
        """Return the index of a block's first item."""
        return self.totals[block - 1] if block else 0


def _parse_header(job_id: str, header: str) -> StoredResult:
    """Return a result without the items in its blocks.

    Raises:
        UnreadableDataError: It is not a result that this version understands.
    """
    try:
        stored = parse_header(header)
        # The progress of a job, and its failure, have neither items nor warnings.
        warnings = [] if stored.state in {PROGRESS, states.FAILURE} else stored.result["warnings"]
        if not isinstance(warnings, list) or any(
            not isinstance(warning["code"], str) for warning in warnings
        ):
            raise TypeError(warnings)
        check_json(stored.result)
        if any(block.count < 0 or block.length < 0 for block in stored.blocks):
            raise ValueError(stored.blocks)
    except DECODE_ERRORS as error:
        raise UnreadableDataError(job_id) from error
    return stored


def parse_stored_result(job_id: str, stored: str) -> StoredResult:
    """Return a result without the items in its blocks.

    Args:
        job_id: The job's id.
        stored: What is stored as its result.

    Raises:
        UnreadableDataError: It is not a result that this version understands.
    """
    return _parse_header(job_id, stored.partition("\n")[0])


def decode_stored_items(job_id: str, stored: str, result: StoredResult) -> bytes:
    """Return the items in the blocks of a result as JSON, one on each line.

    Args:
        job_id: The job's id.
        stored: What is stored as its result.
        result: The same, parsed.

    Raises:
        UnreadableDataError: They are not what this version writes.
    """
    try:
        texts = [
            decode_text(stored[block.offset : block.offset + block.length])
            for block in result.blocks
        ]
        text = b"\n".join(texts)
        if sum(part.count(b"\n") + 1 for part in texts) != sum(b.count for b in result.blocks):
            raise ValueError(job_id)
    except (*DECODE_ERRORS, zlib.error) as error:
        raise UnreadableDataError(job_id) from error
    return text


class ItemReader:
    """Reads items.

    Each call raises RedisUnavailableError without Redis, and UnreadableDataError if what it holds
    is no result of a job.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get_result(self, job_id: str) -> StoredResult | None:
        """Return the result of a completed job without the items in its blocks.

        None if it has expired.
        """
        async with redis_deadline():
            header = await self._get_header(job_id)
        return _parse_header(job_id, header) if header else None

    async def read(self, job_id: str, start: int, count: int) -> tuple[list[str], int]:
        """Return some items.

        Args:
            job_id: The job's id.
            start: The index of the first one.
            count: Their maximum number.

        Returns:
            The items, each as a JSON object; and the number of all items so far.

        Raises:
            ItemsExpiredError: The items have expired.
        """
        async with redis_deadline():
            layout = await self._find_layout(job_id)
            end = min(start + count, layout.total)
            if start >= end:
                return [], layout.total
            items, _ = await self._fetch(job_id, layout, start, end)
        return items, layout.total

    async def iterate(
        self, job_id: str, start: int = 0, count: int | None = None
    ) -> AsyncIterator[list[str]]:
        """Return an iterator over items, some at a time.

        A few blocks at most are in memory at a time. Only items that exist at the time of this call
        are returned, even if there are more by now.

        Args:
            job_id: The job's id.
            start: The index of the first item.
            count: The maximum number of items; None for all.

        Raises:
            ItemsExpiredError: The items have expired. The iterator raises it too, so that an
                incomplete response is not mistaken for a whole one.
            RedisUnavailableError: Redis does not answer; likewise.
        """
        async with redis_deadline():
            layout = await self._find_layout(job_id)
        end = layout.total if count is None else min(layout.total, start + count)
        return await self._open(job_id, layout, start, end)

    async def iterate_result(self, job_id: str, result: StoredResult) -> AsyncIterator[list[str]]:
        """Return an iterator over all items in the blocks of a result; see `iterate`.

        Args:
            job_id: The job's id.
            result: Its result.

        Raises:
            ItemsExpiredError: The result has expired.
            RedisUnavailableError: Redis does not answer.
        """
        layout = _Layout.of_result(result)
        return await self._open(job_id, layout, 0, layout.total)

    async def _open(
        self, job_id: str, layout: _Layout, start: int, end: int
    ) -> AsyncIterator[list[str]]:
        """Read the first items, so that an error is raised before a response begins."""
        first: list[str] = []
        if start < end:
            async with redis_deadline():
                first, layout = await self._fetch_some(job_id, layout, start, end)
        return self._iterate(job_id, layout, first, start, end)

    async def _iterate(
        self, job_id: str, layout: _Layout, first: list[str], start: int, end: int
    ) -> AsyncIterator[list[str]]:
        items = first
        position = start
        while items:
            yield items
            position += len(items)
            items = []
            if position < end:
                async with redis_deadline():
                    items, layout = await self._fetch_some(job_id, layout, position, end)

    async def _fetch_some(
        self, job_id: str, layout: _Layout, start: int, end: int
    ) -> tuple[list[str], _Layout]:
        """Fetch the items up to the end of a block, at least `_MIN_ITEMS` if there are as many."""
        last_block = layout.find_block(min(start + _MIN_ITEMS, end) - 1)
        return await self._fetch(job_id, layout, start, min(layout.totals[last_block], end))

    async def _fetch(
        self, job_id: str, layout: _Layout, start: int, end: int
    ) -> tuple[list[str], _Layout]:
        """Return the items from `start` to before `end`, and the layout for the next call.

        The layout changes when the job is completed in the meantime: its blocks move from the list
        into the result.

        Raises:
            ItemsExpiredError: The items have expired since the layout was read.
        """
        items = await self._get_blocks(job_id, layout, start, end)
        if items is None:
            layout = await self._find_layout(job_id)
            items = await self._get_blocks(job_id, layout, start, end)
        if items is None:
            raise ItemsExpiredError
        return items, layout

    async def _get_blocks(
        self, job_id: str, layout: _Layout, start: int, end: int
    ) -> list[str] | None:
        """Return the items from `start` to before `end`; None if the layout is out of date."""
        if end > layout.total:
            return None
        first = layout.find_block(start)
        last = layout.find_block(end - 1)
        if layout.result is None:
            blocks = cast("list[str]", await self._redis.lrange(keys.items(job_id), first, last))
        else:
            infos = layout.result.blocks[first : last + 1]
            begin = infos[0].offset
            stop = infos[-1].offset + infos[-1].length
            data = str(await self._redis.getrange(keys.result(job_id), begin, stop - 1))
            if len(data) != stop - begin:
                return None
            blocks = [data[i.offset - begin : i.offset - begin + i.length] for i in infos]
        try:
            items = [item for block in blocks for item in decode_block(block)]
        except (*DECODE_ERRORS, zlib.error) as error:
            raise UnreadableDataError(job_id) from error
        offset = layout.first_item(first)
        if len(items) != layout.totals[last] - offset:
            return None
        return items[start - offset : end - offset]

    async def _find_layout(self, job_id: str) -> _Layout:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.llen(keys.items(job_id))
        pipeline.lrange(keys.item_totals(job_id), 0, -1)
        blocks, totals = await pipeline.execute()
        if not blocks:
            # Completed, unless there are no items yet.
            header = await self._get_header(job_id)
            result = _parse_header(job_id, header) if header else None
            return _Layout.of_result(result) if result else _Layout([], None)
        counted = [parse_number(total) for total in totals]
        last = counted[-1] if counted else 0
        # Elements without a total are items that version 0.1 stored.
        return _Layout([*counted, *range(last + 1, last + 1 + blocks - len(counted))], None)

    async def _get_header(self, job_id: str) -> str | None:
        """Return a result up to its line break; all of it, if version 0.1 stored it."""
        size = _HEADER_BYTES
        while True:
            # From the beginning each time: a result that expires meanwhile is never read in part.
            data = str(await self._redis.getrange(keys.result(job_id), 0, size - 1))
            header, line_break, _ = data.partition("\n")
            if line_break or len(data) < size:
                return header or None
            size *= 4
