"""CSV that spreadsheets open right: RFC 4180, UTF-8 with a BOM, no cell that is a formula."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from api.formats.format import Chunks
from api.formats.formula import FormulaEscaper
from api.formats.table import Table

# Without it Excel takes the text for the machine's old code page.
_BOM = "\ufeff"


class Csv:
    """The items as rows, for spreadsheets."""

    name = "csv"
    media_type = "text/csv"
    suffix = ".csv"

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Write the columns' names at once, then each chunk as it comes."""
        guard = FormulaEscaper(table.separator)
        names = [column.name for column in table.columns]
        yield _encoded([[_BOM + names[0], *names[1:]]], table.separator)
        async for chunk in chunks:
            yield _encoded((_row(table, item, guard) for item in chunk), table.separator)


def _row(table: Table, item: Mapping[str, Any], guard: FormulaEscaper) -> list[str]:
    row = []
    for place, column in enumerate(table.columns):
        value = column.read(item)
        if column.field.kind == "objects":
            # An apostrophe within JSON's texts does no harm; between them it would break it.
            row.append(column.text(guard.inside(value)))
        else:
            row.append(guard.text(column.text(value), begins_row=place == 0))
    return row


def _encoded(rows: Iterable[list[str]], separator: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    # What no UTF-8 has (half a surrogate pair) reads "?".
    return text.getvalue().encode(errors="replace")
