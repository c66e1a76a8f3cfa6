"""NDJSON: the items as they are, one JSON object a line."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from api.formats.format import Chunks
from api.formats.table import Table


class Ndjson:
    """The items exactly as in JSON, for programs."""

    name = "ndjson"
    media_type = "application/x-ndjson"
    suffix = ".ndjson"

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Write each chunk as it comes."""
        del table  # every field as it is
        async for chunk in chunks:
            yield lines(chunk)


def lines(items: Iterable[Mapping[str, Any]]) -> bytes:
    """Write items as JSON in UTF-8, each with a line break at its end."""
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    # Half a surrogate pair, which UTF-8 lacks, becomes the escape that JSON has for it.
    return text.encode(errors="backslashreplace")
