"""XLSX: built in files that have no name, then sent piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import Final

from api.formats.format import Chunks
from api.formats.ndjson import lines
from api.formats.table import Table
from api.formats.workbook import build_workbook

_PIECE_BYTES: Final = 256 * 1024
#: A large workbook takes a minute: no other answer waits for the threads that build them.
_BUILDERS: Final = ThreadPoolExecutor(2, "workbook")


class Xlsx:
    """The items as a sheet with real booleans and links, for Excel."""

    name = "xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    suffix = ".xlsx"

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Take all chunks first: the first byte of such a file depends on the last item.

        Items and workbook lie in the system's folder for temporary files, gone with the last use.
        """
        with TemporaryFile() as items, TemporaryFile() as file:
            async for chunk in chunks:
                items.write(lines(chunk))
            items.seek(0)
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(_BUILDERS, build_workbook, table, items, file)
            try:
                await asyncio.shield(work)
            finally:
                # A thread cannot be cancelled: the files stay open for as long as it uses them.
                await asyncio.wait([work])
            file.seek(0)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece
