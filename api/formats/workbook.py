"""Build an Excel workbook from items, row by row."""

import json
import re
from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import IO, Any, Final
from urllib.parse import quote, urljoin, urlsplit

from xlsxwriter import Workbook

from api.formats.table import Column, Table

_ABSOLUTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
# The characters of a URL that need no escape (RFC 3986, without IPv6's brackets).
_URL_CHARACTERS: Final = "%:/?#@!$&'()*+,;=~"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def make_hyperlink(value: str, page_url: str, *, is_url: bool) -> str | None:
    """Return a value as an absolute HTTP URL in ASCII, or None if it is not a URL.

    URLs with an IPv6 host are not supported.

    Args:
        value: A text of an item.
        page_url: URL of the page that contains it.
        is_url: Whether the recipe says that it is a URL; if not, it must be an absolute one.
    """
    if not (is_url or _ABSOLUTE.fullmatch(value)):
        return None
    try:
        url = urljoin(page_url, value.strip())
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in {"http", "https"} else None
    except ValueError:  # for example an unclosed bracket in the host
        return None
    if not host or ":" in host:
        return None
    return quote(_STRAY_PERCENT.sub("%25", url), safe=_URL_CHARACTERS)


# Excel's limits: support.microsoft.com, "Excel specifications and limits".
_MAX_ROWS: Final = 1_048_576 - 1  # below the header
_MAX_LINKS: Final = 65_530  # per sheet
_MAX_CELL_UNITS: Final = 32_767  # UTF-16 code units
_MAX_URL_LENGTH: Final = 2_079
_MAX_SHEET_NAME: Final = 31

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def build_workbook(
    table: Table, items: Iterable[bytes], file: IO[bytes], *, rows_per_sheet: int = _MAX_ROWS
) -> None:
    """Write items to a file as an Excel workbook; thousands of items take seconds.

    Args:
        table: The columns.
        items: Each item as JSON.
        file: The file, which must be seekable.
        rows_per_sheet: Number of items per sheet; further sheets hold the rest.
    """
    with (
        TemporaryDirectory(prefix="garimpo-") as folder,
        Workbook(file, {"constant_memory": True, "tmpdir": folder}) as workbook,
    ):
        sheet = _Sheet(workbook, table)
        for line in items:
            if sheet.rows == rows_per_sheet:
                sheet.finish()
                sheet = _Sheet(workbook, table)
            sheet.add(json.loads(line))
        sheet.finish()


class _Sheet:
    def __init__(self, workbook: Workbook, table: Table) -> None:
        self._table = table
        self._sheet = workbook.add_worksheet(_sheet_name(table, len(workbook.worksheets()) + 1))
        self._links = 0
        self.rows = 0
        bold = workbook.add_format({"bold": True})
        self._sheet.freeze_panes(1, 0)
        for index, column in enumerate(table.columns):
            self._sheet.set_column(index, index, _column_width(column))
            self._sheet.write_string(0, index, column.name, bold)

    def add(self, item: dict[str, Any]) -> None:
        self.rows += 1
        for index, column in enumerate(self._table.columns):
            self._write(index, column, column.read(item))

    def finish(self) -> None:
        last = len(self._table.columns) - 1
        self._sheet.autofilter(0, 0, self.rows, last)
        # Otherwise Excel marks each text such as "152" with a green corner.
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{self.rows + 1}"})

    def _write(self, index: int, column: Column, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self.rows, index, value)
        elif isinstance(value, int | float):
            self._sheet.write_number(self.rows, index, value)
        elif text := _fit_cell(column.format_cell(value)):
            link = self._link(column, value)
            if link is None:
                self._sheet.write_string(self.rows, index, text)
            else:
                self._links += 1
                self._sheet.write_url(self.rows, index, link, string=text)

    def _link(self, column: Column, value: Any) -> str | None:
        if not isinstance(value, str) or self._links == _MAX_LINKS:
            return None
        link = make_hyperlink(value, self._table.page_url, is_url=column.is_link)
        return None if link is None or len(link) > _MAX_URL_LENGTH else link


def _fit_cell(text: str) -> str:
    """Return a text that fits into an Excel cell; a longer one ends with an ellipsis."""
    text = _HALF_PAIR.sub("\ufffd", text)
    if len(text) > _MAX_CELL_UNITS // 2:  # a character has one or two units
        units = text.encode("utf-16-le")
        if len(units) > 2 * _MAX_CELL_UNITS:
            text = units[: 2 * (_MAX_CELL_UNITS - 1)].decode("utf-16-le", "ignore") + "…"
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter writes such a text as XML, not as text.
        text += " "
    return text


def _sheet_name(table: Table, number: int) -> str:
    # Excel reserves the name History.
    if number == 1 and table.collection != "history":
        return table.collection[:_MAX_SHEET_NAME]
    return f"{table.collection[:20]} {number}"


def _column_width(column: Column) -> int:
    """Return the column's width in characters; its name fits beside the filter button."""
    is_wide = column.is_link or column.field.kind in {"texts", "objects"}
    return max(len(column.name) + 4, 30 if is_wide else 12)
