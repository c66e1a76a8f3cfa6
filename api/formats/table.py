"""A job's items as a table: columns and cell values."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from scraper.recipes.field import Field
from scraper.recipes.job import JobDefinition
from scraper.recipes.url_template import join_url


class UnknownValueError(ValueError):
    """A query parameter has an unknown value.

    Attributes:
        parameter: The parameter's name.
        expected: The values that it accepts.
    """

    def __init__(self, parameter: str, expected: Iterable[str]) -> None:
        self.parameter = parameter
        self.expected = tuple(expected)
        super().__init__(parameter)


# Excel has 16,384 columns; nobody reads that many.
_MOST_OF_ONE_LIST: Final = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and where in an item its values stand."""

    name: str
    path: tuple[str | int, ...]
    field: Field

    def read(self, item: Mapping[str, Any]) -> Any:
        """Take the column's value out of an item, as it is in JSON.

        None is also what the item does not have, such as a field that the recipe has got only
        since the item was read.
        """
        value: Any = item
        for step in self.path:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
        return value

    def text(self, value: Any) -> str:
        """Write a value as the text of one cell; empty for null and for an empty list."""
        if value is None or value == []:
            return ""
        if isinstance(value, str):
            return value
        split = self.field.split
        if split is not None and isinstance(value, list):
            # No text of the list holds what it was split at, so that nothing is lost.
            return (split if split[-1].isspace() else f"{split} ").join(map(str, value))
        return json.dumps(value, ensure_ascii=False)

    @property
    def is_link(self) -> bool:
        """Whether the values are addresses as the page has them, be they relative."""
        field = self.field
        return field.attr in {"href", "src"} and field.match is None and field.split is None


def make_columns(fields: Mapping[str, Field]) -> Iterator[Column]:
    """The columns of a recipe's fields, in their order.

    A list of objects with a limit becomes numbered columns, `name_1_field` up to the limit; one
    without a limit, or with very many columns, is one column, which holds JSON.
    """
    for name, field in fields.items():
        nested = list(make_columns(field.fields or {}))
        limit = field.limit or 0
        if 0 < limit * len(nested) <= _MOST_OF_ONE_LIST:
            for index in range(limit):
                for inner in nested:
                    numbered = f"{name}_{index + 1}_{inner.name}"
                    yield Column(numbered, (name, index, *inner.path), inner.field)
        else:
            yield Column(name, (name,), field)


#: What stands between the cells of CSV, by the name that `?separator=` takes.
SEPARATORS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}


@dataclass(frozen=True, slots=True)
class Table:
    """The table of one job's items."""

    collection: str
    columns: tuple[Column, ...]
    page: str  # the address that the items' relative links start from
    separator: str

    @classmethod
    def of(cls, base_url: str, job: JobDefinition, separator: str | None = None) -> Self:
        """Make the table of a recipe's job.

        Args:
            base_url: The recipe's.
            job: The recipe's job.
            separator: A name out of SEPARATORS; the comma without it. Only CSV heeds it.

        Raises:
            UnknownValueError: There is no separator of that name.
        """
        name = "comma" if separator is None else separator
        if name not in SEPARATORS:
            raise UnknownValueError(parameter="separator", expected=SEPARATORS)
        columns = tuple(make_columns(job.fields))
        page = join_url(base_url, job.open.partition("?")[0])
        return cls(job.collection, columns, page, SEPARATORS[name])
