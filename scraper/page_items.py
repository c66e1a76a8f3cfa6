"""Pages of a list and their items, as they are read, filtered and reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scraper.recipes.models import Item
from scraper.scrape_warnings import EndReason, ScrapeWarning


@dataclass(frozen=True)
class PagePlace:
    """How to get to a page."""

    #: The URL to open.
    url: str
    #: How often to click on the control of the list then (`next.control`).
    clicks: int = 0


@dataclass(frozen=True)
class ListPage:
    """A page to read."""

    #: The page's number in its URL; without one, its position in the list, from 1.
    number: int
    #: Its position among the pages requested, from 1. A first page without items has changed; a
    #: later one is the end of the list.
    ordinal: int
    place: PagePlace
    #: The number of items of a full page, if known.
    size: int | None
    #: Whether it is the last one requested.
    is_last: bool = False
    #: The value that it is opened for (`next.each`); None for a page of a list.
    value: str | None = None
    #: Whether it is what a further step of scrolling brings.
    is_scrolled: bool = False

    @property
    def must_have_items(self) -> bool:
        """Whether it has changed if it is without items: later pages of a list may be."""
        return self.ordinal == 1 or self.value is not None or self.is_scrolled

    @property
    def url(self) -> str:
        """The URL to open."""
        return self.place.url


@dataclass(frozen=True)
class ListEnd:
    """The outcome of a page that does not belong to the list any more: it has no items to read."""

    reason: EndReason


@dataclass(frozen=True)
class PageItems:
    """The items of a page."""

    items: list[Item]
    #: What identifies each item, if the recipe says so: links are absolute.
    keys: list[str | None]
    #: Each item as JSON, as it is stored; encoded once for all that need it.
    texts: list[bytes]
    #: What relative URLs in them refer to.
    base_url: str = ""
    warnings: list[ScrapeWarning] = field(default_factory=list)
    #: What shows that the list ends with this page; None if it does not.
    end: EndReason | None = None
    #: Where the control of the list leads; None without one that can be followed.
    next: PagePlace | None = None
    #: Whether nothing but the page is needed to see that it belongs to the list: it is no error
    #: page, and the site has not led on to another URL.
    is_plain: bool = True


@dataclass(frozen=True)
class SeenPages:
    """What earlier attempts have read, to recognize it."""

    #: The numbers of the pages.
    numbers: frozenset[int] = frozenset()
    #: What identifies their items (`unique_by`); links are absolute.
    keys: frozenset[str] = frozenset()
    #: The digest of each page.
    digests: frozenset[str] = frozenset()
    #: Where the control of the last one leads; None if that is unknown, or not needed.
    next: PagePlace | None = None
    #: The numbers of those that have failed.
    failed: frozenset[int] = frozenset()
    #: How many of their items have each field with a required fill rate.
    filled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PageFailure:
    """Why a page was not read that others do not depend on."""

    #: The value that it was opened for.
    value: str
    #: The code of the failure, and the values in its sentence.
    code: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class NewItems:
    """The items of a page that were not read before, and how to recognize them later."""

    items: list[Item]
    #: Each item as JSON.
    texts: list[bytes]
    keys: list[str]
    digest: str
    warnings: list[ScrapeWarning]
    #: Where the control of the list leads.
    next: PagePlace | None = None
    #: How many of the items have each field with a required fill rate.
    filled: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The size of the items, in bytes of JSON."""
        return sum(map(len, self.texts))
