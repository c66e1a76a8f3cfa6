"""CSV that spreadsheets open correctly: RFC 4180, UTF-8 with a BOM, no formula injection."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from api.formats.format import Chunks
from api.formats.table import SEPARATORS, Table

# OWASP's list, with the full-width forms that Japanese spreadsheets take for the same.
_SIGN: Final = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
# A formula with a minus needs more than a number; a page shows a lone minus for "nothing".
_HARMLESS: Final = re.compile(r"-(\d+([.,]\d+)*%?)?")


class FormulaEscaper:
    """Puts an apostrophe where a text could begin a formula, so that it stays a text.

    That is at the text's beginning, and within it behind whatever might be taken for a cell's
    end: a line break, and a separator other than the file's own. An Excel that is set to another
    separator does not see the quotes around a text (https://owasp.org/www-community/attacks/CSV_Injection).
    """

    def __init__(self, separator: str) -> None:
        others = "".join(set(SEPARATORS.values()) - {separator})
        self._beginning = re.compile(
            rf"^(?=[\s\x00-\x1f]*{_SIGN}|[\t\r\n])"
            rf'|(?<=[\r\n{others}])(?=[\s\x00-\x1f"]*{_SIGN})'
        )
        self._is_visible = not separator.isspace()

    def text(self, text: str, *, begins_row: bool = False) -> str:
        """Return the text, unchanged where it holds no danger, such as `-5`.

        At a row's beginning `-5` does: to an Excel that is set to another separator, the row's
        next cells may go on with it. So it does behind a tab, which such an Excel passes over.
        """
        if self._is_visible and not begins_row and _HARMLESS.fullmatch(text):
            return text
        return self._beginning.sub("'", text)

    def inside(self, value: Any) -> Any:
        """Return a JSON value with all its texts so treated; the keys are the recipe's own."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.inside(part) for part in value]
        if isinstance(value, dict):
            return {key: self.inside(part) for key, part in value.items()}
        return value


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
