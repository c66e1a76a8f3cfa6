"""Filter a page's items: deduplication, required fields, fields that are empty everywhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin

from scraper.errors import PageChanged
from scraper.page_reader import Item, ListPage
from scraper.recipes.models import Field, JobDefinition

# Fewer items may well have nothing in common that they should have.
_MIN_ITEMS: Final = 5
# A flag is false more often than a text is missing.
_MIN_ITEMS_FOR_FLAGS: Final = 20


def find_empty_fields(
    fields: Mapping[str, Field], items: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Give each field that is empty in all of so many items that it looks like no accident.

    Args:
        fields: of the items, by name.
        items: all of a page.

    Yields:
        Its name and its selector; of a nested field both are joined to those of the outer one.
    """
    for name, field in fields.items():
        enough = _MIN_ITEMS_FOR_FLAGS if field.kind == "flag" else _MIN_ITEMS
        values = [item[name] for item in items]
        if len(values) >= enough and all(value in (None, [], False) for value in values):
            yield name, describe_selector(field)
        elif field.fields is not None:
            inner = [item for value in values for item in value]
            for inner_name, inner_selector in find_empty_fields(field.fields, inner):
                yield f"{name}.{inner_name}", f"{field.css} {inner_selector}"


def describe_selector(field: Field) -> str:
    """Return the selector that a field is found by, written as one."""
    return " ".join(filter(None, [field.css or field.exists, field.then]))


class ItemFilter:
    """Takes the items of one page after another."""

    def __init__(self, job: JobDefinition, seen: Iterable[str], pages: Sequence[ListPage]) -> None:
        """Start with the keys of items that were taken before.

        Args:
            job: says what tells items apart.
            seen: the keys, as they stand in the items.
            pages: all that were asked for, at least one.
        """
        self._job = job
        self._pages = pages
        self._is_link = job.unique_by is not None and job.fields[job.unique_by].attr == "href"
        self._seen = {self._normalize_key(key) for key in seen}
        self._last: tuple[ListPage, int] | None = None
        #: What is odd and yet no failure.
        self.warnings: list[dict[str, Any]] = []

    def filter_page(self, page: ListPage, items: list[Item]) -> list[Item]:
        """Return the items that were not seen before; none if the page only repeats others.

        Raises:
            PageChanged: a required field is empty in all items of the page.
        """
        lacking = {name: _count_empty(items, name) for name in self._job.require}
        for name, count in lacking.items():
            if count == len(items):
                raise PageChanged(
                    page.url, describe_selector(self._job.fields[name]), "field_empty"
                )
        new = [item for item in items if self._is_new(item)]
        if not new:
            self._warn("page_repeats", page)
            return []
        if self._last and page.size and self._last[1] < page.size:
            last, count = self._last
            self._warn("page_short", last, count=count, expected=page.size)
        for name, count in lacking.items():
            if count:
                self._warn("required_field_empty", page, field=name, count=count)
        for name, where in find_empty_fields(self._job.fields, items):
            self._warn("field_empty_everywhere", page, field=name, selector=where)
        self._last = page, len(items)
        return new

    def end_list(self, page: ListPage) -> None:
        """Note that the list has ended before a page that was asked for."""
        if self._last and page.size and self._last[1] >= page.size:
            self._warn("list_ended", page, requested=len(self._pages))

    def _warn(self, code: str, page: ListPage, **details: object) -> None:
        self.warnings.append({"code": code, "page": page.number, **details})

    def _is_new(self, item: Item) -> bool:
        key = item[self._job.unique_by] if self._job.unique_by else None
        if key is None:
            return True
        key = self._normalize_key(key)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _normalize_key(self, key: str) -> str:
        """Return a key as all its ways of being written have it."""
        # All pages of a list have the same path, which a relative link goes by.
        return urljoin(self._pages[0].url, key) if self._is_link else key


def _count_empty(items: list[Item], name: str) -> int:
    return sum(item[name] in (None, []) for item in items)
