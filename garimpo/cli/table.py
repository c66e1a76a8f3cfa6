"""Render the first items of a result as a table."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from garimpo.cli.output import make_printable

#: The widest that a column gets; longer texts are cut.
_WIDEST = 24
#: What a column takes beside its text: a border and a blank on either side.
_FRAME = 3


def make_table(items: Sequence[dict[str, Any]], *, rows: int, width: int) -> Table:
    """Return a table of the first `rows` items in at most `width` columns of the terminal.

    Its columns are the fields that hold one value (text, number, yes or no), in the items' own
    order, as many as fit. A field that is empty in all these rows is left out.
    """
    shown = items[:rows]
    table = Table(header_style="bold")
    columns: list[list[Text]] = []
    room = width - 1
    for field in _list_scalar_fields(shown):
        cells = [Text(_write(item.get(field))) for item in shown]
        widest = min(_WIDEST, max(cell.cell_len for cell in [Text(field), *cells]))
        if widest + _FRAME <= room:
            room -= widest + _FRAME
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


def _write(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return make_printable(str(value))
