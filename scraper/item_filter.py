"""Filter for a page's items: duplicates, required fields, fields that are empty everywhere."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin

from scraper.errors import FillRateTooLow, PageChanged
from scraper.list_query import is_url_field
from scraper.page_items import ListPage, NewItems, PageItems, SeenPages
from scraper.recipes.models import Field, Item, JobDefinition
from scraper.scrape_warnings import EndReason, ScrapeWarning, WarningCode

# Fewer items may well lack the same field by chance.
_MIN_ITEMS: Final = 5
# A flag is false more often than a text is missing.
_MIN_ITEMS_FOR_FLAGS: Final = 20

#: An item, its text, and what identifies it.
_Found = tuple[Item, bytes, str | None]


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
        is_flag = field.kind in {"flag", "count"}
        min_items = _MIN_ITEMS_FOR_FLAGS if is_flag else _MIN_ITEMS
        empty: tuple[Any, ...] = (False, 0) if is_flag else (None, [])
        values = [item[name] for item in items]
        if len(values) >= min_items and all(value in empty for value in values):
            yield name, field.selector
        elif field.fields is not None:
            inner_items = [item for value in values for item in value]
            for inner_name, inner_selector in find_empty_fields(field.fields, inner_items):
                yield f"{name}.{inner_name}", f"{field.selector} {inner_selector}"


class ItemFilter:
    """Filters the items of one page after another."""

    def __init__(
        self,
        job: JobDefinition,
        seen: SeenPages,
        pages: Sequence[ListPage],
        *,
        seen_items: int = 0,
    ) -> None:
        """Start with what earlier attempts have read.

        Args:
            job: The job definition, whose `unique_by` names the field with an item's key.
            seen: The earlier attempts' pages.
            pages: All pages requested, at least one.
            seen_items: The number of items on the earlier attempts' pages.
        """
        self._job = job
        self._pages = pages
        self._seen_keys = set(seen.keys)
        self._seen_digests = set(seen.digests)
        self._count = seen_items
        self._filled = Counter(seen.filled)
        # Without `unique_by`: what a list that is scrolled has shown so far, in its order.
        self._shown: list[bytes] = []
        self._last_page: tuple[ListPage, int] | None = None
        self._counter = _find_query_counter(job)
        #: The warnings about all pages so far.
        self.warnings: list[ScrapeWarning] = []

    def filter_page(self, page: ListPage, read: PageItems) -> NewItems | None:
        """Return the items that are new; None if the page only repeats others.

        Without `unique_by` equal items are different ones; but a page that is equal to an earlier
        one, except for its number in links, is a repetition. A list that is scrolled shows items
        again; without a new one, the result has none.

        Args:
            page: The page, after those of earlier calls.
            read: All its items.

        Raises:
            PageChanged: A required field is empty in all items of the page (for fields with a fill
                rate below 1, `check_fill_rates` decides); or items of a list that is scrolled go
                away, and nothing identifies them.
        """
        for name in self._job.required:
            if _count_empty(read.items, name) == len(read.items):
                selector = self._job.fields[name].selector
                raise PageChanged(page.url, selector, PageChanged.Reason.FIELD_EMPTY)
        digest = self._compute_digest(page, read)
        new = self._find_scrolled(page, read) if page.is_scrolled else self._find_new(read)
        if not new and page.is_scrolled:
            return NewItems([], [], [], digest, [], read.next)
        is_known = self._job.unique_by is None and digest in self._seen_digests
        if page.value is None and not page.is_scrolled and (not new or is_known):
            self._warn(WarningCode.PAGE_REPEATS, page)
            return None
        self._seen_digests.add(digest)
        items = [item for item, _, _ in new]
        first_warning = len(self.warnings)
        self.warnings += read.warnings
        self._check_items(page, items if page.is_scrolled else read.items)
        if page.is_scrolled:
            self.warnings[first_warning:] = self._find_first(first_warning)
        filled = {name: len(items) - _count_empty(items, name) for name in self._job.fill_rates}
        self._count += len(items)
        self._filled.update(filled)
        return NewItems(
            items,
            [text for _, text, _ in new],
            [key for _, _, key in new if key is not None],
            digest,
            self.warnings[first_warning:],
            read.next,
            filled,
        )

    def _check_items(self, page: ListPage, items: Sequence[Item]) -> None:
        """Warn of what the items of a page lack."""
        if self._last_page and page.size and self._last_page[1] < page.size:
            last_page, count = self._last_page
            self._warn(WarningCode.PAGE_SHORT, last_page, count=count, expected=page.size)
        for name in self._job.required:
            if count := _count_empty(items, name):
                self._warn(WarningCode.REQUIRED_FIELD_EMPTY, page, field=name, count=count)
        for name, selector in find_empty_fields(self._job.fields, items):
            self._warn(WarningCode.FIELD_EMPTY_EVERYWHERE, page, field=name, selector=selector)
        self._last_page = page, len(items)

    def check_fill_rates(self) -> None:
        """Check the items of all pages, once the last one is read.

        Raises:
            FillRateTooLow: Fewer of them have a field than the recipe requires.
        """
        for name, required in self._job.fill_rates.items():
            filled, items = self._filled[name], self._count
            if items and filled / items < required:
                url, selector = self._pages[0].url, self._job.fields[name].selector
                raise FillRateTooLow(url, selector, name, filled, items, required)

    def end_list(self, page: ListPage, reason: EndReason) -> None:
        """Record that the list has ended before the last page that was requested.

        Args:
            page: The page that shows it.
            reason: What shows it.
        """
        self._warn(WarningCode.LIST_ENDED, page, requested=len(self._pages), reason=reason.value)

    def cut_list(self, page: ListPage) -> None:
        """Record that the list goes on after the last page that the job may read."""
        self._warn(WarningCode.LIST_CUT, page, limit=len(self._pages))

    def _warn(self, code: WarningCode, page: ListPage, **details: str | int) -> None:
        self.warnings.append(ScrapeWarning(code, page.number, details))

    def _find_new(self, read: PageItems) -> list[_Found]:
        """Return the items that no earlier page had, with their texts and keys."""
        found = zip(read.items, read.texts, read.keys, strict=True)
        return [(item, text, key) for item, text, key in found if key is None or self._is_new(key)]

    def _find_scrolled(self, page: ListPage, read: PageItems) -> list[_Found]:
        """Return the items that a step of scrolling has brought, with their texts and keys.

        Without `unique_by` these are the items behind those that were read before.

        Raises:
            PageChanged: An item that was read before is another one now.
        """
        found = list(zip(read.items, read.texts, read.keys, strict=True))
        if self._job.unique_by is not None:
            keyed = ((item, text, key or _digest(text)) for item, text, key in found)
            return [(item, text, key) for item, text, key in keyed if self._is_new(key)]
        both = min(len(self._shown), len(read.texts))
        if self._shown[:both] != read.texts[:both]:
            raise PageChanged(page.url, str(self._job.items), PageChanged.Reason.ITEMS_GONE)
        self._shown += read.texts[both:]
        return [(item, text, None) for item, text, _ in found[self._count :]]

    def _find_first(self, index: int) -> list[ScrapeWarning]:
        """Return the warnings from an index on, without those that only repeat earlier ones."""
        known = [_without_counts(warning) for warning in self.warnings[:index]]
        return [
            warning for warning in self.warnings[index:] if _without_counts(warning) not in known
        ]

    def _is_new(self, key: str) -> bool:
        if key in self._seen_keys:
            return False
        self._seen_keys.add(key)
        return True

    def _compute_digest(self, page: ListPage, read: PageItems) -> str:
        items = _resolve_links(self._job.item_fields, read.items, read.base_url or page.url)
        text = json.dumps(items, ensure_ascii=False, sort_keys=True)
        if self._counter:
            own_number = rf"(?<=[?&]){re.escape(self._counter)}={page.number}(?!\d)"
            text = re.sub(own_number, "", text)
        return _digest(text.encode())


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _without_counts(warning: ScrapeWarning) -> tuple[object, ...]:
    """Return what a warning is about, whatever it has counted on its page."""
    details = {name: warning.details[name] for name in warning.details if name != "count"}
    return warning.code, details


def _resolve_links(fields: Mapping[str, Field], items: list[Item], base_url: str) -> list[Item]:
    """Return items with absolute links: two pages may have the same relative ones."""

    def resolve(field: Field, value: Any) -> Any:
        if field.fields is not None:
            return _resolve_links(field.fields, value, base_url)
        is_url = isinstance(value, str) and is_url_field(field)
        return urljoin(base_url, value) if is_url else value

    return [{name: resolve(fields[name], item[name]) for name in fields} for item in items]


def _find_query_counter(job: JobDefinition) -> str | None:
    """Return the name of the query's part whose value is the page's number."""
    if job.next is None or job.next.count is None:
        return None
    found = re.search(rf"[?&]([^=&]+)=\{{{job.next.count}\}}(?:&|#|$)", job.open)
    return found and found[1]


def _count_empty(items: Sequence[Item], name: str) -> int:
    return sum(item[name] in (None, []) for item in items)
