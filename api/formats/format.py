"""Interface of the file formats."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from api.formats.table import Table

#: Items as decoded JSON objects, in chunks of at most a few dozen.
Chunks = AsyncIterator[Sequence[Mapping[str, Any]]]


class Format(Protocol):
    """A file format for items."""

    @property
    def name(self) -> str:
        """Its name in `?format=`."""

    @property
    def media_type(self) -> str:
        """Its media type in `Content-Type` and `Accept`."""

    @property
    def suffix(self) -> str:
        """Its file name extension, such as `.csv`."""

    @property
    def is_built_first(self) -> bool:
        """Whether the whole file is built before its first piece is there."""

    def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the file piece by piece; memory use does not depend on the number of items.

        Args:
            table: The columns.
            chunks: The items in their order.
        """
