"""Warnings of a run: anomalies that do not fail the job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class WarningCode(StrEnum):
    """The stable codes of warnings; clients branch on them, so they are never renamed."""

    #: Some items of the page lack a required field. Details: field, count (of items).
    REQUIRED_FIELD_EMPTY = "required_field_empty"
    #: A field is empty in every item of the page. Details: field, selector.
    FIELD_EMPTY_EVERYWHERE = "field_empty_everywhere"
    #: A page before the last one is not full. Details: count, expected (items).
    PAGE_SHORT = "page_short"
    #: The page has no new item, so the run ended there.
    PAGE_REPEATS = "page_repeats"
    #: The list has ended before the last page that was requested. Details: requested (pages),
    #: reason (an `EndReason`).
    LIST_ENDED = "list_ended"
    #: The list goes on after this page, the last one that a job may read. Details: limit (pages).
    LIST_CUT = "list_cut"
    #: The page was still changing or loading, and was read as it was. Details: reason (an
    #: `UnsettledReason`).
    PAGE_NOT_SETTLED = "page_not_settled"
    #: A request of the page's scripts has failed; items may be missing. Once for each request of a
    #: job. Details: url (without its query), reason (such as `HTTP 500`).
    REQUEST_FAILED = "request_failed"
    #: All items of the page are equal, as placeholders are. Details: count.
    ITEMS_EQUAL = "items_equal"
    #: In some items, another alternative of the field than the first was taken. Details: field,
    #: count (of items).
    FALLBACK_TAKEN = "fallback_taken"
    #: In some items, the text is no number or date, as the field's type says, so the value is null.
    #: Details: field, count (of items), text (the first of them).
    VALUE_UNREAD = "value_unread"
    #: The page has items although the site calls it an error. Details: status (HTTP).
    ERROR_STATUS = "error_status"


class EndReason(StrEnum):
    """What shows that a list has ended."""

    #: The page has no items.
    EMPTY = "list_empty"
    #: The page does not exist (HTTP 404 or 410).
    NOT_FOUND = "list_not_found"
    #: The site has led on to another page than the one that was opened.
    REDIRECTED = "list_redirected"
    #: The page says so: the recipe's `end` matches.
    END_SHOWN = "list_end_shown"
    #: The control that leads to the next page is missing or disabled.
    NO_NEXT = "list_no_next"
    #: A click on that control has brought nothing new.
    NOTHING_NEW = "list_nothing_new"
    #: Scrolling to its end has brought nothing new.
    SCROLLED = "list_scrolled"


class UnsettledReason(StrEnum):
    """Why a page was not still when it was read."""

    #: The document, or a part of it, had not arrived.
    LOADING = "page_loading"
    #: Requests of its scripts had not ended.
    REQUESTS = "page_requests"
    #: It announced more content (`aria-busy`).
    BUSY = "page_busy"
    #: Its items kept changing.
    CHANGING = "page_changing"


@dataclass(frozen=True)
class ScrapeWarning:
    """One warning about one page."""

    code: WarningCode
    #: The page's number in its URL.
    page: int
    #: The values in the warning's sentence.
    details: Mapping[str, str | int] = field(default_factory=dict)

    def redacted(self, redact: Callable[[str], str]) -> "ScrapeWarning":
        """Return the warning without secrets in what the site has chosen: a URL, or a text.

        Args:
            redact: Returns the site's words without secrets; empty if they cannot be quoted.
        """
        chosen = {
            name: redact(str(self.details[name])) or "***"
            for name in ("url", "text")
            if name in self.details
        }
        return replace(self, details={**self.details, **chosen}) if chosen else self

    def as_dict(self) -> dict[str, str | int]:
        """Return the JSON form that results and job records store."""
        return {"code": self.code.value, "page": self.page, **self.details}
