"""A job's items as a table: columns and cell values."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from api.formats.links import is_link
from scraper.recipes.field import Field
from scraper.recipes.job import JobDefinition


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


# Excel has 16,384 columns, and readers lose track long before.
_MAX_LIST_COLUMNS: Final = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str
    #: Keys and indexes that lead to its value in an item.
    path: tuple[str | int, ...]
    field: Field

    def read(self, item: Mapping[str, Any]) -> Any:
        """Return the column's value of an item, as in JSON.

        It is None if the item lacks the field, for example because the field was added to the
        recipe after the item was read.
        """
        value: Any = item
        for step in self.path:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
        return value

    def format_cell(self, value: Any) -> str:
        """Return a value as the text of a cell; empty for null and for an empty list."""
        if value is None or value == []:
            return ""
        if isinstance(value, str):
            return value
        if self.field.is_list and isinstance(value, list):
            split = self.field.split or "\n"
            # No element contains the separator that the text was split at: nothing is lost.
            return (split if split[-1].isspace() else f"{split} ").join(map(_to_text, value))
        return _to_text(value)

    @property
    def is_link(self) -> bool:
        """Whether the values are URLs as the page has them, absolute or relative."""
        return is_link(self.field)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def make_columns(fields: Mapping[str, Field]) -> Iterator[Column]:
    """Yield the columns of a recipe's fields, in their order.

    A list of objects with a limit becomes numbered columns, `name_1_field` up to the limit. A list
    without a limit, or with more than 1000 columns, becomes one column with JSON.

    Args:
        fields: The fields by name.
    """
    for name, field in fields.items():
        nested = list(make_columns(field.fields or {}))
        limit = field.limit or 0
        if 0 < limit * len(nested) <= _MAX_LIST_COLUMNS:
            for index in range(limit):
                for inner in nested:
                    numbered = f"{name}_{index + 1}_{inner.name}"
                    yield Column(numbered, (name, index, *inner.path), inner.field)
        else:
            yield Column(name, (name,), field)


#: CSV delimiters by their name in `?separator=`.
SEPARATORS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a job's items, and how to write them."""

    collection: str
    columns: tuple[Column, ...]
    #: Base of the items' relative links.
    page_url: str
    #: The CSV delimiter.
    separator: str

    @classmethod
    def build(cls, page_url: str, job: JobDefinition, separator: str | None = None) -> Self:
        """Build the table of a recipe's job.

        Args:
            page_url: URL of the page that contains the items.
            job: The job's definition in the recipe.
            separator: A name from SEPARATORS; comma by default. Only CSV uses it.

        Raises:
            UnknownValueError: The separator is unknown.
        """
        name = "comma" if separator is None else separator
        if name not in SEPARATORS:
            raise UnknownValueError(parameter="separator", expected=SEPARATORS)
        columns = tuple(make_columns(job.item_fields))
        return cls(job.collection, columns, page_url, SEPARATORS[name])
