"""XLSX: workbooks built in temporary files."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import Any, Final

from api.formats.format import Chunks
from api.formats.table import Table
from api.formats.workbook import build_workbook

_PIECE_BYTES: Final = 256 * 1024
#: Separate threads, since a large workbook takes a minute.
_EXECUTOR: Final = ThreadPoolExecutor(2, "workbook")


class Xlsx:
    """Items as a sheet with booleans and links, for Excel."""

    name = "xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    suffix = ".xlsx"
    is_built_first = True

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the file after the last chunk has been read.

        No chunk is read before a thread is free to put it into the workbook. The workbook is kept
        in an unnamed temporary file, which the system deletes when it is closed.

        Raises:
            WorkbookTooLargeError: There are more items than fit; no piece has been yielded.
        """
        with TemporaryFile() as file:
            items = _ItemPuller(chunks, asyncio.get_running_loop())
            work = _EXECUTOR.submit(build_workbook, table, items, file)
            done = asyncio.wrap_future(work)
            try:
                await asyncio.shield(done)
            finally:
                items.stopped.set()
                if not work.cancel():
                    # A thread cannot be cancelled, and it needs the file until its end.
                    await asyncio.wait([done])
            file.seek(0)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece


class _AbandonedError(Exception):
    """The workbook is of no use any more."""


class _ItemPuller:
    """The items of asynchronous chunks, for a thread: each chunk is read when it is needed."""

    def __init__(self, chunks: Chunks, loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        #: Set when the items are of no use any more.
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        while True:
            if self.stopped.is_set():
                raise _AbandonedError
            chunk = asyncio.run_coroutine_threadsafe(self._read(), self._loop).result()
            if chunk is None:
                return
            yield from chunk

    async def _read(self) -> Sequence[Mapping[str, Any]] | None:
        return await anext(self._chunks, None)
