"""Snapshot of a page at one moment, as plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scraper.browser.network_access import NOT_ALLOWED
from scraper.errors import MAX_QUOTE, PageTooLarge

#: Bytes of a MiB.
MB: Final = 1024 * 1024

# Too early, too many requests, and request timeout; every 5xx may pass too.
_RETRYABLE_STATUS: Final = frozenset({408, 425, 429})
_FIRST_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
# Chrome's names of failures that every attempt would have.
_PERMANENT_ERRORS: Final = (
    "ERR_CERT_",
    "ERR_SSL_",
    "ERR_BAD_SSL_",
    "ERR_TOO_MANY_REDIRECTS",
    "ERR_INVALID_REDIRECT",
    "ERR_INVALID_URL",
    "ERR_UNSAFE_",
    "ERR_BLOCKED_",
    "ERR_DISALLOWED_",
    "ERR_UNKNOWN_URL_SCHEME",
    NOT_ALLOWED,
)


@dataclass(frozen=True)
class SizeLimits:
    """How much one page, and one job, may return; a MiB is 1,048,576 bytes of JSON."""

    page_items: int = 20_000
    page_mb: int = 16
    item_mb: int = 4
    text_mb: int = 1
    #: Of all pages of a job.
    result_mb: int = 64
    result_items: int = 1_000_000

    def exceeded_by(self, page: str, reason: PageTooLarge.Reason) -> PageTooLarge:
        """Return the failure of a page that exceeds one of these limits.

        Args:
            page: The page's URL.
            reason: The limit.
        """
        limits = {
            PageTooLarge.Reason.ITEMS: self.page_items,
            PageTooLarge.Reason.BYTES: self.page_mb,
            PageTooLarge.Reason.ITEM: self.item_mb,
            PageTooLarge.Reason.TEXT: self.text_mb,
        }
        return PageTooLarge(page, reason, limits[reason])


DEFAULT_SIZES: Final = SizeLimits()


@dataclass(frozen=True)
class ListQuery:
    """The items of a page, and what is read of each."""

    #: The selector of an item.
    items: str
    #: The recipe's fields by name, as plain data.
    fields: Mapping[str, Any]
    #: The names of the fields that every item must have.
    require: tuple[str, ...] = ()
    #: The field that identifies an item, and whether it is a URL.
    key: str | None = None
    key_is_url: bool = False
    sizes: SizeLimits = DEFAULT_SIZES
    #: The number of items of a full page, whose snapshot has the items too; None if it is unknown.
    full_count: int | None = None

    @property
    def script_argument(self) -> dict[str, Any]:
        """The argument of `js/extract.js`."""
        return {
            "maxItems": self.sizes.page_items,
            "maxText": self.sizes.text_mb * MB,
            "maxItem": self.sizes.item_mb * MB,
            "maxPage": self.sizes.page_mb * MB,
            "items": self.items,
            "fields": json.dumps(self.fields),
            "require": self.require,
            "key": self.key,
            "keyIsUrl": self.key_is_url,
            "fullCount": self.full_count,
        }


@dataclass(frozen=True)
class JsonQuery:
    """Where a page has JSON."""

    #: The selector of the elements whose text it is.
    selector: str | None = None
    #: The global variable, without `window.`. With neither, it is in what the page's scripts have
    #: received (`Tab.watch_responses`).
    variable: str | None = None
    sizes: SizeLimits = DEFAULT_SIZES

    @property
    def max_length(self) -> int:
        """How much JSON is read of a page: as much as its items may have."""
        return self.sizes.page_mb * MB

    @property
    def script_argument(self) -> dict[str, Any]:
        """The argument of `readJson` in `js/items.js`."""
        return {
            "selector": self.selector,
            "maxTexts": self.sizes.page_items,
            "maxPage": self.max_length,
        }


@dataclass(frozen=True)
class PageJson:
    """The JSON of a page, not parsed."""

    texts: tuple[str, ...] = field(repr=False)
    #: What relative URLs refer to.
    base_url: str = ""
    #: Why it is incomplete; else empty.
    fault: str = ""


@dataclass(frozen=True)
class SnapshotQuery:
    """Selectors, by name, that a snapshot covers."""

    #: Selectors whose matches are counted.
    counts: Mapping[str, str] = field(default_factory=dict)
    #: Selectors whose first visible match is described.
    elements: Mapping[str, str] = field(default_factory=dict)
    #: Expected values of some of these elements. Not in the repr: passwords are among them.
    expected_values: Mapping[str, str] = field(default_factory=dict, repr=False)
    list: ListQuery | None = None
    json: JsonQuery | None = None

    @property
    def sizes(self) -> SizeLimits:
        """How much the items may have."""
        query = self.list or self.json
        return query.sizes if query else DEFAULT_SIZES

    @property
    def script_argument(self) -> dict[str, Any]:
        """The argument of `js/snapshot.js`."""
        return {
            "counts": dict(self.counts),
            "elements": dict(self.elements),
            "expectedValues": dict(self.expected_values),
            "list": self.list and self.list.script_argument,
            "json": self.json and self.json.script_argument,
        }


@dataclass(frozen=True)
class ElementState:
    """State of the first visible element that matches a selector."""

    enabled: bool
    #: Whether a form field has a value.
    has_value: bool = False
    #: Whether the value is the expected one; the value itself never leaves the browser.
    has_expected_value: bool = False
    #: Why the browser would not submit the value; else empty.
    validation_message: str = ""
    #: Where a link leads, outside the document; else empty.
    url: str = ""
    #: The first text that any visible match shows; may be empty.
    text: str = ""

    @classmethod
    def decode(cls, data: Mapping[str, Any]) -> "ElementState":
        """Decode one element of the result of `js/snapshot.js`."""
        return cls(
            enabled=data["enabled"],
            has_value=data["hasValue"],
            has_expected_value=data["hasExpectedValue"],
            validation_message=data["validationMessage"][:MAX_QUOTE],
            url=data["url"],
            text=data["text"][:MAX_QUOTE],
        )


@dataclass(frozen=True)
class ListState:
    """The items of a page, in figures; `js/snapshot.js` documents each value."""

    count: int
    digest: str
    max_count: int = 0
    count_changes: int = 0
    blank: int = 0
    incomplete: int = 0
    is_uniform: bool = False
    text: str = field(default="", repr=False)
    #: Why items that come from JSON cannot be read; else empty.
    fault: str = ""


@dataclass(frozen=True)
class PageSnapshot:
    """The page at one moment; `js/snapshot.js` documents each value."""

    time_origin: float
    ready_state: str
    url: str
    document_url: str = ""
    status: int = 200
    error: str = ""
    is_static: bool = False
    is_busy: bool = False
    has_refresh: bool = False
    is_sparse: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    elements: Mapping[str, ElementState | None] = field(default_factory=dict)
    list: ListState | None = None
    json: PageJson | None = None

    @classmethod
    def decode(cls, data: Mapping[str, Any]) -> "PageSnapshot":
        """Decode the result of `js/snapshot.js`."""
        items, found = data["list"], data["json"]
        return cls(
            time_origin=data["timeOrigin"],
            ready_state=data["readyState"],
            url=data["url"],
            document_url=data["documentUrl"],
            status=data["status"],
            error=data["error"][:MAX_QUOTE],
            is_static=data["isStatic"],
            is_busy=data["isBusy"],
            has_refresh=data["hasRefresh"],
            is_sparse=data["isSparse"],
            counts=data["counts"],
            elements={
                name: ElementState.decode(element) if element else None
                for name, element in data["elements"].items()
            },
            list=items
            and ListState(
                count=items["count"],
                digest=items["digest"],
                max_count=items["maxCount"],
                count_changes=items["countChanges"],
                blank=items["blank"],
                incomplete=items["incomplete"],
                is_uniform=items["isUniform"],
                text=items["text"],
            ),
            json=found and PageJson(tuple(found["texts"]), found["base"]),
        )

    def with_load_error(self, error: str) -> "PageSnapshot":
        """Return this snapshot as that of a document that failed to load, if there is an error."""
        return replace(self, ready_state="complete", error=error) if error else self

    @property
    def is_blank(self) -> bool:
        """Whether no page has arrived yet in the tab, or in between two pages."""
        return self.url.startswith(("about:", "data:"))

    @property
    def target_url(self) -> str:
        """The page's URL; for one that could not be loaded, its URL instead of Chrome's own."""
        return self.document_url if self.url.startswith("chrome-error:") else self.url

    @property
    def is_parsed(self) -> bool:
        """Whether the whole document has arrived; its subresources may still be loading."""
        return self.ready_state != "loading"

    @property
    def is_loaded(self) -> bool:
        """Whether the document has arrived with all its subresources."""
        return self.ready_state == "complete"

    @property
    def failure(self) -> str:
        """The error of an error page, such as `HTTP 503` or `ERR_CONNECTION_RESET`; else empty."""
        if self.error:
            return self.error
        return f"HTTP {self.status}" if self.status >= _FIRST_ERROR else ""

    @property
    def is_retryable(self) -> bool:
        """Whether another attempt may succeed after this failure."""
        if self.error:
            return not self.error.startswith(_PERMANENT_ERRORS)
        return self.status in _RETRYABLE_STATUS or self.status >= _FIRST_SERVER_ERROR
