"""Build an Excel workbook of items, row by row."""

import json
import re
from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import IO, Any, Final
from urllib.parse import quote, urljoin, urlsplit

from xlsxwriter import Workbook

from api.formats.table import Column, Table

_ABSOLUTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
# All that may stand in an address (RFC 3986, without IPv6's brackets).
_KEPT: Final = "%:/?#@!$&'()*+,;=~"
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def make_hyperlink(value: str, page: str, *, is_address: bool) -> str | None:
    """Return the absolute http address that a value is, in ASCII, or None if it is none.

    An address of an IPv6 host is none either.

    Args:
        value: A text of an item.
        page: The address of the page that it stands on.
        is_address: It is an address by the recipe; else it must look like one.
    """
    if not (is_address or _ABSOLUTE.fullmatch(value)):
        return None
    try:
        address = urljoin(page, value.strip())
        parts = urlsplit(address)
        host = parts.hostname if parts.scheme in {"http", "https"} else None
    except ValueError:  # such as a bracket in the host that is not closed
        return None
    if not host or ":" in host:
        return None
    return quote(_STRAY_PERCENT.sub("%25", address), safe=_KEPT)


# Excel's limits: support.microsoft.com, "Excel specifications and limits".
_MOST_ROWS: Final = 1_048_576 - 1  # below the header
_MOST_LINKS: Final = 65_530  # on one sheet
_MOST_CHARACTERS: Final = 32_767  # of one cell, in UTF-16 units
_MOST_OF_ADDRESS: Final = 2_079
_MOST_OF_NAME: Final = 31  # of a sheet

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def build_workbook(
    table: Table, items: Iterable[bytes], file: IO[bytes], *, rows_per_sheet: int = _MOST_ROWS
) -> None:
    """Write items into a file as an Excel workbook; takes seconds for thousands of them.

    Args:
        table: The items' columns.
        items: Each as JSON.
        file: Where the workbook goes; it must be seekable.
        rows_per_sheet: After so many items another sheet begins.
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
        self._sheet = workbook.add_worksheet(_name(table, len(workbook.worksheets()) + 1))
        self._links = 0
        self.rows = 0
        bold = workbook.add_format({"bold": True})
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            self._sheet.set_column(place, place, _width(column))
            self._sheet.write_string(0, place, column.name, bold)

    def add(self, item: dict[str, Any]) -> None:
        self.rows += 1
        for place, column in enumerate(self._table.columns):
            self._write(place, column, column.read(item))

    def finish(self) -> None:
        last = len(self._table.columns) - 1
        self._sheet.autofilter(0, 0, self.rows, last)
        # Else Excel marks each text such as "152" with a green corner.
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{self.rows + 1}"})

    def _write(self, place: int, column: Column, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self.rows, place, value)
        elif isinstance(value, int | float):
            self._sheet.write_number(self.rows, place, value)
        elif text := _fit(column.text(value)):
            link = self._link(column, value)
            if link is None:
                self._sheet.write_string(self.rows, place, text)
            else:
                self._links += 1
                self._sheet.write_url(self.rows, place, link, string=text)

    def _link(self, column: Column, value: Any) -> str | None:
        if not isinstance(value, str) or self._links == _MOST_LINKS:
            return None
        link = make_hyperlink(value, self._table.page, is_address=column.is_link)
        return None if link is None or len(link) > _MOST_OF_ADDRESS else link


def _fit(text: str) -> str:
    """Make a text one that an Excel cell can hold."""
    text = _HALF_PAIR.sub("\ufffd", text)
    if len(text) > _MOST_CHARACTERS // 2:  # each may take two units
        units = text.encode("utf-16-le")
        if len(units) > 2 * _MOST_CHARACTERS:
            text = units[: 2 * (_MOST_CHARACTERS - 1)].decode("utf-16-le", "ignore") + "…"
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter would take it for XML of its own making.
        text += " "
    return text


def _name(table: Table, number: int) -> str:
    # Excel keeps the name History for itself.
    if number == 1 and table.collection != "history":
        return table.collection[:_MOST_OF_NAME]
    return f"{table.collection[:20]} {number}"


def _width(column: Column) -> int:
    """The column's width, in characters: its name fits, beside the filter's button."""
    wide = column.is_link or column.field.kind in {"texts", "objects"}
    return max(len(column.name) + 4, 30 if wide else 12)
