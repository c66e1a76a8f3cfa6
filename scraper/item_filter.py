"""Filter for a page's items: duplicates, required fields, fields that are empty everywhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urljoin

from scraper.errors import PageChanged
from scraper.page_reader import ListPage
from scraper.recipes.models import Field, Item, JobDefinition
from scraper.scrape_warnings import ScrapeWarning, WarningCode

# Fewer items may well lack the same field by chance.
_MIN_ITEMS: Final = 5
# A flag is false more often than a text is missing.
_MIN_ITEMS_FOR_FLAGS: Final = 20


def find_empty_fields(
    fields: Mapping[str, Field], items: Sequence[Item]
) -> Iterator[tuple[str, str]]:
    """Yield each field that is empty in all items, if there are enough items to rule out chance.

    Args:
        fields: The items' fields by name.
        items: All items of a page.

    Yields:
        The field's name and selector; for a nested field joined to those of the outer one.
    """
    for name, field in fields.items():
        min_items = _MIN_ITEMS_FOR_FLAGS if field.kind == "flag" else _MIN_ITEMS
        values = [item[name] for item in items]
        if len(values) >= min_items and all(value in (None, [], False) for value in values):
            yield name, describe_selector(field)
        elif field.fields is not None:
            inner_items = [item for value in values for item in value]
            for inner_name, inner_selector in find_empty_fields(field.fields, inner_items):
                yield f"{name}.{inner_name}", f"{field.css} {inner_selector}"


def describe_selector(field: Field) -> str:
    """Return a field's selectors as one."""
    return " ".join(filter(None, [field.css or field.exists, field.then]))


class ItemFilter:
    """Filters the items of one page after another."""

    def __init__(
        self, job: JobDefinition, seen_keys: Iterable[str], pages: Sequence[ListPage]
    ) -> None:
        """Start with the keys of items that earlier attempts have read.

        Args:
            job: The job definition, whose `unique_by` names the field with an item's key.
            seen_keys: The keys, as the items have them.
            pages: All pages requested, at least one.
        """
        self._job = job
        self._pages = pages
        self._is_link = job.unique_by is not None and job.fields[job.unique_by].attr == "href"
        self._seen_keys = {self._normalize_key(key) for key in seen_keys}
        self._last_page: tuple[ListPage, int] | None = None
        #: The warnings about all pages so far.
        self.warnings: list[ScrapeWarning] = []

    def filter_page(self, page: ListPage, items: list[Item]) -> list[Item]:
        """Return the items that are new; none if the page only repeats others.

        Args:
            page: The page, after those of earlier calls.
            items: All its items.

        Raises:
            PageChanged: A required field is empty in all items of the page.
        """
        empty_counts = {name: _count_empty(items, name) for name in self._job.require}
        for name, count in empty_counts.items():
            if count == len(items):
                selector = describe_selector(self._job.fields[name])
                raise PageChanged(page.url, selector, PageChanged.Reason.FIELD_EMPTY)
        new_items = [item for item in items if self._is_new(item)]
        if not new_items:
            self._warn(WarningCode.PAGE_REPEATS, page)
            return []
        if self._last_page and page.size and self._last_page[1] < page.size:
            last_page, count = self._last_page
            self._warn(WarningCode.PAGE_SHORT, last_page, count=count, expected=page.size)
        for name, count in empty_counts.items():
            if count:
                self._warn(WarningCode.REQUIRED_FIELD_EMPTY, page, field=name, count=count)
        for name, selector in find_empty_fields(self._job.fields, items):
            self._warn(WarningCode.FIELD_EMPTY_EVERYWHERE, page, field=name, selector=selector)
        self._last_page = page, len(items)
        return new_items

    def end_list(self, page: ListPage) -> None:
        """Record that the list has ended before a page that was requested."""
        if self._last_page and page.size and self._last_page[1] >= page.size:
            self._warn(WarningCode.LIST_ENDED, page, requested=len(self._pages))

    def _warn(self, code: WarningCode, page: ListPage, **details: str | int) -> None:
        self.warnings.append(ScrapeWarning(code, page.number, details))

    def _is_new(self, item: Item) -> bool:
        key = item[self._job.unique_by] if self._job.unique_by else None
        if key is None:
            return True
        key = self._normalize_key(key)
        if key in self._seen_keys:
            return False
        self._seen_keys.add(key)
        return True

    def _normalize_key(self, key: str) -> str:
        """Return a link as an absolute URL, so that all spellings of it are equal."""
        # Relative links depend on the path, which all pages of a list share.
        return urljoin(self._pages[0].url, key) if self._is_link else key


def _count_empty(items: list[Item], name: str) -> int:
    return sum(item[name] in (None, []) for item in items)
