"""NDJSON: one item per line, as JSON."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from api.formats.format import Chunks
from api.formats.table import Table


class Ndjson:
    """Items exactly as in JSON, for programs."""

    name = "ndjson"
    media_type = "application/x-ndjson"
    suffix = ".ndjson"
    is_built_first = False

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield one piece per chunk."""
        del table  # NDJSON has no columns
        async for chunk in chunks:
            yield encode_lines(chunk)


def encode_lines(items: Iterable[Mapping[str, Any]]) -> bytes:
    """Return items as JSON lines in UTF-8."""
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    # UTF-8 cannot encode half a surrogate pair; it becomes a JSON escape.
    return text.encode(errors="backslashreplace")
