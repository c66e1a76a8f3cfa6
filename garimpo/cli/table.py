"""Render the first items of a result as a table."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from jobs.model.i18n import make_printable

#: Maximum width of a column; longer texts are truncated.
_MAX_COLUMN_WIDTH = 24
#: Width that each column adds to its text: a border, and a space on either side.
_COLUMN_FRAME = 3


def make_table(items: Sequence[dict[str, Any]], *, rows: int, width: int) -> Table:
    """Return a table of the first items.

    Its columns are the scalar fields (text, number, boolean) in the items' own order, as many as
    fit. A field that is empty in all rows is left out.

    Args:
        items: The items.
        rows: Maximum number of rows.
        width: Maximum width of the table, in terminal columns.
    """
    shown = items[:rows]
    table = Table(header_style="bold")
    columns: list[list[Text]] = []
    remaining = width - 1
    for field in _list_scalar_fields(shown):
        cells = [Text(_format_value(item.get(field))) for item in shown]
        widest = min(_MAX_COLUMN_WIDTH, max(cell.cell_len for cell in [Text(field), *cells]))
        if widest + _COLUMN_FRAME <= remaining:
            remaining -= widest + _COLUMN_FRAME
            table.add_column(Text(field), width=widest, no_wrap=True, overflow="ellipsis")
            columns.append(cells)
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    return table


def _list_scalar_fields(items: Sequence[dict[str, Any]]) -> list[str]:
    fields = dict.fromkeys(field for item in items for field in item)
    return [
        field
        for field in fields
        if all(not isinstance(item.get(field), list | dict) for item in items)
        and any(item.get(field) not in (None, "") for item in items)
    ]


def _format_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return make_printable(str(value))
