"""What a format is: a name, a media type, and a way to write items as they come."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from api.formats.table import Table

#: Items as decoded JSON objects, some at a time: a page's worth, not thousands.
Chunks = AsyncIterator[Sequence[Mapping[str, Any]]]


class Format(Protocol):
    """One way to write items."""

    @property
    def name(self) -> str:
        """What `?format=` calls it."""

    @property
    def media_type(self) -> str:
        """Its `Content-Type`, and what `Accept` calls it."""

    @property
    def suffix(self) -> str:
        """What the name of such a file ends with, such as `.csv`."""

    def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Write the items of all chunks, in their order; memory does not grow with them."""
