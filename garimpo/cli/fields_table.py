"""Render how well the fields of a recipe were read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from jobs.model.i18n import make_printable

#: Maximum width of the columns with a selector or a value.
_MAX_WIDTH = 40
_EMPTY: tuple[Any, ...] = (None, "", [])


def make_fields_table(sources: Mapping[str, str], items: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a row for each field: how many items have it, and with what values.

    Args:
        sources: The selector or path of each field, by its name.
        items: The items, at least one.
    """
    table = Table(header_style="bold")
    for header in ("field", "filled", "distinct", "first value", "read from"):
        is_number = header in {"filled", "distinct"}
        table.add_column(
            header,
            justify="right" if is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=_MAX_WIDTH,
        )
    for name, source in sources.items():
        values = [item.get(name) for item in items]
        filled = [value for value in values if value not in _EMPTY]
        distinct = {json.dumps(value, ensure_ascii=False) for value in filled}
        first = _format(filled[0]) if filled else ""
        share = f"{100 * len(filled) // len(items)} %"
        style = "" if filled else "red"
        cells = (name, share, str(len(distinct)), first, make_printable(source))
        table.add_row(*map(Text, cells), style=style)
    return table


def _format(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return make_printable(text)
