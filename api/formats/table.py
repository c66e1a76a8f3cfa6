"""A recipe's items as a table: its columns, known before any item is."""

from dataclasses import dataclass
from typing import Final, Self

from api.formats.column import Column, make_columns
from api.formats.error import UnknownValueError
from scraper.recipes.address import join_url
from scraper.recipes.job import JobDefinition

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
