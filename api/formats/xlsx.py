"""XLSX: workbooks built in temporary files."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import Final

from api.formats.format import Chunks
from api.formats.ndjson import encode_lines
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

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the file after the last chunk has been read.

        Items and workbook are kept in unnamed temporary files, which the system deletes when they
        are closed.
        """
        with TemporaryFile() as items, TemporaryFile() as file:
            async for chunk in chunks:
                items.write(encode_lines(chunk))
            items.seek(0)
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(_EXECUTOR, build_workbook, table, items, file)
            try:
                await asyncio.shield(work)
            finally:
                # A thread cannot be cancelled, and it needs the files until its end.
                await asyncio.wait([work])
            file.seek(0)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece
