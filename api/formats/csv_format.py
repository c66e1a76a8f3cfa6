"""CSV that spreadsheets open correctly: RFC 4180, UTF-8 with a BOM, no formula injection."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from api.formats.format import Chunks
from api.formats.links import resolve_links
from api.formats.table import SEPARATORS, Table

# OWASP's list, with the full-width forms that Japanese spreadsheets treat alike.
_FORMULA_START: Final = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
# A minus begins a formula only if more than a number follows. Pages show a lone minus for "none".
_HARMLESS: Final = re.compile(r"-(\d+([.,]\d+)*%?)?")


class FormulaEscaper:
    """Inserts an apostrophe where a text could begin a formula (CSV injection).

    That is at the beginning of the text, and inside it after a line break or a separator other
    than the file's own: an Excel that is set to another separator ignores the quotes around a text
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """

    def __init__(self, separator: str) -> None:
        other_separators = "".join(set(SEPARATORS.values()) - {separator})
        self._formula = re.compile(
            rf"^(?=[\s\x00-\x1f]*{_FORMULA_START}|[\t\r\n])"
            rf'|(?<=[\r\n{other_separators}])(?=[\s\x00-\x1f"]*{_FORMULA_START})'
        )
        self._is_visible_separator = not separator.isspace()

    def escape(self, text: str, *, begins_row: bool = False) -> str:
        """Return the text with apostrophes inserted, or unchanged if it is harmless, such as `-5`.

        `-5` is not harmless at the beginning of a row: an Excel that is set to another separator
        reads the next cells as its continuation. Nor is it after a tab, which such an Excel skips.

        Args:
            text: The text of a cell.
            begins_row: Whether the cell is the first of its row.
        """
        if self._is_visible_separator and not begins_row and _HARMLESS.fullmatch(text):
            return text
        return self._formula.sub("'", text)

    def escape_json(self, value: Any) -> Any:
        """Return a JSON value with all its strings escaped; its keys come from the recipe."""
        if isinstance(value, str):
            return self.escape(value)
        if isinstance(value, list):
            return [self.escape_json(part) for part in value]
        if isinstance(value, dict):
            return {key: self.escape_json(part) for key, part in value.items()}
        return value


# Without it Excel decodes the file with the legacy code page of the system.
_BOM = "\ufeff"


class Csv:
    """Items as rows, for spreadsheets."""

    name = "csv"
    media_type = "text/csv"
    suffix = ".csv"
    is_built_first = False

    async def write(self, table: Table, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the header, then one piece per chunk."""
        escaper = FormulaEscaper(table.separator)
        names = [column.name for column in table.columns]
        yield _encode_rows([[_BOM + names[0], *names[1:]]], table.separator)
        async for chunk in chunks:
            yield _encode_rows(
                (_build_row(table, item, escaper) for item in chunk), table.separator
            )


def _build_row(table: Table, item: Mapping[str, Any], escaper: FormulaEscaper) -> list[str]:
    row = []
    for index, column in enumerate(table.columns):
        value = resolve_links(column.read(item), column.field, table.page_url)
        if column.field.kind == "objects":
            # Only inside strings: elsewhere an apostrophe would make the JSON invalid.
            row.append(column.format_cell(escaper.escape_json(value)))
        else:
            cell = column.format_cell(value)
            if isinstance(value, float) and table.separator == ";":
                # Where a semicolon separates cells, a comma separates decimals.
                cell = cell.replace(".", ",")
            row.append(escaper.escape(cell, begins_row=index == 0))
    return row


def _encode_rows(rows: Iterable[list[str]], separator: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    # UTF-8 cannot encode half a surrogate pair; it becomes "?".
    return text.getvalue().encode(errors="replace")
