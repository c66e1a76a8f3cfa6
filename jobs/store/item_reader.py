"""Read a job's items from wherever they are stored (asynchronous, for the API).

Until a job is completed its items are a list of blocks (`jobs.model.item_blocks`); then they are
part of its result (`jobs.model.stored_result`). Version 0.1 stored one item in each element of the
list, and a second copy of all items in the result.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from redis.asyncio import Redis

from jobs.model.item_blocks import decode_block
from jobs.model.stored_result import StoredResult, parse_header
from jobs.redis import keys
from jobs.redis.async_client import RedisUnavailableError, redis_deadline

#: The part of a result that is read first: it holds the header of all but very large results.
_HEADER_BYTES = 4096


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


class ItemReader:
    """Reads items. Each call raises RedisUnavailableError without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get_result(self, job_id: str) -> StoredResult | None:
        """Return the result of a completed job without the items in its blocks.

        None if it has expired.
        """
        async with redis_deadline():
            header = await self._get_header(job_id)
        return parse_header(header) if header else None

    async def read(self, job_id: str, start: int, count: int) -> tuple[list[str], int]:
        """Return some items.

        Args:
            job_id: The job's id.
            start: The index of the first one.
            count: Their maximum number.

        Returns:
            The items, each as a JSON object; and the number of all items so far.
        """
        async with redis_deadline():
            layout = await self._find_layout(job_id)
            end = min(start + count, layout.total)
            items: list[str] = []
            position = start
            while position < end:
                block = layout.find_block(position)
                decoded = await self._get_block(job_id, layout, block)
                first = layout.first_item(block)
                items += decoded[position - first : end - first]
                position = first + len(decoded)
        return items, layout.total

    async def iterate(
        self, job_id: str, start: int = 0, count: int | None = None
    ) -> AsyncIterator[list[str]]:
        """Return an iterator over items, some at a time.

        One block is in memory at a time. Only items that exist at the time of this call are
        returned, even if there are more by now.

        Args:
            job_id: The job's id.
            start: The index of the first item.
            count: The maximum number of items; None for all.

        Raises:
            RedisUnavailableError: Redis does not answer. The iterator raises it too, also if the
                items have expired meanwhile, so that an incomplete response is not mistaken for a
                whole one.
        """
        async with redis_deadline():
            layout = await self._find_layout(job_id)
        end = layout.total if count is None else min(layout.total, start + count)
        return self._iterate(job_id, layout, start, end)

    def iterate_result(self, job_id: str, result: StoredResult) -> AsyncIterator[list[str]]:
        """Return an iterator over all items in the blocks of a result.

        Raises:
            RedisUnavailableError: As in `iterate`, while iterating.
        """
        layout = _Layout.of_result(result)
        return self._iterate(job_id, layout, 0, layout.total)

    async def _iterate(
        self, job_id: str, layout: _Layout, start: int, end: int
    ) -> AsyncIterator[list[str]]:
        position = start
        while position < end:
            block = layout.find_block(position)
            async with redis_deadline():
                decoded = await self._get_block(job_id, layout, block)
            first = layout.first_item(block)
            yield decoded[position - first : end - first]
            position = first + len(decoded)

    async def _find_layout(self, job_id: str) -> _Layout:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.llen(keys.items(job_id))
        pipeline.lrange(keys.item_totals(job_id), 0, -1)
        blocks, totals = await pipeline.execute()
        if not blocks:
            # Completed, unless there are no items yet.
            header = await self._get_header(job_id)
            result = parse_header(header) if header else None
            return _Layout.of_result(result) if result else _Layout([], None)
        counted = [int(total) for total in totals]
        last = counted[-1] if counted else 0
        # Elements without a total are items that version 0.1 stored.
        return _Layout([*counted, *range(last + 1, last + 1 + blocks - len(counted))], None)

    async def _get_block(self, job_id: str, layout: _Layout, block: int) -> list[str]:
        """Return the items of a block.

        Raises:
            RedisUnavailableError: It has expired since its position was read.
        """
        stored: str | None = None
        if layout.result is None:
            stored = cast("str | None", await self._redis.lindex(keys.items(job_id), block))
            if stored is None:
                # The job was completed in the meantime: its blocks moved into the result.
                layout = await self._find_layout(job_id)
        if layout.result is not None and block < len(layout.result.blocks):
            info = layout.result.blocks[block]
            end = info.offset + info.length - 1
            stored = str(await self._redis.getrange(keys.result(job_id), info.offset, end))
        if not stored:
            raise RedisUnavailableError
        return decode_block(stored)

    async def _get_header(self, job_id: str) -> str | None:
        size = _HEADER_BYTES
        header = ""
        while True:
            end = len(header) + size - 1
            chunk = str(await self._redis.getrange(keys.result(job_id), len(header), end))
            before, line_break, _ = chunk.partition("\n")
            header += before
            if line_break or len(chunk) < size:
                return header or None
            size *= 4
