"""Writing items in a format, for tests of the formats."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from api.formats.format import Format
from api.formats.table import Table
from scraper.recipes.job import JobDefinition

Item = Mapping[str, Any]
PAGE = "https://site.example"


def job(collection: str = "things", **fields: Any) -> JobDefinition:
    """Return a job definition with these fields."""
    return JobDefinition.model_validate(
        {
            "open": "/list/all",
            "items": ".item",
            "collection": collection,
            "label": {"pt": "coisas", "en": "things"},
            "fields": fields,
        }
    )


async def in_chunks(*chunks: Sequence[Item]) -> AsyncIterator[Sequence[Item]]:
    """Yield the chunks asynchronously."""
    for chunk in chunks:
        yield chunk


def written(file_format: Format, table: Table, *chunks: Sequence[Item]) -> bytes:
    """Return the content of the file."""

    async def collect() -> bytes:
        return b"".join([piece async for piece in file_format.write(table, in_chunks(*chunks))])

    return asyncio.run(collect())
