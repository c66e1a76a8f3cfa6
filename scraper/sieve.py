"""Which items of a page are taken: whole ones, each once."""

from collections.abc import Iterable
from typing import Any

from scraper.errors import PageChanged
from scraper.pages import Item, Page
from scraper.recipes.models import Field, Job


class Sieve:
    """Takes the items of one page after another."""

    def __init__(self, job: Job, seen: Iterable[str]) -> None:
        """Start with the keys of items that were taken before."""
        self._job = job
        self._seen = set(seen)
        #: What is odd and yet no failure.
        self.warnings: list[dict[str, Any]] = []

    def take(self, page: Page, items: list[Item]) -> list[Item]:
        """Return the items that were not seen before.

        Raises:
            PageChanged: a required field is empty in all items of the page.
        """
        for name in self._job.require:
            empty = sum(item[name] in (None, []) for item in items)
            if empty == len(items):
                raise PageChanged(page.url, _selector(self._job.fields[name]), "field_empty")
            if empty:
                code = "required_field_empty"
                self.warnings.append(
                    {"code": code, "page": page.number, "field": name, "count": empty}
                )
        return [item for item in items if self._is_new(item)]

    def _is_new(self, item: Item) -> bool:
        key = item[self._job.unique_by] if self._job.unique_by else None
        if key is None:
            return True
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _selector(field: Field) -> str:
    """Return the selector that a field is found by, written as one."""
    return " ".join(filter(None, [field.css or field.exists, field.then]))
