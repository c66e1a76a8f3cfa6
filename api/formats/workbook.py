"""Build an Excel workbook from items, row by row."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from os import scandir
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

from xlsxwriter import Workbook

from api.formats.links import make_hyperlink
from api.formats.table import Column, Table

# Excel's limits: support.microsoft.com, "Excel specifications and limits".
_MAX_ROWS: Final = 1_048_576 - 1  # below the header
_MAX_LINKS: Final = 65_530  # per sheet
_MAX_CELL_UNITS: Final = 32_767  # UTF-16 code units
_MAX_URL_LENGTH: Final = 2_079
_MAX_SHEET_NAME: Final = 31
_FIRST_YEAR: Final = 1900

_DATE: Final = "2026-03-12"
#: While it is finished, a workbook takes a little more than twice as much of the temporary folder.
_MAX_BYTES: Final = 32 * 1024 * 1024

_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


class WorkbookTooLargeError(Exception):
    """The items do not fit into a workbook."""


def build_workbook(
    table: Table,
    items: Iterable[Mapping[str, Any]],
    file: IO[bytes],
    *,
    max_rows: int = _MAX_ROWS,
    max_bytes: int = _MAX_BYTES,
) -> None:
    """Write items to a file as an Excel workbook; thousands of items take seconds.

    Args:
        table: The columns.
        items: The items.
        file: The file, which must be seekable.
        max_rows: How many items there may be.
        max_bytes: How much the rows may take as XML, the form in which temporary files hold them.

    Raises:
        WorkbookTooLargeError: One of the limits is exceeded.
    """
    with TemporaryDirectory(prefix="garimpo-") as folder:
        # Not a context manager: it would also finish a workbook that is given up.
        workbook = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        sheet = _Sheet(workbook, table)
        try:
            for item in items:
                sheet.add(item)
                _check_size(sheet.rows, max_rows)
                _check_size(sum(part.stat().st_size for part in scandir(folder)), max_bytes)
        except BaseException:
            sheet.close_rows()
            raise
        sheet.finish()
        workbook.close()


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise WorkbookTooLargeError


class _Sheet:
    def __init__(self, workbook: Workbook, table: Table) -> None:
        self._table = table
        self._sheet = workbook.add_worksheet(_sheet_name(table))
        self._links = 0
        self.rows = 0
        self._date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        bold = workbook.add_format({"bold": True})
        self._sheet.freeze_panes(1, 0)
        for index, column in enumerate(table.columns):
            self._sheet.set_column(index, index, _column_width(column))
            self._sheet.write_string(0, index, column.name, bold)

    def add(self, item: Mapping[str, Any]) -> None:
        self.rows += 1
        for index, column in enumerate(self._table.columns):
            self._write(index, column, column.read(item))

    def close_rows(self) -> None:
        """Close the temporary file of the rows, which only a finished workbook does by itself."""
        rows: IO[str] | None = self._sheet.row_data_fh
        if rows:
            rows.close()

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
        elif column.field.kind == "date" and (moment := _parse_date(value)):
            style = self._date if len(value) == len(_DATE) else self._time
            self._sheet.write_datetime(self.rows, index, moment, style)
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


def _parse_date(value: Any) -> datetime | None:
    """Return a date of JSON as Excel has it, without an offset; None if Excel cannot have it."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    if moment.year < _FIRST_YEAR:
        return None
    return moment.replace(tzinfo=None)


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


def _sheet_name(table: Table) -> str:
    # Excel reserves the name History.
    name = table.collection[:_MAX_SHEET_NAME]
    return f"{name} 1" if name == "history" else name


def _column_width(column: Column) -> int:
    """Return the column's width in characters; its name fits beside the filter button."""
    is_wide = column.is_link or column.field.is_list or column.field.kind == "objects"
    return max(len(column.name) + 4, 30 if is_wide else 12)
